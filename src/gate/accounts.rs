//! That nothing is answered before what has to be accounted for is written down, and nothing is done that cannot be (R29).
//!
//! Whoever serves a request runs it with [`run`]: events of the audit trail that its task emits hear from here which
//! request they belong to, and leave here what is to be waited for. Work that a request hands to another task or thread
//! is outside of that.

use std::{cell::RefCell, future::Future, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

use super::Visit;
use crate::{
    live::Snapshot,
    rules::{device, facts::Facts, outcome::DecisionId},
};

/// How long an answer may wait for the disk.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Whether what is done now can be written down.
pub trait Accounts: Send + Sync + 'static {
    /// Whether there is room, and the disk took what came last.
    fn is_open(&self) -> bool;
}

/// Where a record is on its way to.
pub trait Sheet: Send + Sync + 'static {
    /// Waits until the record with this ticket is on the disk; `false` if that takes too long.
    fn written(&self, ticket: u64) -> BoxFuture<'_, bool>;
}

/// The last record of a task, if it has one.
#[derive(Clone, Default)]
pub struct Receipt(Option<(Arc<dyn Sheet>, u64)>);

impl Receipt {
    /// Waits until it is on the disk; `false` if it cannot be, or not in time.
    pub async fn is_written(&self) -> bool {
        match &self.0 {
            Some((sheet, ticket)) => sheet.written(*ticket).await,
            None => true,
        }
    }
}

/// What a request says of itself in its records.
pub struct Matter {
    request: Option<(Arc<Facts>, Arc<Snapshot>)>,
    decision: Option<DecisionId>,
    last: RefCell<Receipt>,
}

tokio::task_local! {
    static MATTER: Matter;
}

impl Matter {
    /// A request that is decided under this name.
    pub fn of(visit: &Visit, decision: DecisionId) -> Self {
        let request = Some((Arc::clone(&visit.facts), Arc::clone(&visit.snapshot)));
        Self { request, decision: Some(decision), last: RefCell::default() }
    }

    /// Something that was asked on the command line.
    pub fn of_command() -> Self {
        Self { request: None, decision: None, last: RefCell::default() }
    }
}

/// Does the work, and says what is to be written before anybody hears of it.
pub async fn run<T>(matter: Matter, work: impl Future<Output = T>) -> (T, Receipt) {
    MATTER
        .scope(matter, async {
            let done = work.await;
            (done, MATTER.with(|matter| matter.last.take()))
        })
        .await
}

/// Notes a record of the running task.
pub fn note(sheet: &Arc<dyn Sheet>, ticket: u64) {
    // Outside of a request nobody waits.
    let _ = MATTER.try_with(|matter| {
        let mut last = matter.last.borrow_mut();
        // One that can never be written down is not forgotten for a later one.
        if last.0.as_ref().is_none_or(|(_, known)| *known != u64::MAX) {
            *last = Receipt(Some((Arc::clone(sheet), ticket)));
        }
    });
}

/// The name of the decision that the running task is about.
pub(super) fn decision() -> Option<DecisionId> {
    MATTER.try_with(|matter| matter.decision).ok().flatten()
}

/// Tells what every record of the running task says.
pub fn about(tell: &mut dyn FnMut(&'static str, String)) {
    // Outside of a request there is nothing to tell.
    let _ = MATTER.try_with(|matter| {
        let Some((facts, snapshot)) = &matter.request else { return };
        let client = facts.client.ip;
        tell("client", client.to_string());
        let country = snapshot.places.country(client);
        if !country.is_empty() {
            tell("country", country);
        }
        let device = device::name(&facts.user_agent);
        if !device.is_empty() {
            tell("device", device);
        }
        if let Some(decision) = matter.decision {
            tell("decision", decision.to_string());
        }
    });
}
