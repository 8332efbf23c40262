//! Records of a process that does not write the trail any more: they go to the one that does, and count when it says so.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use super::{
    audit::Recorder,
    trail::{NEVER, QUEUE},
};
use crate::{
    clock::Wall,
    rules::trail::{Fields, LOST},
};

/// A record on its way to another process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Distant {
    /// For the answer.
    pub ticket: u64,
    /// When.
    pub at: Wall,
    /// What.
    pub event: String,
    /// Everything else, as JSON.
    pub fields: String,
}

/// Where they are queued.
pub struct Relay {
    entrance: Mutex<Entrance>,
    durable: watch::Sender<u64>,
    problem: watch::Sender<Option<Arc<str>>>,
}

struct Entrance {
    accepted: u64,
    queue: mpsc::UnboundedSender<Distant>,
    /// How many records found no room, and are not told yet.
    lost: u64,
}

/// Where they come out. Once it is gone, the relay has a problem: nothing that is put in arrives anywhere.
pub struct Outbox {
    queue: mpsc::UnboundedReceiver<Distant>,
    relay: Weak<Relay>,
}

impl Outbox {
    /// The next record; `None` once nobody can put one in.
    pub async fn next(&mut self) -> Option<Distant> {
        self.queue.recv().await
    }

    /// The next record, if one waits.
    pub fn waiting(&mut self) -> Option<Distant> {
        self.queue.try_recv().ok()
    }

    /// Everything up to this ticket is on the disk.
    pub fn confirm(&self, ticket: u64) {
        if let Some(relay) = self.relay.upgrade() {
            relay.confirm(ticket);
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        if let Some(relay) = self.relay.upgrade() {
            relay.note_problem(Some("the process that writes the audit trail is gone".into()));
        }
    }
}

impl Relay {
    /// An empty one, and where its records come out.
    pub fn new() -> (Arc<Self>, Outbox) {
        let (queue, records) = mpsc::unbounded_channel();
        let entrance = Mutex::new(Entrance { accepted: 0, queue, lost: 0 });
        let this = Self { entrance, durable: watch::Sender::new(0), problem: watch::Sender::new(None) };
        let this = Arc::new(this);
        let outbox = Outbox { queue: records, relay: Arc::downgrade(&this) };
        (this, outbox)
    }

    /// How many records nobody has said of that they are on the disk.
    pub fn unconfirmed(&self) -> u64 {
        let entrance = self.entrance();
        entrance.accepted.saturating_sub(*self.durable.borrow()) + entrance.lost
    }

    fn entrance(&self) -> MutexGuard<'_, Entrance> {
        self.entrance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until everything so far is on the disk there; `false` if that takes too long.
    pub async fn settle(&self, patience: Duration) -> bool {
        let accepted = self.entrance().accepted;
        self.durable(accepted, patience).await
    }

    /// Why nothing can be written there; `None`: it can.
    pub fn note_problem(&self, why: Option<String>) {
        self.problem.send_replace(why.map(Arc::from));
    }

    /// Everything up to this ticket is on the disk there.
    pub fn confirm(&self, ticket: u64) {
        self.durable.send_if_modified(|known| {
            let news = *known < ticket;
            *known = (*known).max(ticket);
            news
        });
    }
}

impl Recorder for Relay {
    fn write(&self, at: Wall, event: String, fields: Fields) -> u64 {
        let mut entrance = self.entrance();
        let fits = entrance.accepted - (*self.durable.borrow()).min(entrance.accepted) < QUEUE;
        if fits && entrance.lost > 0 {
            let mut told = Fields::new();
            told.insert("records".into(), entrance.lost.into());
            if entrance.put(at, LOST.into(), &told).is_some() {
                entrance.lost = 0;
            }
        }
        let put = if fits { entrance.put(at, event, &fields) } else { None };
        put.unwrap_or_else(|| {
            entrance.lost += 1;
            tracing::error!("a record of the audit trail could not be given to the process that writes it");
            NEVER
        })
    }

    fn durable(&self, ticket: u64, patience: Duration) -> BoxFuture<'_, bool> {
        let mut durable = self.durable.subscribe();
        Box::pin(async move {
            let written = durable.wait_for(|to| *to >= ticket);
            ticket != NEVER && tokio::time::timeout(patience, written).await.is_ok_and(|found| found.is_ok())
        })
    }

    fn problem(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.problem.subscribe()
    }

    fn flush(&self) -> bool {
        let accepted = self.entrance().accepted;
        *self.durable.borrow() >= accepted
    }

    fn close(&self) {}
}

impl Entrance {
    fn put(&mut self, at: Wall, event: String, fields: &Fields) -> Option<u64> {
        let ticket = self.accepted + 1;
        let fields = serde_json::Value::Object(fields.clone()).to_string();
        self.queue.send(Distant { ticket, at, event, fields }).ok()?;
        self.accepted = ticket;
        Some(ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fields, NEVER, QUEUE, Recorder, Relay};
    use crate::{clock::Wall, rules::trail::LOST};

    const AT: Wall = Wall::from_secs(1_800_000_000);

    #[test]
    fn r29_a_relay_whose_records_arrive_nowhere_is_not_open() {
        let (relay, outbox) = Relay::new();
        assert!(relay.is_open());
        relay.write(AT, "user-added".into(), Fields::new());
        drop(outbox);
        assert!(!relay.is_open(), "before anybody has tried");
        assert_eq!(relay.write(AT, "user-added".into(), Fields::new()), NEVER);
        assert_eq!(relay.unconfirmed(), 2);
    }

    #[test]
    fn r29_records_that_a_full_relay_takes_no_more_are_counted_and_told() {
        let (relay, mut outbox) = Relay::new();
        for number in 1..=QUEUE {
            assert_eq!(relay.write(AT, "user-added".into(), Fields::new()), number);
        }
        for _ in 0..3 {
            assert_eq!(relay.write(AT, "user-added".into(), Fields::new()), NEVER);
        }
        relay.confirm(QUEUE);
        let ticket = relay.write(AT, "user-added".into(), Fields::new());
        assert_eq!(ticket, QUEUE + 2);
        let told: Vec<_> = std::iter::from_fn(|| outbox.waiting()).filter(|one| one.event == LOST).collect();
        assert!(told.len() == 1 && told[0].fields.contains('3'), "{told:?}");
    }
}
