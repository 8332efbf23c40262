//! Traps: whoever asks for what only scanners ask for is refused, and banned for a while.

use super::{
    Gate, Visit,
    failure_line::{self, What},
    failures::{bannable, tell_ban},
};
use crate::rules::{
    address::NetworkKey,
    ban::Ban,
    failures::BANNED_BY,
    outcome::{Judgement, Outcome},
    reason::Reason,
};

impl Gate {
    /// Springs the trap that a request of nobody in particular steps into. Not where the policy has a page, and not
    /// where a page of another site sent a browser that cannot help it.
    pub(super) async fn spring(&self, visit: &Visit, judgement: Judgement) -> Judgement {
        let (facts, traps) = (&visit.facts, &visit.snapshot.traps);
        let stranger = matches!(
            judgement.outcome,
            Outcome::SignIn(
                Reason::NoCredential | Reason::BadCredential | Reason::SessionEnded | Reason::SessionExpired
            )
        );
        if !stranger || facts.foreign || visit.site.policy.has_own_page(&facts.target) {
            return judgement;
        }
        let Some(trap) = traps.find(&facts.target) else { return judgement };
        failure_line::write(visit, What::Trap, Some(&facts.target.path()));
        if bannable(facts, visit) {
            let now = visit.moment.wall;
            let ban = Ban {
                network: NetworkKey::of(facts.client.ip).0,
                reason: format!("asked for {trap}"),
                by: BANNED_BY.to_owned(),
                since: now,
                until: Some(now.plus(traps.lasts)),
            };
            match self.store.ban(ban.clone()).await {
                Ok(written) => {
                    self.settled(written).await;
                    tell_ban(&ban);
                }
                // Refused it is all the same.
                Err(error) => tracing::error!(%error, "a scanner could not be banned"),
            }
        }
        Judgement { outcome: Outcome::Deny(Reason::Trap), reason: Reason::Trap, ..judgement }
    }
}
