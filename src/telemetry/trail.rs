//! The audit trail on the disk: files of records, one writer, fsync per batch.
//!
//! `trail-NUMBER.jsonl` begins with the record of that number. `head` names the last record that is on the disk, signed, so
//! that a missing or rewritten end shows. `lock` is held by whoever writes: the daemon, or a command that runs without one.

mod archive;
mod file;
mod reading;
#[cfg(test)]
mod tests;

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use tokio::sync::watch;

use self::file::Current;
pub use self::{
    archive::{Archivable, archivable, move_away},
    file::head_text,
    reading::{Check, HEAD, Piece, Verdict, files, newest, pieces, read_file, verify},
};
use crate::{
    clock::{Clock, SystemClock, Wall},
    rules::trail::{Fields, LOST, Signer, Uncovered},
};

/// The file that whoever writes holds a lock on.
pub const LOCK: &str = "lock";
/// A file is closed, and another one begun, beyond this size.
const ROTATE_BYTES: u64 = 16 << 20;
/// How many records may wait for the disk. More are counted and lost, which the trail says itself.
pub(super) const QUEUE: u64 = 16_384;
/// The writer takes them from here; orders to flush need room as well.
const CHANNEL: usize = 16_384 + 64;
/// How many records share one fsync at most.
const BATCH: usize = 512;
/// After a failed write, the next try.
const RETRY: Duration = Duration::from_secs(1);
/// How long whoever waits for the disk waits.
const FLUSH: Duration = Duration::from_secs(10);

/// The folder of the trail in a data directory.
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("audit")
}

/// The trail, open for writing. Dropping it ends the writer, once all is written.
pub struct Trail {
    gate: Mutex<Entrance>,
    lost: Arc<AtomicU64>,
    durable: watch::Receiver<u64>,
    problem: watch::Receiver<Option<Arc<str>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Tickets are given out in the order in which records are queued.
struct Entrance {
    /// `None` once the trail ends.
    orders: Option<SyncSender<Order>>,
    accepted: u64,
}

enum Order {
    Write(Entry),
    Flush(SyncSender<()>),
}

/// A record on its way.
struct Entry {
    ticket: u64,
    at: Wall,
    event: String,
    fields: Fields,
}

/// The ticket of a record that found no room: it is never durable.
pub(super) const NEVER: u64 = u64::MAX;

impl Trail {
    /// Opens the trail in this folder, or begins one. A line that a crash cut off is closed with a record that says so.
    /// Blocks.
    ///
    /// # Errors
    /// When the folder cannot be used, or somebody else writes to it.
    pub fn open(folder: &Path, signer: Signer) -> io::Result<Self> {
        Self::rotating(folder, signer, ROTATE_BYTES)
    }

    fn rotating(folder: &Path, signer: Signer, rotate: u64) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(named)?;
        let lock = lock(folder).map_err(named)?;
        let now = SystemClock::new().wall();
        let current = Current::open(folder, signer, rotate, now).map_err(named)?;
        let (orders, queue) = sync_channel(CHANNEL);
        let lost = Arc::new(AtomicU64::new(0));
        let (durable, problem) = (watch::Sender::new(0), watch::Sender::new(None));
        let told = (durable.subscribe(), problem.subscribe());
        let folder = folder.to_owned();
        let (clock, uncovered) = (SystemClock::new(), Uncovered::default());
        let mut writer = Writer {
            folder,
            current,
            lost: Arc::clone(&lost),
            durable,
            problem,
            clock,
            uncovered,
            _lock: lock,
        };
        // What the last process left without a checkpoint waits no longer than what is written now.
        writer.uncovered.note(writer.current.unvouched(), writer.clock.moment().mono);
        let room = writer.current.reserve();
        writer.note(room.err());
        let writer =
            std::thread::Builder::new().name("audit-trail".into()).spawn(move || writer.serve(&queue))?;
        let gate = Mutex::new(Entrance { orders: Some(orders), accepted: 0 });
        Ok(Self { gate, lost, durable: told.0, problem: told.1, writer: Mutex::new(Some(writer)) })
    }

    /// Writes a record down soon. Never waits. The ticket is for [`Trail::durable`].
    pub fn write(&self, at: Wall, event: String, fields: Fields) -> u64 {
        let mut gate = self.entrance();
        let Some(orders) = &gate.orders else { return NEVER };
        let ticket = gate.accepted + 1;
        if ticket - *self.durable.borrow() > QUEUE {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return NEVER;
        }
        match orders.try_send(Order::Write(Entry { ticket, at, event, fields })) {
            Ok(()) => gate.accepted = ticket,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                return NEVER;
            }
        }
        ticket
    }

    /// Waits until the record with this ticket, and every one before it, is on the disk; `false` if that takes too long.
    pub async fn durable(&self, ticket: u64, patience: Duration) -> bool {
        let mut durable = self.durable.clone();
        let written = durable.wait_for(|written| *written >= ticket);
        ticket != NEVER && tokio::time::timeout(patience, written).await.is_ok_and(|found| found.is_ok())
    }

    /// Why records cannot be taken now, if so, and when that changes.
    pub fn problem(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.problem.clone()
    }

    /// Whether records can be taken now: the last write succeeded, and there is room for more.
    pub fn is_open(&self) -> bool {
        self.problem.borrow().is_none()
    }

    /// Waits until everything that was written before is on the disk; `false` if that takes too long. Blocks.
    pub fn flush(&self) -> bool {
        let (done, written) = sync_channel(1);
        let orders = self.entrance().orders.clone();
        orders.is_some_and(|orders| orders.send(Order::Flush(done)).is_ok())
            && written.recv_timeout(FLUSH).is_ok()
    }

    /// Takes nothing more, writes what is queued and lets go of the folder. Blocks.
    pub fn close(&self) {
        self.entrance().orders = None;
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // One that failed has said so.
            let _ = writer.join();
        }
    }

    fn entrance(&self) -> MutexGuard<'_, Entrance> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        self.close();
    }
}

/// One writer at a time. The lock goes with the file.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] if somebody writes, others if the folder cannot be used.
pub fn lock(folder: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(folder.join(LOCK))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(io::Error::new(io::ErrorKind::WouldBlock, "another process writes the audit trail"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether somebody writes.
fn is_held(folder: &Path) -> io::Result<bool> {
    let file = match File::open(folder.join(LOCK)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

struct Writer {
    folder: PathBuf,
    current: Current,
    lost: Arc<AtomicU64>,
    durable: watch::Sender<u64>,
    problem: watch::Sender<Option<Arc<str>>>,
    clock: SystemClock,
    uncovered: Uncovered,
    _lock: File,
}

impl Writer {
    fn serve(mut self, queue: &Receiver<Order>) {
        let mut waiting: Vec<Entry> = Vec::new();
        let mut told: Vec<SyncSender<()>> = Vec::new();
        loop {
            // While the disk refuses, what waits is tried again although nothing new comes.
            let failing = self.problem.borrow().is_some();
            let due = self.uncovered.left(self.clock.moment().mono);
            let first = queue.recv_timeout(if failing { RETRY } else { due });
            let ended = matches!(first, Err(RecvTimeoutError::Disconnected));
            let more = std::iter::from_fn(|| queue.try_recv().ok()).take(BATCH);
            for order in first.into_iter().chain(more) {
                match order {
                    Order::Write(entry) => waiting.push(entry),
                    Order::Flush(done) => told.push(done),
                }
            }
            let written = self.write(&waiting);
            if written.is_ok() {
                if let Some(last) = waiting.last() {
                    self.durable.send_replace(last.ticket);
                }
                waiting.clear();
                for done in told.drain(..) {
                    // Nobody may be waiting any more.
                    let _ = done.try_send(());
                }
            }
            let kept = written.and_then(|()| self.keep(ended));
            self.note(kept.err());
            if ended {
                return;
            }
        }
    }

    fn write(&mut self, entries: &[Entry]) -> io::Result<()> {
        let lost = self.lost.load(Ordering::Relaxed);
        let mut records: Vec<(Wall, &str, &Fields)> =
            entries.iter().map(|entry| (entry.at, entry.event.as_str(), &entry.fields)).collect();
        let mut fields = Fields::new();
        if lost > 0 {
            fields.insert("records".into(), lost.into());
            records.push((SystemClock::new().wall(), LOST, &fields));
        }
        if records.is_empty() {
            return Ok(());
        }
        self.current.append(&records)?;
        self.lost.fetch_sub(lost, Ordering::Relaxed);
        Ok(())
    }

    /// Vouches for what was written, from time to time and at the end, and looks for room.
    fn keep(&mut self, ended: bool) -> io::Result<()> {
        let now = self.clock.moment();
        let due = self.uncovered.note(self.current.unvouched(), now.mono);
        if ended || due {
            self.current.checkpoint(now.wall)?;
            self.uncovered.note(self.current.unvouched(), now.mono);
        }
        if ended { self.current.end() } else { self.current.reserve() }
    }

    /// Tells whether records can be taken.
    fn note(&mut self, error: Option<io::Error>) {
        let was = self.problem.borrow().is_some();
        let problem = error.map(|error| {
            if !was {
                let folder = self.folder.display();
                tracing::error!(%error, %folder, "the audit trail cannot be written, so whatever has to be accounted for is refused: make room on that disk, or mend it; nothing has to be restarted");
            }
            Arc::from(error.to_string())
        });
        if was && problem.is_none() {
            tracing::info!("the audit trail can be written again");
        }
        self.problem.send_if_modified(|known| {
            let news = *known != problem;
            *known = problem;
            news
        });
    }
}
