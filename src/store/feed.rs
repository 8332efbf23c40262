//! The change stream of the embedded stores: a bounded log in memory, and everything again for who fell behind it.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;

use super::{Change, Cursor, Everything, engine::Engine, records::Reading};

/// How many changes are remembered. A follower that is further behind is told everything again.
const LOG_LENGTH: usize = 4096;

/// How many changes a follower takes out of the log at a time.
const CHUNK: usize = 256;

/// Recent changes and who waits for more.
pub(super) struct Feed {
    log: Mutex<Log>,
    tip: watch::Sender<Tip>,
    /// For whoever waits on a thread of its own.
    told: Condvar,
}

struct Log {
    /// All changes after this position are in `entries`.
    since: Cursor,
    entries: VecDeque<(Cursor, Change)>,
}

impl Log {
    fn last(&self) -> Cursor {
        self.entries.back().map_or(self.since, |(cursor, _)| *cursor)
    }
}

/// What wakes followers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tip {
    last: Cursor,
    closed: bool,
}

impl Feed {
    /// Goes on after `last`.
    pub(super) fn starting_at(last: Cursor) -> Self {
        let log = Log { since: last, entries: VecDeque::new() };
        Self {
            log: Mutex::new(log),
            tip: watch::Sender::new(Tip { last, closed: false }),
            told: Condvar::new(),
        }
    }

    /// Adds committed changes. Called in commit order, before the writes are acknowledged.
    pub(super) fn publish(&self, changes: Vec<(Cursor, Change)>) {
        let Some((last, _)) = changes.last() else { return };
        let last = *last;
        let mut log = self.log();
        log.entries.extend(changes);
        while log.entries.len() > LOG_LENGTH {
            if let Some((cursor, _)) = log.entries.pop_front() {
                log.since = cursor;
            }
        }
        drop(log);
        self.tip.send_modify(|tip| tip.last = last);
        self.told.notify_all();
    }

    /// Goes on after `last`, which another process has written; followers that do not know it are told everything again.
    pub(super) fn resume_at(&self, last: Cursor) {
        let mut log = self.log();
        if log.last() != last {
            *log = Log { since: last, entries: VecDeque::new() };
        }
        drop(log);
        self.tip.send_modify(|tip| tip.last = last);
    }

    /// Waits until everything up to `at` was published, or that cannot be any more, but not for longer than `patience`.
    /// Blocks.
    pub(super) fn wait_for(&self, at: Cursor, patience: Duration) {
        let waits = |log: &mut Log| log.last() < at && !self.tip.borrow().closed;
        // Whoever waits does so for others, who have the position; nothing depends on it here.
        drop(self.told.wait_timeout_while(self.log(), patience, waits));
    }

    /// Ends all followers once they have had what was published.
    pub(super) fn close(&self) {
        self.tip.send_modify(|tip| tip.closed = true);
        self.told.notify_all();
    }

    /// The next changes after a position, or `None` if they are not remembered any more.
    fn after(&self, at: Cursor) -> Option<VecDeque<(Cursor, Change)>> {
        let log = self.log();
        let start = log.entries.partition_point(|(cursor, _)| *cursor <= at);
        (at >= log.since).then(|| log.entries.iter().skip(start).take(CHUNK).cloned().collect())
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // Nothing in this file can panic while it holds the lock.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The changes after `from`. Ends only when the store is closed or has failed.
pub(super) fn follow<E: Engine + Clone>(engine: E, from: Cursor) -> BoxStream<'static, (Cursor, Change)> {
    let tip = engine.feed().tip.subscribe();
    let follower = Follower { engine, tip, at: from, ready: VecDeque::new() };
    stream::unfold(follower, Follower::next).boxed()
}

struct Follower<E> {
    engine: E,
    tip: watch::Receiver<Tip>,
    at: Cursor,
    ready: VecDeque<(Cursor, Change)>,
}

impl<E: Engine + Clone> Follower<E> {
    async fn next(mut self) -> Option<((Cursor, Change), Self)> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                self.at = item.0;
                return Some((item, self));
            }
            // Before the look into the log, so that what is published in between wakes us.
            let closed = self.tip.borrow_and_update().closed;
            match self.engine.feed().after(self.at) {
                Some(changes) if !changes.is_empty() => self.ready = changes,
                Some(_) if closed => return None,
                Some(_) => self.tip.changed().await.ok()?,
                None => {
                    let everything = self.engine.ask(|tables| Reading(tables).everything()).await.ok()?;
                    self.tell_again(everything);
                }
            }
        }
    }

    fn tell_again(&mut self, everything: Everything) {
        self.ready.push_back((everything.cursor, Change::Everything(Arc::new(everything))));
    }
}
