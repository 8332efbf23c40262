//! Traps: whoever asks for what only scanners ask for is refused, and whoever does it twice is banned for a while.

use super::{
    Gate, Visit,
    failures::{bannable, tell_ban},
};
use crate::rules::{
    address::NetworkKey,
    ban::{Ban, LONGEST_REASON},
    failures::{BANNED_BY, What},
    outcome::{Judgement, Outcome},
    reason::Reason,
};

impl Gate {
    /// Springs the trap that a request of nobody in particular steps into. Not where the policy has a page, and not
    /// where a page of another site or a mail sent a browser that cannot help it. Not every program that shows pictures
    /// says that much, so that a single trap bans nobody.
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
        self.tell_failure(visit, What::Trap, Some(&facts.target.path()));
        let network = NetworkKey::of(facts.client.ip);
        let before =
            bannable(facts, visit).then(|| self.live.lures.step(network, trap, visit.moment.mono)).flatten();
        if let Some(before) = before {
            let now = visit.moment.wall;
            let ban = Ban {
                whom: network.0.into(),
                reason: reason(&before, trap),
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

/// Patterns are as long as people like.
fn reason(before: &str, trap: &str) -> String {
    format!("asked for {before} and {trap}").chars().take(LONGEST_REASON).collect()
}
