//! Sessions that are still being loaded.
//!
//! A gate decides before it has all sessions in memory: one that is missing is read from the store when it is first
//! needed, and the others come in the background. Meanwhile "it is not here" does not mean "there is none", so whoever
//! asks about more than one session needs a [`Whole`], which there is only once all of them are here.

use std::{
    cmp::Reverse,
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::watch;

use super::Records;
use crate::{
    clock::Wall,
    rules::{
        identity::UserId,
        session::{PublicId, Session, Sid, Status, status},
    },
};

/// Which sessions are not here yet. Nothing is waited for unless [`Loading::begin`] was called.
pub(super) struct Loading {
    /// While it lasts: the sessions that went. An older read of one of them must not bring it back (R12).
    gone: Mutex<Option<HashSet<Sid>>>,
    ended: watch::Sender<bool>,
    /// Sessions that the store has and cannot read.
    unreadable: AtomicUsize,
}

impl Default for Loading {
    fn default() -> Self {
        Self { gone: Mutex::new(None), ended: watch::Sender::new(true), unreadable: AtomicUsize::new(0) }
    }
}

impl Loading {
    /// Sessions are missing from now on.
    pub(super) fn begin(&self) {
        *self.lock() = Some(HashSet::new());
        self.ended.send_replace(false);
    }

    /// Held by whoever puts a session in that was read earlier, or takes one away: each sees what the other did.
    /// `None` once all are here.
    pub(super) fn lock(&self) -> MutexGuard<'_, Option<HashSet<Sid>>> {
        // A set that somebody panicked over is still a set.
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All sessions are here; `gone` is what [`Loading::lock`] gave.
    pub(super) fn end(&self, gone: &mut MutexGuard<'_, Option<HashSet<Sid>>>) {
        **gone = None;
        self.ended.send_replace(true);
    }
}

/// All sessions are in memory: what is not found is not there.
#[derive(Clone, Copy)]
pub struct Whole<'a>(&'a Records);

impl Records {
    /// All sessions, once they are here.
    pub fn whole(&self) -> Option<Whole<'_>> {
        self.loading.ended.borrow().then_some(Whole(self))
    }

    /// Waits for [`Records::whole`].
    pub fn loaded(&self) -> watch::Receiver<bool> {
        self.loading.ended.subscribe()
    }

    /// Notes that the store has so many more sessions that it cannot read.
    pub fn note_unreadable(&self, count: usize) {
        self.loading.unreadable.fetch_add(count, Ordering::Relaxed);
    }

    /// How many sessions the store has and cannot read.
    pub fn unreadable(&self) -> usize {
        self.loading.unreadable.load(Ordering::Relaxed)
    }
}

impl<'a> Whole<'a> {
    /// All sessions, newest first.
    pub fn sessions(self) -> Vec<Arc<Session>> {
        self.sessions_where(|_| true)
    }

    /// All sessions of an account, ended ones included, newest first.
    pub fn sessions_of(self, user: &UserId) -> Vec<Arc<Session>> {
        self.sessions_where(|session| session.user == *user)
    }

    /// The session with this public id.
    pub fn session_by_public(self, id: &PublicId) -> Option<Arc<Session>> {
        self.0.by_public(id)
    }

    /// How many sessions are alive at `now`, and how many of them are elevated.
    pub fn count_sessions(self, now: Wall, elevated: impl Fn(&Session) -> bool) -> (usize, usize) {
        let (mut alive, mut of_them) = (0, 0);
        self.0.each_session(|session| {
            if status(session, self.0.last_seen(session), now) == Status::Alive {
                alive += 1;
                of_them += usize::from(elevated(session));
            }
        });
        (alive, of_them)
    }

    /// The memory that they are in.
    pub fn records(self) -> &'a Records {
        self.0
    }

    fn sessions_where(self, wanted: impl Fn(&Session) -> bool) -> Vec<Arc<Session>> {
        let mut sessions = Vec::new();
        self.0.each_session(|session| {
            if wanted(session) {
                sessions.push(Arc::clone(session));
            }
        });
        sessions.sort_by_key(|session| (Reverse(session.opened), session.sid));
        sessions
    }
}

#[cfg(test)]
mod tests;
