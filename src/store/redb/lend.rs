//! Letting another process have the file: the one that takes over.
//!
//! While the file is lent, reads and writes wait. Then it is either taken back, or given away for good; from then on the
//! heir does them ([`super::relay`]), and its changes come in by [`Heir::tell`], so that whoever follows the change stream
//! here goes on without a gap.

use std::{os::unix::net::UnixStream, path::PathBuf, sync::Arc};

use ::redb::Database;
use tokio::sync::{oneshot, watch};

use super::{
    super::{Change, Cursor, StoreError, records::Reading},
    Order, RedbStore, Shared, Snapshot, file,
};

/// Who has the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// This process.
    Us,
    /// Another one, perhaps for a moment.
    Borrower,
    /// Another one, for good.
    Heir,
}

/// What the writer is told while the file is lent.
pub(super) enum Back {
    /// Open it again.
    Open(PathBuf, oneshot::Sender<Result<(), StoreError>>),
    /// It does not come back; the heir is to be asked here.
    Never(UnixStream),
}

/// What came of a file that was lent.
pub(super) enum After {
    /// It is open again.
    Here,
    /// The process at the other end has it for good.
    With(UnixStream),
    /// Nobody knows.
    Lost,
}

/// The file is closed, and another process may open it. Dropped, the store stays closed for good.
pub struct Lent {
    shared: Arc<Shared>,
    back: oneshot::Sender<Back>,
}

/// What came of a store that was given away: the heir's changes go in here.
pub struct Heir(Arc<Shared>);

impl RedbStore {
    /// Makes everything durable and closes the file; the position of the last change. Reads and writes wait from now on.
    ///
    /// # Errors
    /// When the store has failed before, or what was queued could not be written.
    pub async fn lend(&self) -> Result<Lent, StoreError> {
        let (done, closed) = oneshot::channel();
        let (back, coming) = oneshot::channel();
        self.order(Order::Lend { done, back: coming }).await?;
        closed.await.map_err(|_| self.shared.why_not())??;
        Ok(Lent { shared: Arc::clone(&self.shared), back })
    }
}

impl Lent {
    /// Opens the file again; what waited goes on.
    ///
    /// # Errors
    /// When it cannot be opened. The store is closed for good then.
    pub async fn take_back(self, path: PathBuf) -> Result<(), StoreError> {
        let (done, opened) = oneshot::channel();
        // Without the writer there is nobody to answer, which is seen below.
        let _ = self.back.send(Back::Open(path, done));
        opened.await.map_err(|_| self.shared.why_not())?
    }

    /// Leaves the file to the other process, which does by this line what waited and what is still to come:
    /// [`RedbStore::serve_predecessor`] is its other end.
    pub fn give(self, line: UnixStream) -> Heir {
        self.shared.holder.send_replace(Holder::Heir);
        let _ = self.back.send(Back::Never(line));
        Heir(self.shared)
    }
}

impl Heir {
    /// Passes a change of the heir on to everybody who follows the change stream.
    pub fn tell(&self, at: Cursor, change: Change) {
        self.0.feed.publish(vec![(at, change)]);
    }
}

impl Drop for Heir {
    /// Nobody is told any more, so nobody may go on believing what they know.
    fn drop(&mut self) {
        self.0.feed.close();
    }
}

impl Shared {
    /// Waits while the file is lent; whether it is here then.
    pub(super) async fn is_at_home(&self) -> bool {
        let mut holder: watch::Receiver<Holder> = self.holder.subscribe();
        holder.wait_for(|holder| *holder != Holder::Borrower).await.is_ok_and(|holder| *holder == Holder::Us)
    }

    /// The writer's part: closes the file and waits for what becomes of it.
    pub(super) fn lend(
        &self,
        done: oneshot::Sender<Result<(), StoreError>>,
        back: oneshot::Receiver<Back>,
    ) -> After {
        self.holder.send_replace(Holder::Borrower);
        let closed = self.take_database().map_or(Ok(()), Database::close).map_err(super::fault);
        // Without anybody to tell there is nobody to bring it back either.
        let _ = done.send(closed);
        match back.blocking_recv() {
            Ok(Back::Open(path, done)) => {
                let opened = self.open_again(&path);
                let after = if opened.is_ok() { After::Here } else { After::Lost };
                let _ = done.send(opened);
                after
            }
            Ok(Back::Never(line)) => After::With(line),
            Err(_) => {
                self.holder.send_replace(Holder::Heir);
                self.feed.close();
                After::Lost
            }
        }
    }

    fn open_again(&self, path: &std::path::Path) -> Result<(), StoreError> {
        let opened = file::open(path).and_then(|database| {
            let cursor = file::check(&Reading(&Snapshot::of(&database)?))?;
            Ok((database, cursor))
        });
        match opened {
            Ok((database, cursor)) => {
                self.feed.resume_at(cursor);
                self.put_database(database);
                self.holder.send_replace(Holder::Us);
                Ok(())
            }
            Err(error) => {
                self.fail(&error);
                self.holder.send_replace(Holder::Heir);
                Err(error)
            }
        }
    }
}
