//! The answer to "why": a decision, what would be said now, and what the journal covers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Record, Span, Way};
use crate::rules::{
    policy::{Answer, RuleSet},
    reason::Reason,
};

/// Everything there is to say about one decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The records, the oldest first: an allowed request that the panel did not answer has two. Empty if the journal has
    /// none.
    pub records: Vec<Record>,
    /// What the running policy says to the same request.
    pub now: Option<Now>,
    /// What the journal covers.
    pub span: Span,
}

/// What a policy says to a request that was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// The version of the policy.
    pub policy: Arc<str>,
    /// `allow`, `sign-in`, `step-up`, `deny` or `bad-request`; `None` where it is not for a policy to say.
    pub answer: Option<String>,
    /// Why.
    pub reason: Option<Reason>,
    /// What would make it a yes.
    pub ways: Vec<Way>,
}

impl Report {
    /// The record to explain: the newest.
    pub fn record(&self) -> Option<&Record> {
        self.records.last()
    }

    /// Adds what the policy that runs now says.
    pub fn under(mut self, policy: Option<&RuleSet>) -> Self {
        self.now = self.record().zip(policy).map(|(record, policy)| record.under(policy));
        self
    }

    /// What would have allowed it: as it was found then, or, for strangers, as the same policy says now.
    pub fn ways(&self) -> &[Way] {
        match (self.record(), &self.now) {
            (Some(record), Some(now)) if record.reply.ways.is_empty() && record.policy == now.policy => {
                &now.ways
            }
            (Some(record), _) => &record.reply.ways,
            (None, _) => &[],
        }
    }
}

impl Record {
    /// What a policy says to the same request.
    pub fn under(&self, policy: &RuleSet) -> Now {
        let decided = self.case().map(|case| policy.decide(&case).answer);
        Now {
            policy: Arc::clone(policy.version()),
            answer: decided.map(|answer| answer.as_str().to_owned()),
            reason: decided.map(Answer::reason),
            ways: self.ways(policy),
        }
    }
}
