//! The strict check of a chunked body, in the bytes as they arrive (R22, rows 104, 106, 107 and 116).
//!
//! Whoever stands before us must not find the end of a chunk, or of the body, in another place than we do. RFC 9112
//! section 7.1 is the measure, without its leave for whitespace.

use super::head::{BadHead, split_field};

/// The longest extension of one chunk.
const MAX_EXTENSION: usize = 256;
/// The longest extensions of one body together, and the longest trailer section: nobody honest needs more.
const MAX_OVERHEAD: usize = 16 * 1024;

/// Where in a chunked body we are.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    state: State,
    /// Of the chunk whose size is being read.
    size: u64,
    /// Of the extension that is being read.
    extension: usize,
    /// Bytes in extensions and trailers so far.
    overhead: usize,
    /// The trailer line that is being read.
    line: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Digits of a size; so many came.
    Size(u8),
    Extension,
    /// LF after a size or extension.
    SizeEnd,
    /// So many bytes of data are to come.
    Data(u64),
    /// CR after data, then LF.
    DataCr,
    DataLf,
    Trailer,
    /// LF after a trailer line.
    TrailerEnd,
    /// What follows belongs to no body.
    Over,
}

impl Default for State {
    fn default() -> Self {
        Self::Size(0)
    }
}

impl Chunks {
    /// Looks at the next bytes.
    ///
    /// # Errors
    /// When they can be read in more than one way.
    pub(super) fn look_at(&mut self, mut bytes: &[u8]) -> Result<(), BadHead> {
        while let Some((byte, rest)) = bytes.split_first() {
            if self.state == State::Over {
                return Ok(());
            }
            if let State::Data(left) = self.state {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                bytes = bytes.get(here..).unwrap_or_default();
                let left = left - here as u64;
                self.state = if left == 0 { State::DataCr } else { State::Data(left) };
            } else {
                bytes = rest;
                self.state = self.step(*byte)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<State, BadHead> {
        match (self.state, byte) {
            (State::Size(1..) | State::Extension, b'\r') => Ok(State::SizeEnd),
            (State::Size(1..), b';') => {
                self.extension = 0;
                Ok(State::Extension)
            }
            (State::Size(digits), _) => self.digit(digits, byte),
            (State::Extension, _) => self.extended(byte),
            (State::SizeEnd, b'\n') => Ok(match std::mem::take(&mut self.size) {
                0 => State::Trailer,
                size => State::Data(size),
            }),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size(0)),
            (State::Trailer, b'\r') => Ok(State::TrailerEnd),
            (State::Trailer, _) => self.trailing(byte),
            (State::TrailerEnd, b'\n') => self.trailer_line(),
            _ => Err(BadHead::bad("a chunk does not end in CRLF")),
        }
    }

    fn digit(&mut self, digits: u8, byte: u8) -> Result<State, BadHead> {
        let digit = char::from(byte).to_digit(16).filter(|_| digits < 15);
        let digit = digit.ok_or(BadHead::bad("the size of a chunk is not a plain hexadecimal number"))?;
        self.size = self.size << 4 | u64::from(digit);
        Ok(State::Size(digits + 1))
    }

    fn extended(&mut self, byte: u8) -> Result<State, BadHead> {
        self.extension += 1;
        if byte.is_ascii_control() && byte != b'\t' {
            return Err(BadHead::bad("the extension of a chunk has control characters"));
        }
        if self.extension > MAX_EXTENSION {
            return Err(BadHead::bad("the extension of a chunk is too long"));
        }
        self.spend()?;
        Ok(State::Extension)
    }

    fn trailing(&mut self, byte: u8) -> Result<State, BadHead> {
        self.spend()?;
        self.line.push(byte);
        if byte == b'\n' { Err(BadHead::bad("a trailer ends in a bare LF")) } else { Ok(State::Trailer) }
    }

    fn trailer_line(&mut self) -> Result<State, BadHead> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return Ok(State::Over);
        }
        split_field(&line).map(|_| State::Trailer)
    }

    fn spend(&mut self) -> Result<(), BadHead> {
        self.overhead += 1;
        if self.overhead > MAX_OVERHEAD {
            return Err(BadHead::bad("the extensions and trailers of a chunked body are too long"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Chunks, State};

    /// The end of the body in whole, and with a byte at a time.
    fn read(body: &str) -> Result<bool, &'static str> {
        let mut whole = Chunks::default();
        let at_once = whole.look_at(body.as_bytes()).map(|()| whole.state == State::Over);
        let mut pieces = Chunks::default();
        let piecemeal =
            body.bytes().try_for_each(|byte| pieces.look_at(&[byte])).map(|()| pieces.state == State::Over);
        assert_eq!(at_once, piecemeal, "{body:?}");
        at_once.map_err(|bad| bad.what)
    }

    #[test]
    fn bodies_as_the_rfc_has_them_pass_and_end_where_they_end() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "00A\r\n0123\r\n6789\r\n000\r\n\r\n",
            "5;a=b;c=\"d e\"\r\nhello\r\n0;last\r\nDigest: x\r\nA: b\r\n\r\nGET / HTTP/1.1\r\n",
        ] {
            assert_eq!(read(body), Ok(true), "{body:?}");
            let beginning = body.get(..3).unwrap();
            assert_eq!(read(beginning), Ok(false), "{body:?}");
        }
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for body in [
            "\r\n\r\n",
            "\n",
            ";a\r\n",
            "0x5\r\n",
            "+5\r\n",
            " 5\r\n",
            "5 \r\n",
            "5\t\r\n",
            "5\nhello",
            "5\r\r\n",
            "5;\nhello",
            "5;a\nb\r\n",
            "5;\0\r\n",
            "5;a\rb\r\n",
            "0000000000000005\r\n",
            "10000000000000005\r\n",
            "5\r\nhello0\r\n",
            "5\r\nhello\n0\r\n",
            "5\r\nhello\r0\r\n",
            "0\n\r\n",
            "0\r\n\n",
            "0\r\nA: b\n\r\n",
            "0\r\nno colon\r\n",
            "0\r\n: x\r\n",
            "0\r\n folded: x\r\n",
            "0\r\nA: b\rc\r\n",
        ] {
            assert!(read(body).is_err(), "{body:?}");
        }
    }

    /// CVE-2023-39326: a byte of data for a kilobyte of extension.
    #[test]
    fn extensions_and_trailers_are_bounded_each_and_together() {
        let chunk = |length: usize| format!("1;{}\r\nx\r\n", "a".repeat(length));
        assert_eq!(read(&chunk(256)), Ok(false));
        assert!(read(&chunk(257)).is_err());
        assert_eq!(read(&chunk(256).repeat(64)), Ok(false));
        assert!(read(&chunk(256).repeat(65)).is_err());
        assert!(read(&format!("0\r\n{}", "A: b\r\n".repeat(5000))).is_err());
    }
}
