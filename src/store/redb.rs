//! The default store: one redb file, one writer thread, group commit.
//!
//! Whatever is queued when the writer gets to it shares one transaction, and nobody is answered before that
//! transaction is on the disk. Once a commit has failed it is not known what the file holds, so the store refuses
//! everything, reads included, until it is opened again.

mod file;
mod frozen;
mod lend;
mod relay;
#[cfg(test)]
mod tests;
mod transaction;
mod writer;

use std::{
    path::Path,
    sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard},
};

use ::redb::{Database, ReadableDatabase};
use tokio::sync::{mpsc, oneshot, watch};

pub use self::{
    frozen::{Copied, Frozen},
    lend::{Heir, Lent},
};
use self::{
    lend::{Back, Holder},
    transaction::{Snapshot, fault},
};
use super::{
    StoreError,
    engine::{self, Engine, Job, View, gone},
    feed::Feed,
    meter::StoreMeter,
    records::Reading,
    tables::Read,
};

/// How many writes may wait for the writer before new ones wait outside.
const QUEUE_LENGTH: usize = 1024;

/// The default store: one redb file that one process holds.
#[derive(Clone)]
pub struct RedbStore {
    shared: Arc<Shared>,
    orders: mpsc::Sender<Order>,
}

/// What the writer thread shares with everybody.
struct Shared {
    /// `None` once closed or failed, and while it is lent.
    database: RwLock<Option<Database>>,
    holder: watch::Sender<Holder>,
    feed: Feed,
    /// Why it failed, if it has.
    failed: OnceLock<String>,
    meter: StoreMeter,
}

/// What the writer thread is told.
enum Order {
    Write(Box<dyn Job>),
    Close(oneshot::Sender<Result<(), StoreError>>),
    Lend { done: oneshot::Sender<Result<(), StoreError>>, back: oneshot::Receiver<Back> },
}

impl RedbStore {
    /// Opens the file, or makes it (mode 0600, in a directory that exists). Checks every page of it, and every record but
    /// the sessions: they can be very many, and are checked one by one when they are read. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Locked`] while another process has it open, [`StoreError::Schema`] and [`StoreError::Damaged`]
    /// if it is not ours, [`StoreError::Unavailable`] if it cannot be reached or others could write to it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::over(file::open(path)?)
    }

    /// Starts on an open database with our schema.
    fn over(database: Database) -> Result<Self, StoreError> {
        let cursor = {
            let snapshot = Snapshot::of(&database)?;
            file::check(&Reading(&snapshot))?
        };
        let shared = Arc::new(Shared {
            database: RwLock::new(Some(database)),
            holder: watch::Sender::new(Holder::Us),
            feed: Feed::starting_at(cursor),
            failed: OnceLock::new(),
            meter: StoreMeter::default(),
        });
        let (orders, queue) = mpsc::channel(QUEUE_LENGTH);
        writer::start(Arc::clone(&shared), queue)?;
        Ok(Self { shared, orders })
    }

    /// How it is doing.
    pub fn meter(&self) -> &StoreMeter {
        &self.shared.meter
    }

    /// How many writes wait for the writer.
    pub fn waiting(&self) -> usize {
        self.orders.max_capacity().saturating_sub(self.orders.capacity())
    }

    /// Whether a commit has failed, so that nothing can be written or read until it is opened again.
    pub fn has_failed(&self) -> bool {
        self.shared.failed.get().is_some()
    }

    async fn order(&self, order: Order) -> Result<(), StoreError> {
        self.orders.send(order).await.map_err(|_| self.shared.why_not())
    }
}

impl Shared {
    fn database(&self) -> RwLockReadGuard<'_, Option<Database>> {
        // A reader cannot leave the lock in a bad state; the writer only ever takes the value out.
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_database(&self, database: Database) {
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
    }

    fn take_database(&self) -> Option<Database> {
        self.database.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether there is no file, and nobody else has it.
    fn is_closed(&self) -> bool {
        *self.holder.borrow() == Holder::Us && self.database().is_none()
    }

    /// Refuses everything from now on.
    fn fail(&self, why: &StoreError) {
        // Only the first failure is the cause.
        let _ = self.failed.set(why.to_string());
        // Lets go of the file, so that it can be opened again. What closing says is of no use any more.
        drop(self.take_database());
        self.feed.close();
    }

    fn why_not(&self) -> StoreError {
        if *self.holder.borrow() == Holder::Heir && self.failed.get().is_none() {
            return StoreError::HandedOver;
        }
        self.failed.get().map_or_else(gone, |why| {
            StoreError::Unavailable(format!("an earlier write failed ({why}); restart panelgate"))
        })
    }

    /// The answer; the question back if the file is elsewhere.
    fn read<T, Q>(&self, question: Q) -> Result<Result<T, StoreError>, Q>
    where
        Q: FnOnce(&dyn Read) -> Result<T, StoreError>,
    {
        match self.database().as_ref() {
            Some(database) => Ok(Snapshot::of(database).and_then(|snapshot| question(&snapshot))),
            None => Err(question),
        }
    }
}

impl Engine for RedbStore {
    /// Reads run on the blocking pool: most take microseconds, but a cold page is a disk access, and a page that was
    /// damaged while we run must not take a worker of the runtime down.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Read) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut question = question;
        while self.shared.is_at_home().await {
            let shared = Arc::clone(&self.shared);
            let asked = tokio::task::spawn_blocking(move || shared.read(question)).await;
            match asked.map_err(|error| StoreError::Unavailable(format!("a read failed: {error}")))? {
                Ok(answer) => return answer,
                Err(_) if self.shared.is_closed() => return Err(self.shared.why_not()),
                // It was lent since the question was asked.
                Err(back) => question = back,
            }
        }
        engine::write(self, move |to| question(to.tables())).await.map(|written| written.value)
    }

    async fn view(&self) -> Result<Option<View>, StoreError> {
        if !self.shared.is_at_home().await {
            return Ok(None);
        }
        match self.shared.database().as_ref() {
            Some(database) => Ok(Some(Arc::new(Snapshot::of(database)?))),
            None if self.shared.is_closed() => Err(self.shared.why_not()),
            // It was lent since.
            None => Ok(None),
        }
    }

    async fn submit(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        self.order(Order::Write(job)).await
    }

    fn feed(&self) -> &Feed {
        &self.shared.feed
    }

    async fn shut(&self) -> Result<(), StoreError> {
        let (done, outcome) = oneshot::channel();
        self.order(Order::Close(done)).await?;
        outcome.await.map_err(|_| self.shared.why_not())?
    }
}

impl Snapshot {
    fn of(database: &Database) -> Result<Self, StoreError> {
        Self::over(database.begin_read().map_err(fault)?)
    }
}
