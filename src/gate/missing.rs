//! Sessions that are not in memory yet: one that is asked for is read from the store, and who needs all of them waits.

use std::{sync::Arc, time::Duration};

use super::{Gate, unavailable};
use crate::{
    live::Whole,
    rules::{reason::Reason, session::Sid},
    store::Cursor,
};

/// How long somebody may wait until the change stream has come as far as the store was.
const STREAM: Duration = Duration::from_secs(2);
/// How long somebody may wait until all sessions are in memory, after a start.
const LOADING: Duration = Duration::from_secs(10);

impl Gate {
    /// All sessions, for whoever asks about more than one that is presented: while they are still being loaded, it is
    /// waited for, but not for ever.
    ///
    /// # Errors
    /// When there are so many that they are not here yet; ask again.
    pub async fn whole(&self) -> Result<Whole<'_>, Reason> {
        let mut loaded = self.live.records.loaded();
        // Neither the time being up nor an end, which `self` prevents, changes what is asked below.
        let _ = tokio::time::timeout(LOADING, loaded.wait_for(|whole| *whole)).await;
        self.live.records.whole().ok_or(Reason::StoreUnavailable)
    }

    /// Puts a session into memory that is not there.
    pub(super) async fn fetch(&self, sid: Sid) -> Result<(), Reason> {
        let found = self.store.session_at(&sid).await.map_err(|error| unavailable(&error))?;
        let Some(session) = found.value else { return Err(Reason::SessionEnded) };
        self.reached(found.cursor).await?;
        self.live.records.put_missing([Arc::new(session)]);
        Ok(())
    }

    /// Waits until memory is not older than what was read at this position: a change from before it would otherwise
    /// undo in memory what the store has long had.
    pub(super) async fn reached(&self, at: Cursor) -> Result<(), Reason> {
        let mut applied = self.live.records.applied();
        let waited = tokio::time::timeout(STREAM, applied.wait_for(|cursor| *cursor >= at)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Reason::StoreUnavailable),
        }
    }
}
