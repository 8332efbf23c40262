//! What is read by machines, line by line: nobody may begin a line but the log itself.

#[cfg(test)]
mod tests;

use std::io::{self, Write};

/// What continues an event on a further line begins with this.
const CONTINUED: &[u8] = b"\n  | ";

/// Writes whole events. A line break inside one, which an attacker may have put there, begins no line that looks like
/// an event of its own, not even to the journal, which cuts at NUL as well and at the spaces around a line.
pub(super) struct OneLine<W>(pub(super) W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let (body, end) = match event.strip_suffix(b"\n") {
            Some(body) => (body, b"\n".as_slice()),
            None => (event, b"".as_slice()),
        };
        let mut text = Vec::with_capacity(event.len());
        for byte in body {
            match byte {
                b'\n' => text.extend_from_slice(CONTINUED),
                b'\r' | 0 => text.push(b' '),
                _ => text.push(*byte),
            }
        }
        text.extend_from_slice(end);
        self.0.write_all(&text)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
