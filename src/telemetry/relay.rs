//! Records of a process that does not write the trail any more: they go to the one that does, and count when it says so.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use super::{
    audit::Recorder,
    trail::{NEVER, QUEUE},
};
use crate::{clock::Wall, rules::trail::Fields};

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
    entrance: Mutex<(u64, mpsc::UnboundedSender<Distant>)>,
    durable: watch::Sender<u64>,
    problem: watch::Sender<Option<Arc<str>>>,
}

impl Relay {
    /// An empty one, and where its records come out.
    pub fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Distant>) {
        let (queue, records) = mpsc::unbounded_channel();
        let entrance = Mutex::new((0, queue));
        let this = Self { entrance, durable: watch::Sender::new(0), problem: watch::Sender::new(None) };
        (Arc::new(this), records)
    }

    /// Waits until everything so far is on the disk there; `false` if that takes too long.
    pub async fn settle(&self, patience: Duration) -> bool {
        let accepted = self.entrance.lock().unwrap_or_else(PoisonError::into_inner).0;
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
        let mut entrance = self.entrance.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = entrance.0 + 1;
        let fields = serde_json::Value::Object(fields).to_string();
        let full = ticket - *self.durable.borrow() > QUEUE;
        if full || entrance.1.send(Distant { ticket, at, event, fields }).is_err() {
            tracing::error!("a record of the audit trail could not be given to the process that writes it");
            return NEVER;
        }
        entrance.0 = ticket;
        ticket
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
        let accepted = self.entrance.lock().unwrap_or_else(PoisonError::into_inner).0;
        *self.durable.borrow() >= accepted
    }

    fn close(&self) {}
}
