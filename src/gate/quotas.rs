//! The quotas that pages have of their own: charged once a request is allowed.

use std::sync::Arc;

use super::{Gate, Visit};
use crate::{
    live::{QuotaKey, Subject},
    rules::{
        address::NetworkKey,
        facts::Facts,
        outcome::{Grant, Holder, Judgement, Outcome},
        policy::Per,
        reason::Reason,
    },
};

impl Gate {
    /// Charges an allowed request to the account whose credential it is, over all its sessions and keys.
    pub(super) fn charge_holder(&self, visit: &Visit, judgement: Judgement) -> Judgement {
        let Outcome::Allow(grant) = &judgement.outcome else { return judgement };
        let Some(bearer) = grant.bearer() else { return judgement };
        match self.live.counters.charge_account(bearer.owner().id, visit.moment) {
            Ok(()) => judgement,
            Err(retry_after) => Judgement {
                outcome: Outcome::Throttle { retry_after },
                reason: Reason::RateLimited,
                ..judgement
            },
        }
    }

    /// Charges an allowed request to the quotas that its page has of its own.
    pub(super) fn charge_page(&self, visit: &Visit, judgement: Judgement) -> Judgement {
        let Outcome::Allow(grant) = &judgement.outcome else { return judgement };
        let policy = &visit.site.policy;
        let Some(page) = grant.page().and_then(|name| policy.page(name)) else { return judgement };
        let role = grant.bearer().map(|bearer| &bearer.role);
        let own = role.and_then(|role| policy.role_access(page, role).map(|access| (role, access)));
        let shared = page.quotas.iter().map(|quota| (None, *quota));
        let own =
            own.into_iter().flat_map(|(role, own)| own.quotas.iter().map(move |quota| (Some(role), *quota)));
        for (role, quota) in shared.chain(own) {
            let Some(subject) = subject(quota.per, grant, &visit.facts) else { continue };
            let (site, page, role) = (Arc::clone(&visit.site.id), Arc::clone(&page.name), role.cloned());
            let key = QuotaKey { site, page, role, quota };
            if let Err(retry_after) = self.live.counters.charge_page(key, subject, visit.moment) {
                return Judgement {
                    outcome: Outcome::Throttle { retry_after },
                    reason: Reason::PageLimit,
                    ..judgement
                };
            }
        }
        judgement
    }
}

/// What a request is counted by; on pages that are open to everybody, whoever is not known counts by his network.
fn subject(per: Per, grant: &Grant, facts: &Facts) -> Option<Subject> {
    let network = Subject::Network(NetworkKey::of(facts.client.ip));
    let Some(bearer) = grant.bearer() else { return (per != Per::Key).then_some(network) };
    match (per, bearer.holder) {
        (Per::Address, _) => Some(network),
        (Per::User, _) => Some(Subject::User(bearer.owner().id)),
        (Per::Session, Holder::Session(sid)) => Some(Subject::Session(sid)),
        (Per::Session | Per::Key, Holder::Key(id)) => Some(Subject::Key(id)),
        (Per::Key, Holder::Session(_)) => None,
    }
}
