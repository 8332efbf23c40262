//! The audit trail on the disk: files of records, one writer, fsync per batch.
//!
//! `trail-NUMBER.jsonl` begins with the record of that number. `head` names the last record that is on the disk, signed, so
//! that a missing or rewritten end shows. `lock` is held by whoever writes: the daemon, or a command that runs without one.

mod archive;
mod file;
mod head;
mod reading;
mod spool;
#[cfg(test)]
mod tests;

use std::{
    error::Error,
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
    archive::{Archivable, archivable, copy_away, is_within},
    head::{HEAD, head_text},
    reading::{Check, Piece, Verdict, files, newest, pieces, read_file, read_shown, verify, vouched},
};
use crate::{
    clock::{Clock, SystemClock, Wall},
    rules::trail::{Fields, LOST, Link, Signer, Uncovered},
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
/// How often it is looked whether the trail is still where it is written to; after a failed write, the next try.
const LOOK: Duration = Duration::from_secs(1);
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

/// What is said of what an earlier writer left and nobody can read.
const DAMAGED: &str =
    "what an earlier process could not write was left in `held`, and that is damaged or not ours";

/// The ticket of a record that found no room: it is never durable.
pub(super) const NEVER: u64 = u64::MAX;

/// What a trail is written with, for whoever opens it again.
#[derive(Clone)]
pub struct Desk {
    folder: PathBuf,
    signer: Arc<Signer>,
    rotate: u64,
}

impl Desk {
    /// For the trail in this folder.
    pub fn new(folder: &Path, signer: Signer) -> Self {
        Self { folder: folder.to_owned(), signer: Arc::new(signer), rotate: ROTATE_BYTES }
    }

    /// Opens the trail, or begins one. What a crash cut off is closed with a record that says so. With a disk that is full
    /// it begins with a problem, and records wait. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be used, or somebody else writes to it.
    pub fn open(&self) -> io::Result<Trail> {
        Trail::start(Writer::new(self), |error| !can_wait(error))
    }

    /// Opens the trail as soon as that is possible; until then it has a problem, and records wait. Blocks.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn reopen(&self) -> io::Result<Trail> {
        Trail::start(Writer::new(self), |_| false)
    }

    /// Whether it could be opened if nobody wrote. Blocks.
    ///
    /// # Errors
    /// Why not.
    pub fn look(&self) -> io::Result<()> {
        if !self.folder.try_exists()? {
            return Ok(());
        }
        file::look(&self.folder, &self.signer, SystemClock::new().wall()).map_err(|error| self.named(&error))
    }

    fn named(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.folder.display()))
    }
}

/// Whether it may pass by itself, or be mended while the gate runs.
fn can_wait(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::InvalidData
    )
}

impl Trail {
    /// The same as [`Desk::open`], for whoever opens it once.
    ///
    /// # Errors
    /// Those of [`Desk::open`].
    pub fn open(folder: &Path, signer: Signer) -> io::Result<Self> {
        Desk::new(folder, signer).open()
    }

    #[cfg(test)]
    fn rotating(folder: &Path, signer: Signer, rotate: u64) -> io::Result<Self> {
        Desk { rotate, ..Desk::new(folder, signer) }.open()
    }

    fn start(mut writer: Writer, fatal: impl FnOnce(&io::Error) -> bool) -> io::Result<Self> {
        let (orders, queue) = sync_channel(CHANNEL);
        let (lost, durable, problem) =
            (Arc::clone(&writer.lost), writer.durable.subscribe(), writer.problem.subscribe());
        let begun = match writer.reach() {
            Err(error) if fatal(&error) => return Err(error),
            reached => reached.and_then(|()| writer.work(false)),
        };
        writer.note(begun.err());
        let writer =
            std::thread::Builder::new().name("audit-trail".into()).spawn(move || writer.serve(&queue))?;
        let gate = Mutex::new(Entrance { orders: Some(orders), accepted: 0 });
        Ok(Self { gate, lost, durable, problem, writer: Mutex::new(Some(writer)) })
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

    /// Writes down that so many records are lost, and `why`; `false` if that takes too long. Blocks.
    pub fn admit(&self, records: u64, why: &str) -> bool {
        let mut fields = Fields::new();
        fields.insert("records".into(), records.into());
        fields.insert("why".into(), why.into());
        self.write(SystemClock::new().wall(), LOST.into(), fields);
        self.flush()
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
    desk: Desk,
    open: Option<Open>,
    /// Where the chain stood when it was open last.
    remembered: Option<Link>,
    /// Why it is not open any more.
    moved: Option<String>,
    /// Records that are not on the disk.
    waiting: Vec<Entry>,
    lost: Arc<AtomicU64>,
    /// What the last writer left could not be read.
    damaged: bool,
    /// What is left for the next writer is on the disk, and has to be wiped once it is in the trail.
    left: bool,
    durable: watch::Sender<u64>,
    problem: watch::Sender<Option<Arc<str>>>,
    clock: SystemClock,
    uncovered: Uncovered,
}

/// The trail, while nothing is wrong with its place.
struct Open {
    current: Current,
    _lock: File,
}

impl Writer {
    fn new(desk: &Desk) -> Self {
        Self {
            desk: desk.clone(),
            open: None,
            remembered: None,
            moved: None,
            waiting: Vec::new(),
            lost: Arc::new(AtomicU64::new(0)),
            damaged: false,
            left: false,
            durable: watch::Sender::new(0),
            problem: watch::Sender::new(None),
            clock: SystemClock::new(),
            uncovered: Uncovered::default(),
        }
    }

    /// Opens the trail unless it is.
    fn reach(&mut self) -> io::Result<()> {
        if self.open.is_some() {
            return Ok(());
        }
        let Desk { folder, signer, rotate } = &self.desk;
        let named = |error| self.desk.named(&error);
        let now = SystemClock::new().wall();
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(named)?;
        let lock = lock(folder).map_err(named)?;
        let opened = Current::open(folder, Arc::clone(signer), *rotate, now, self.remembered);
        let mut current = opened.map_err(named)?;
        if self.remembered.is_none() {
            let found = spool::find(folder, signer, current.link()).map_err(named)?;
            self.left = spool::is_waiting(folder);
            self.damaged = found.damaged;
            self.lost.fetch_add(found.lost, Ordering::Relaxed);
            self.waiting.splice(0..0, found.entries);
        }
        if let Some(why) = self.moved.take() {
            current.tell_reopened(now, why);
        }
        self.remembered = Some(current.link());
        self.open = Some(Open { current, _lock: lock });
        Ok(())
    }

    fn serve(mut self, queue: &Receiver<Order>) {
        let mut told: Vec<SyncSender<()>> = Vec::new();
        loop {
            // What waits is tried again, and the place looked at, although nothing new comes.
            let due = self.uncovered.left(self.clock.moment().mono);
            // What is due stays due while the disk refuses.
            let failing = self.problem.borrow().is_some();
            let first = queue.recv_timeout(if failing { LOOK } else { due.min(LOOK) });
            let ended = matches!(first, Err(RecvTimeoutError::Disconnected));
            let more = std::iter::from_fn(|| queue.try_recv().ok()).take(BATCH);
            for order in first.into_iter().chain(more) {
                match order {
                    Order::Write(entry) => self.waiting.push(entry),
                    Order::Flush(done) => told.push(done),
                }
            }
            let worked = self.work_where_it_is(ended);
            if self.waiting.is_empty() {
                for done in told.drain(..) {
                    // Nobody may be waiting any more.
                    let _ = done.try_send(());
                }
            }
            self.note(worked.err());
            if ended {
                return self.leave();
            }
        }
    }

    /// Whatever was moved is opened again at once, where it is looked for.
    fn work_where_it_is(&mut self, ended: bool) -> io::Result<()> {
        let why = match self.reach().and_then(|()| self.work(ended)) {
            Err(error) if error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<file::Moved>) => error,
            worked => return worked,
        };
        tracing::error!(%why, "the audit trail is opened again; find out who did that, and see `panelgate audit verify`");
        if let Some(Open { current, .. }) = self.open.take() {
            self.remembered = Some(current.link());
        }
        self.moved = Some(why.to_string());
        self.reach().and_then(|()| self.work(ended))
    }

    fn work(&mut self, ended: bool) -> io::Result<()> {
        self.write()?;
        self.keep(ended)
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(Open { current, .. }) = &mut self.open else { return Ok(()) };
        let lost = self.lost.load(Ordering::Relaxed);
        let mut records: Vec<(Wall, &str, &Fields)> =
            self.waiting.iter().map(|entry| (entry.at, entry.event.as_str(), &entry.fields)).collect();
        let mut fields = Fields::new();
        if self.damaged {
            fields.insert("why".into(), DAMAGED.into());
        }
        if lost > 0 || self.damaged {
            fields.insert("records".into(), lost.into());
            records.push((SystemClock::new().wall(), LOST, &fields));
        }
        if !records.is_empty() {
            current.append(&records)?;
            self.lost.fetch_sub(lost, Ordering::Relaxed);
            self.damaged = false;
        }
        if let Some(last) = self.waiting.last().map(|entry| entry.ticket) {
            self.durable.send_if_modified(|known| std::mem::replace(known, last.max(*known)) < last);
        }
        self.waiting.clear();
        if self.left {
            spool::clear(&self.desk.folder)?;
            self.left = false;
        }
        Ok(())
    }

    /// Vouches for what was written, from time to time and at the end, and looks for room.
    fn keep(&mut self, ended: bool) -> io::Result<()> {
        let Some(Open { current, .. }) = &mut self.open else { return Ok(()) };
        let now = self.clock.moment();
        current.settle()?;
        let due = self.uncovered.note(current.unvouched(), now.mono);
        if ended || due {
            current.checkpoint(now.wall)?;
            self.uncovered.note(current.unvouched(), now.mono);
        }
        if ended { current.end() } else { current.reserve() }
    }

    /// The place of what waits, if the trail was never open: behind what its head names, with what waits there already.
    fn behind_head(&mut self) -> Option<(Link, File)> {
        let Desk { folder, signer, .. } = &self.desk;
        let lock = lock(folder).ok()?;
        let link = head::Head::read(folder).ok()?.vouches(folder, &[signer.public()]).ok()?.ok()?;
        let found = spool::find(folder, signer, link).ok().filter(|found| !found.damaged)?;
        self.lost.fetch_add(found.lost, Ordering::Relaxed);
        self.waiting.splice(0..0, found.entries);
        Some((link, lock))
    }

    /// What is not on the disk is left for whoever writes next.
    fn leave(mut self) {
        let nothing = self.waiting.is_empty() && self.lost.load(Ordering::Relaxed) == 0;
        if let Some(Open { current, .. }) = &mut self.open {
            // It was tried already; a disk that is full takes less, and what cannot be given back is given back by the next.
            let _ = current.end();
        }
        if nothing {
            return;
        }
        let link = self.open.as_ref().map_or(self.remembered, |open| Some(open.current.link()));
        let place = if link.is_none() { self.behind_head() } else { None };
        let Desk { folder, signer, .. } = &self.desk;
        let lost = self.lost.load(Ordering::Relaxed);
        let left = match link.or(place.as_ref().map(|(link, _)| *link)) {
            Some(link) => spool::leave(folder, signer, link, &self.waiting, lost),
            None => Err(io::Error::other("it was never open")),
        };
        let (folder, records) = (folder.display(), self.waiting.len());
        match left {
            Ok(lost) => {
                tracing::error!(%folder, records, lost, "the audit trail cannot be written: its last records wait there, and the next start writes them");
            }
            Err(error) => {
                tracing::error!(%error, %folder, records, "the last records of the audit trail are lost: nothing can be written");
            }
        }
    }

    /// Tells whether records can be taken.
    fn note(&mut self, error: Option<io::Error>) {
        let was = self.problem.borrow().is_some();
        let problem = error.map(|error| {
            if !was {
                let folder = self.desk.folder.display();
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
