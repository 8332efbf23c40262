//! Requests that are answered by a stream: lines that say how far it is, each followed by so many bytes, and a last line
//! that says what came of it. A stream without that line was cut off.

use std::{
    cell::RefCell,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::app::backup::{Contents, Desk, Made};

/// Bytes between two lines.
const PART: usize = 256 << 10;
/// The longest line.
const LINE: u64 = 64 << 20;
/// Somebody who says or takes nothing for so long has gone away.
const STALLED: Duration = Duration::from_secs(120);
/// Whether to stop is looked at this often while nothing is taken.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS: u32 = 120;

/// What the command line asks for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum StreamRequest {
    /// A backup.
    Backup {
        /// With the journal of decisions.
        journal: bool,
    },
}

/// A line of the answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
enum Line {
    /// So many bytes follow; so much is done.
    Part { bytes: usize, done: u64, total: u64 },
    /// Nothing follows: that was all of it.
    Made { made: Box<Made> },
    /// Nothing follows, and what came is of no use.
    Failed { why: String },
}

/// Answers; blocks. `stop` ends it, as does whoever asked by going away.
pub(super) fn answer(
    request: StreamRequest,
    desk: &Desk,
    by: u32,
    stream: UnixStream,
    stop: &CancellationToken,
) -> io::Result<()> {
    let StreamRequest::Backup { journal } = request;
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(LOOK))?;
    let stop = stop.clone();
    let sender = Sender { stream, stop, buffer: Vec::with_capacity(PART), done: 0, total: 0 };
    let sender = RefCell::new(sender);
    let mut told = |done, total| sender.borrow_mut().tell(done, total);
    let last = match desk.make(Contents { journal }, by, Parts(&sender), &mut told) {
        Ok(made) => Line::Made { made: Box::new(made) },
        Err(error) => {
            tracing::warn!(%error, "no backup was made");
            Line::Failed { why: error.to_string() }
        }
    };
    sender.into_inner().finish(&last)
}

/// Reads an answer: the bytes go to `out`, and `told` hears how much of how much is done.
///
/// # Errors
/// When the stream ends early or `out` takes no more. In the value, if the daemon could not do it.
pub fn receive(
    stream: UnixStream,
    request: StreamRequest,
    out: &mut dyn Write,
    told: &mut dyn FnMut(u64, u64),
) -> io::Result<Result<Made, String>> {
    stream.set_read_timeout(Some(STALLED))?;
    stream.set_write_timeout(Some(STALLED))?;
    let mut asked = serde_json::to_vec(&request)?;
    asked.push(b'\n');
    (&stream).write_all(&asked)?;
    let mut from = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        (&mut from).take(LINE).read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            let why = "panelgate went away before the backup was complete; see its log";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        match serde_json::from_slice(&line)? {
            Line::Part { bytes, done, total } => {
                told(done, total);
                if io::copy(&mut (&mut from).take(bytes as u64), out)? != bytes as u64 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Line::Made { made } => return Ok(Ok(*made)),
            Line::Failed { why } => return Ok(Err(why)),
        }
    }
}

struct Sender {
    stream: UnixStream,
    stop: CancellationToken,
    buffer: Vec<u8>,
    done: u64,
    total: u64,
}

impl Sender {
    /// Before there are bytes, an empty part shows that somebody is at work.
    fn tell(&mut self, done: u64, total: u64) -> io::Result<()> {
        self.go_on()?;
        (self.done, self.total) = (done, total);
        if total == 0 { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> io::Result<()> {
        let line = Line::Part { bytes: self.buffer.len(), done: self.done, total: self.total };
        self.line(&line)?;
        let buffer = std::mem::take(&mut self.buffer);
        self.push(&buffer)?;
        self.buffer = buffer;
        self.buffer.clear();
        Ok(())
    }

    fn go_on(&self) -> io::Result<()> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other("panelgate is stopping, or another one has taken over: try again"));
        }
        Ok(())
    }

    /// Waits for whoever reads, but not for ever, and not when told to stop.
    fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let mut looks = 0;
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    looks = 0;
                    bytes = bytes.get(written..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && looks < LOOKS => {
                    self.go_on()?;
                    looks += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.push(&text)
    }

    fn finish(mut self, last: &Line) -> io::Result<()> {
        if matches!(last, Line::Made { .. }) && !self.buffer.is_empty() {
            self.send()?;
        }
        self.line(last)
    }
}

/// The bytes of the answer.
struct Parts<'a>(&'a RefCell<Sender>);

impl Write for Parts<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sender = self.0.borrow_mut();
        sender.buffer.extend_from_slice(bytes);
        if sender.buffer.len() >= PART {
            sender.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Answers on a thread of its own.
pub(super) async fn answer_apart(
    request: StreamRequest,
    desk: Arc<Desk>,
    by: u32,
    stream: tokio::net::UnixStream,
    stop: CancellationToken,
) {
    let Ok(stream) = stream.into_std() else { return };
    let answering = tokio::task::spawn_blocking(move || answer(request, &desk, by, stream, &stop));
    // Whoever asked and went away has its reasons.
    let _ = answering.await;
}
