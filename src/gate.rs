//! The order of one request: limit → credential → session → policy → grant, touch.
//!
//! Both doors and the portal ask here. At most two store reads, only on a miss.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    clock::{Clock, Moment, Wall},
    entropy::Entropy,
    live::{Class, Live, Snapshot},
    rules::{
        facts::{Ask, Audience, Facts},
        outcome::{Bearer, DecisionId, Grant, Judgement},
        reason::Reason,
        site::Site,
    },
    secret::SecretBytes,
    store::{Store, Written},
};

/// One request on its way through the gate: what it is, which site it is for, and the snapshot it is judged under.
#[derive(Clone)]
pub struct Visit {
    /// The canonical description.
    pub facts: Arc<Facts>,
    /// The site.
    pub site: Arc<Site>,
    /// One generation for the whole request.
    pub snapshot: Arc<Snapshot>,
    /// Sampled once, at arrival.
    pub moment: Moment,
}

/// A refusal with all that its rendering needs. It travels inside the process as a request extension, and through
/// proxies that carry nothing but a status as a sealed text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What kind of no.
    pub kind: RefusalKind,
    /// Why.
    pub reason: Reason,
    /// The page of the policy.
    pub page: Option<Arc<str>>,
    /// What was asked for: the URL to come back to.
    pub url: String,
    /// The method that was used.
    pub method: String,
    /// Page or problem document.
    pub audience: RefusalAudience,
    /// The decision.
    pub decision: DecisionId,
    /// When.
    pub at: Wall,
}

/// [`Audience`], in a form that travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalAudience {
    /// A person navigating.
    Navigation,
    /// Anything else.
    Background,
}

/// The kinds of no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalKind {
    /// Sign in (or renew, when the reason is [`Reason::AccessExpired`]).
    SignIn,
    /// Prove the second factor.
    StepUp {
        /// Whether the page can be looked at before.
        readable: bool,
    },
    /// No.
    Deny,
    /// Too many.
    Throttle {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// A fault on our side.
    Unavailable,
    /// The request cannot be judged.
    BadRequest,
}

/// The gate.
pub struct Gate {
    live: Arc<Live>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// Seals refusals that travel through a proxy.
    refusal_key: SecretBytes,
}

impl Gate {
    /// Composes a gate.
    pub fn new(
        live: Arc<Live>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        refusal_key: SecretBytes,
    ) -> Self {
        Self { live, store, clock, entropy, refusal_key }
    }

    /// The memory it reads.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// The store it fetches from.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Samples the clocks; once per request.
    pub fn moment(&self) -> Moment {
        self.clock.moment()
    }

    /// Random bytes for the portal and the doors.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// Describes a request. A request that cannot be described becomes a judgement at once.
    pub fn describe(&self, ask: &Ask<'_>) -> Result<Visit, Box<Refusal>> {
        let _ = (ask, Audience::Navigation, Class::Request);
        todo!("gate")
    }

    /// Judges a request: charges its network, checks its credential, asks the policy.
    pub async fn decide(&self, visit: &Visit) -> Judgement {
        let _ = visit;
        todo!("gate")
    }

    /// Who makes this request, whatever the policy says about the page: for the portal.
    pub async fn bearer(&self, visit: &Visit) -> Result<Bearer, Reason> {
        let _ = visit;
        todo!("gate")
    }

    /// Whether a grant would be given again now: for connections that stay open. Cheap; ask every 250 ms.
    pub fn still_holds(&self, visit: &Visit, grant: &Grant) -> bool {
        let _ = (visit, grant);
        todo!("gate")
    }

    /// The signed assertion for the panel; empty when the site wants none.
    pub fn assertion(&self, visit: &Visit, grant: &Grant) -> Arc<str> {
        let _ = (visit, grant);
        todo!("gate")
    }

    /// What a refused judgement looks like on its way to rendering; `None` for Allow.
    pub fn refusal(&self, visit: &Visit, judgement: &Judgement) -> Option<Refusal> {
        let _ = (visit, judgement);
        todo!("gate")
    }

    /// Seals a refusal for `X-Gate-Outcome`; at most 2 KB of printable ASCII.
    pub fn seal(&self, refusal: &Refusal) -> String {
        let _ = (refusal, &self.refusal_key);
        todo!("gate")
    }

    /// Opens a sealed refusal; `None` if we did not seal it in the last minute.
    pub fn unseal(&self, text: &str) -> Option<Refusal> {
        let _ = text;
        todo!("gate")
    }

    /// Waits until this process shows a write of its own, and gives its value.
    pub async fn settled<T>(&self, written: Written<T>) -> T {
        let mut applied = self.live.records.applied();
        // The sender lives in `live`, which `self` holds, so waiting cannot fail.
        let _ = applied.wait_for(|cursor| *cursor >= written.cursor).await;
        written.value
    }
}
