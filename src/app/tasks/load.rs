//! Brings all sessions into memory, while requests are decided already.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::BoxStream};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{
    live::Live,
    rules::session::Session,
    store::{Beginning, Cursor, Piece, Store, StoreError},
};

/// Sessions that could not be read are tried again after this.
const AGAIN: Duration = Duration::from_secs(5);

/// Sessions that are still to be loaded.
pub(in crate::app) struct Load {
    pub(super) live: Arc<Live>,
    pub(super) store: Arc<dyn Store>,
    /// The position that the sessions are of.
    pub(super) at: Cursor,
    pub(super) sessions: BoxStream<'static, Result<Piece, StoreError>>,
}

/// Whoever acted for somebody at a position of the change stream.
pub(in crate::app) struct Acting {
    pub(in crate::app) at: Cursor,
    pub(in crate::app) sessions: Vec<Arc<Session>>,
}

impl Load {
    /// Loads them, however often that has to be tried; then says who acts for somebody.
    pub(in crate::app) async fn run(mut self, acting: oneshot::Sender<Acting>, stop: CancellationToken) {
        loop {
            let mut found = Acting { at: self.at, sessions: Vec::new() };
            let taken = tokio::select! {
                () = stop.cancelled() => return,
                taken = self.take_all(&mut found.sessions) => taken,
            };
            match taken {
                Ok(unreadable) => {
                    self.live.records.note_unreadable(unreadable);
                    self.live.records.end_loading();
                    // Without an audit trail nobody wants to know.
                    let _ = acting.send(found);
                    return;
                }
                Err(error) => {
                    tracing::error!(%error, "not all sessions can be loaded: those that are needed are read one by one");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
            match self.store.begin().await {
                Ok(Beginning { rest, sessions }) => (self.at, self.sessions) = (rest.cursor, sessions),
                Err(error) => tracing::error!(%error, "the store cannot be read"),
            }
        }
    }

    /// How many there are that cannot be read.
    async fn take_all(&mut self, acting: &mut Vec<Arc<Session>>) -> Result<usize, StoreError> {
        // What is put in must not be newer than the changes that come after it.
        let mut applied = self.live.records.applied();
        let reached = applied.wait_for(|cursor| *cursor >= self.at).await;
        reached.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let mut unreadable = 0;
        while let Some(piece) = self.sessions.next().await {
            let piece = piece?;
            for what in &piece.unreadable {
                tracing::error!(
                    what,
                    "a session in the store cannot be read; whoever presents it is refused"
                );
            }
            unreadable += piece.unreadable.len();
            let acts = |session: &&Arc<Session>| session.impersonation.is_some();
            acting.extend(piece.sessions.iter().filter(acts).map(Arc::clone));
            self.live.records.put_missing(piece.sessions);
        }
        Ok(unreadable)
    }
}
