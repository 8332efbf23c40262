//! What was decided, counted for the metrics.

use crate::{
    meter::Counter,
    rules::{facts::Door, reason::Reason, record::Said},
};

/// Every kind of answer, for tables; what goes with one does not matter here.
const ANSWERS: [Said; 9] = [
    Said::Allow,
    Said::SignIn,
    Said::StepUp { readable: false },
    Said::Deny,
    Said::Throttle { millis: 0 },
    Said::Unavailable,
    Said::BadRequest,
    Said::BadGateway,
    Said::GatewayTimeout,
];

type ByReason = [Counter; Reason::ALL.len()];

/// Decisions by door, answer and reason since the process started.
#[derive(Default)]
pub struct Tally {
    sidecar: [Answers; ANSWERS.len()],
    edge: [Answers; ANSWERS.len()],
}

struct Answers(ByReason);

impl Default for Answers {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

/// One count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tallied {
    /// Where.
    pub door: Door,
    /// What was answered.
    pub said: Said,
    /// Why.
    pub reason: Reason,
    /// How often.
    pub count: u64,
}

impl Tally {
    /// Counts one decision.
    pub fn count(&self, door: Door, said: Said, reason: Reason) {
        let answers = self.of(door).get(place(said));
        if let Some(counter) = answers.and_then(|answers| answers.0.get(reason as usize)) {
            counter.count();
        }
    }

    /// Everything that has been counted, and once for each door and reason the answer that it usually has, so that the
    /// first one of a kind is seen as a change.
    pub fn read(&self) -> impl Iterator<Item = Tallied> {
        [Door::Sidecar, Door::Edge].into_iter().flat_map(move |door| {
            self.of(door).iter().zip(ANSWERS).flat_map(move |(answers, said)| {
                let counts = answers.0.iter().map(Counter::get);
                let all = Reason::ALL.into_iter().zip(counts);
                all.filter(move |(reason, count)| *count > 0 || place(usual(*reason)) == place(said))
                    .map(move |(reason, count)| Tallied { door, said, reason, count })
            })
        })
    }

    fn of(&self, door: Door) -> &[Answers; ANSWERS.len()] {
        match door {
            Door::Sidecar => &self.sidecar,
            Door::Edge => &self.edge,
        }
    }
}

/// Where an answer is in [`ANSWERS`].
const fn place(said: Said) -> usize {
    match said {
        Said::Allow => 0,
        Said::SignIn => 1,
        Said::StepUp { .. } => 2,
        Said::Deny => 3,
        Said::Throttle { .. } => 4,
        Said::Unavailable => 5,
        Said::BadRequest => 6,
        Said::BadGateway => 7,
        Said::GatewayTimeout => 8,
    }
}

/// What is usually answered for a reason.
const fn usual(reason: Reason) -> Said {
    match reason {
        Reason::RoleAllows
        | Reason::ElevatedAllows
        | Reason::RelaxedAllows
        | Reason::KeyAllows
        | Reason::Anonymous
        | Reason::Portal => Said::Allow,
        Reason::NoCredential
        | Reason::AccessExpired
        | Reason::BadCredential
        | Reason::SessionEnded
        | Reason::SessionExpired
        | Reason::SecondFactorPending => Said::SignIn,
        Reason::NeedsElevation | Reason::NeedsEnrolment => Said::StepUp { readable: false },
        Reason::ConflictingCredentials
        | Reason::RoleLacksAccess
        | Reason::NoPage
        | Reason::UnknownRole
        | Reason::KeyLacksScope
        | Reason::KeyExpired
        | Reason::ImpersonationReadOnly
        | Reason::ImpersonationOver
        | Reason::OutsideNetworks
        | Reason::OutsideCountries
        | Reason::OutsideHours
        | Reason::MethodNotAllowed
        | Reason::AccountDisabled
        | Reason::ForeignOrigin
        | Reason::Banned
        | Reason::Trap => Said::Deny,
        Reason::UnknownHost | Reason::AmbiguousTarget | Reason::Malformed => Said::BadRequest,
        Reason::RateLimited | Reason::PageLimit => Said::Throttle { millis: 0 },
        Reason::StoreUnavailable | Reason::AuditUnavailable => Said::Unavailable,
        Reason::UpstreamUnreachable | Reason::PageUnmarkable => Said::BadGateway,
        Reason::UpstreamTimeout => Said::GatewayTimeout,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_and_answer_has_its_own_place() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{reason:?} is elsewhere in Reason::ALL");
        }
        for (index, said) in ANSWERS.into_iter().enumerate() {
            assert_eq!(place(said), index);
        }
    }

    #[test]
    fn a_reason_is_there_before_it_was_ever_given_and_counts_where_it_was() {
        let tally = Tally::default();
        assert_eq!(tally.read().count(), 2 * Reason::ALL.len());
        tally.count(Door::Edge, Said::StepUp { readable: true }, Reason::NeedsElevation);
        tally.count(Door::Edge, Said::Unavailable, Reason::UpstreamUnreachable);
        let counted: Vec<_> = tally.read().filter(|one| one.count > 0).collect();
        assert_eq!(counted.len(), 2);
        assert!(counted.iter().all(|one| one.door == Door::Edge && one.count == 1));
        assert_eq!(tally.read().count(), 2 * Reason::ALL.len() + 1, "an unusual answer comes on top");
    }
}
