//! The audit trail on the disk: files of records, one writer, fsync per batch.
//!
//! `trail-NUMBER.jsonl` begins with the record of that number. `head` names the last record that is on the disk, so that
//! a missing end shows. `lock` is held by whoever writes: the daemon, or a command that runs without one.

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
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};

use self::file::Current;
pub use self::file::head_text;
pub use self::reading::{HEAD, Piece, Verdict, files, newest, pieces, read_file, verify};
use crate::{
    clock::{Clock, SystemClock, Wall},
    rules::trail::{Fields, LOST},
};

/// The file that whoever writes holds a lock on.
pub const LOCK: &str = "lock";
/// A file is closed, and another one begun, beyond this size.
const ROTATE_BYTES: u64 = 16 << 20;
/// How many records may wait for the disk. More are counted and lost, which the trail says itself.
const QUEUE: usize = 16_384;
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

/// The trail, open for writing. Clones share it; the last one that is dropped ends the writer, once all is written.
#[derive(Clone)]
pub struct Trail {
    orders: SyncSender<Order>,
    lost: Arc<AtomicU64>,
}

enum Order {
    Write(Entry),
    Flush(SyncSender<()>),
}

/// A record on its way.
struct Entry {
    at: Wall,
    event: String,
    fields: Fields,
}

impl Trail {
    /// Opens the trail in this folder, or begins one. A line that a crash cut off is closed with a record that says so.
    /// Blocks.
    ///
    /// # Errors
    /// When the folder cannot be used, or somebody else writes to it.
    pub fn open(folder: &Path) -> io::Result<Self> {
        Self::rotating(folder, ROTATE_BYTES)
    }

    fn rotating(folder: &Path, rotate: u64) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(named)?;
        let lock = lock(folder).map_err(named)?;
        let current = Current::open(folder, rotate, SystemClock::new().wall()).map_err(named)?;
        let (orders, queue) = sync_channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer { current, lost: Arc::clone(&lost), _lock: lock };
        std::thread::Builder::new().name("audit-trail".into()).spawn(move || writer.serve(&queue))?;
        Ok(Self { orders, lost })
    }

    /// Writes a record down soon. Never waits.
    pub fn write(&self, at: Wall, event: String, fields: Fields) {
        if let Err(TrySendError::Full(_)) = self.orders.try_send(Order::Write(Entry { at, event, fields })) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything that was written before is on the disk; `false` if that takes too long. Blocks.
    pub fn flush(&self) -> bool {
        let (done, written) = sync_channel(1);
        self.orders.send(Order::Flush(done)).is_ok() && written.recv_timeout(FLUSH).is_ok()
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

struct Writer {
    current: Current,
    lost: Arc<AtomicU64>,
    _lock: File,
}

impl Writer {
    fn serve(mut self, queue: &Receiver<Order>) {
        let mut waiting: Vec<Entry> = Vec::new();
        let mut told: Vec<SyncSender<()>> = Vec::new();
        let mut failing = false;
        loop {
            // While the disk refuses, what waits is tried again although nothing new comes.
            let first = if failing {
                queue.recv_timeout(RETRY)
            } else {
                queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            let ended = matches!(first, Err(RecvTimeoutError::Disconnected));
            let more = std::iter::from_fn(|| queue.try_recv().ok()).take(BATCH);
            for order in first.into_iter().chain(more) {
                match order {
                    Order::Write(entry) if waiting.len() < QUEUE => waiting.push(entry),
                    Order::Write(_) => drop(self.lost.fetch_add(1, Ordering::Relaxed)),
                    Order::Flush(done) => told.push(done),
                }
            }
            match self.write(&waiting) {
                Ok(()) => {
                    failing = false;
                    waiting.clear();
                    for done in told.drain(..) {
                        // Nobody may be waiting any more.
                        let _ = done.try_send(());
                    }
                }
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "the audit trail cannot be written; its records wait");
                    }
                    failing = true;
                }
            }
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
}
