//! All sessions, little by little: a start does not wait for a million of them.

use std::{ops::Bound, sync::Arc};

use futures_util::stream::{self, StreamExt};

use super::{
    Beginning, Everything, Piece, StoreError,
    engine::View,
    records::{Reading, session_from},
    tables::{Entry, Table},
};
use crate::rules::session::Sid;

/// So many sessions are in a piece: whoever takes it has them for a moment, and goes on with something else.
const PIECE: usize = 512;

/// How far somebody who reads all sessions has come.
#[derive(Default)]
pub(super) struct Pages {
    from: Vec<u8>,
    ended: bool,
}

impl Pages {
    /// The next sessions, at most `limit`; `None` when there are no more.
    pub(super) fn next(&mut self, records: &Reading<'_>, limit: usize) -> Result<Option<Piece>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let entries: Vec<Entry> = records.0.range(Table::Sessions, &self.from, Bound::Unbounded, limit)?;
        self.ended = entries.len() < limit;
        if let Some((last, _)) = entries.last() {
            // The least key that is greater.
            self.from.clone_from(last);
            self.from.push(0);
        }
        let mut piece = Piece::default();
        for (key, value) in &entries {
            match session_from(value, key) {
                Ok(kept) => piece.sessions.push(Arc::new(kept.session)),
                Err(error) => piece.unreadable.push(format!("{}: {error}", name(key))),
            }
        }
        Ok(Some(piece))
    }
}

/// What people know the session of a key by.
fn name(key: &[u8]) -> String {
    let sid = key.try_into().map(Sid);
    sid.map_or_else(|_| "a key of the wrong length".to_owned(), |sid| sid.public().to_string())
}

/// Everything but the sessions, and these as they are asked for.
pub(super) async fn begin(view: View) -> Result<Beginning, StoreError> {
    let read = Arc::clone(&view);
    let rest = blocking(move || Reading(&*read).rest()).await?;
    let sessions = stream::try_unfold((view, Pages::default()), |(view, mut pages)| async move {
        let turn = move || {
            let piece = pages.next(&Reading(&*view), PIECE)?;
            Ok(piece.map(|piece| (piece, (view, pages))))
        };
        blocking(turn).await
    });
    Ok(Beginning { rest, sessions: sessions.boxed() })
}

/// The same of what has been read already.
pub(super) fn whole(mut everything: Everything) -> Beginning {
    let sessions = std::mem::take(&mut everything.sessions);
    let unreadable = std::mem::take(&mut everything.unreadable);
    let piece = Piece { sessions, unreadable };
    Beginning { rest: everything, sessions: stream::iter([Ok(piece)]).boxed() }
}

/// A cold page is a disk access.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let reading = tokio::task::spawn_blocking(read).await;
    reading.map_err(|error| StoreError::Unavailable(format!("a read failed: {error}")))?
}
