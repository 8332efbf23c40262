//! Where decisions are handed to the journal, without waiting for anything, and where they are read again.

mod entry;
mod noting;
pub mod watch;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use self::watch::Watches;
pub use self::{
    entry::{Entry, Judged},
    noting::{Noted, Stray},
};
use crate::{
    clock::Wall,
    live::Live,
    rules::{
        outcome::DecisionId,
        reason::Reason,
        record::{Record, Span},
        session::SiteId,
    },
};

/// Decisions that may wait to be written; more are dropped, counted, and admitted.
pub const QUEUE: usize = 8_192;

/// What the journal's task is sent.
#[derive(Debug)]
pub enum Item {
    /// A decision to write.
    Decision(Box<Entry>),
    /// Everything that was sent before is to be readable; then this is told.
    Settle(oneshot::Sender<()>),
    /// Remove and shorten what has become old.
    Tend,
    /// Write what is there and end.
    Stop,
}

/// Reads decisions again.
#[async_trait]
pub trait Archive: Send + Sync + 'static {
    /// Everything about one decision, the oldest first.
    async fn find(&self, id: DecisionId) -> Vec<Record>;
    /// The newest refusals that are wanted, the newest first.
    async fn latest(&self, wanted: Wanted) -> Vec<Record>;
    /// What a site's decisions were since a point of time, the newest `most` of them, the oldest first.
    async fn since(&self, site: SiteId, since: Wall, most: usize) -> Vec<Record>;
    /// What can be read.
    async fn span(&self) -> Span;
    /// Returns when what was decided before can be read, or cannot be waited for.
    async fn settle(&self);
}

/// Which refusals are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Of this site.
    pub site: SiteId,
    /// For this reason.
    pub reason: Option<Reason>,
    /// Of the account with this name.
    pub user: Option<String>,
    /// On this page of the policy.
    pub page: Option<String>,
    /// How many.
    pub most: usize,
}

impl Wanted {
    /// Whether a record is one of them.
    pub fn takes(&self, record: &Record) -> bool {
        let user = record.who.as_ref().map(|person| person.user.as_str());
        let page = record.reply.page.as_ref().map(|page| &*page.name);
        !record.is_allowed()
            && record.is_of(&self.site)
            && self.reason.is_none_or(|reason| reason == record.reply.reason)
            && self.user.as_deref().is_none_or(|wanted| user == Some(wanted))
            && self.page.as_deref().is_none_or(|wanted| page == Some(wanted))
    }
}

/// The journal as the gate has it.
#[derive(Clone)]
pub(super) struct Journal {
    queue: Option<mpsc::Sender<Item>>,
    pub(super) archive: Arc<dyn Archive>,
    pub(super) watches: Arc<Watches>,
}

impl Default for Journal {
    fn default() -> Self {
        Self { queue: None, archive: Arc::new(Nothing), watches: Arc::default() }
    }
}

impl Journal {
    pub(super) fn new(queue: mpsc::Sender<Item>, archive: Arc<dyn Archive>) -> Self {
        Self { queue: Some(queue), archive, watches: Arc::default() }
    }

    /// Hands a decision over. One that there is no room for is counted.
    pub(super) fn note(&self, live: &Live, at: Wall, entry: impl FnOnce() -> Entry) {
        if self.watches.are_none() {
            self.send(live, at, entry);
        } else {
            let entry = entry();
            self.watches.note(&entry, live, at);
            self.send(live, at, || entry);
        }
    }

    fn send(&self, live: &Live, at: Wall, entry: impl FnOnce() -> Entry) {
        let Some(queue) = &self.queue else { return };
        match queue.try_reserve() {
            Ok(place) => place.send(Item::Decision(Box::new(entry()))),
            Err(_) => live.journal.drop_one(at),
        }
    }
}

/// No journal.
pub(super) struct Nothing;

#[async_trait]
impl Archive for Nothing {
    async fn find(&self, _: DecisionId) -> Vec<Record> {
        Vec::new()
    }

    async fn latest(&self, _: Wanted) -> Vec<Record> {
        Vec::new()
    }

    async fn since(&self, _: SiteId, _: Wall, _: usize) -> Vec<Record> {
        Vec::new()
    }

    async fn span(&self) -> Span {
        Span::default()
    }

    async fn settle(&self) {}
}
