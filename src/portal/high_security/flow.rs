//! What the mode protects and what a switch of it changes. No I/O.

use std::sync::Arc;

use crate::rules::{
    identity::{Role, User},
    outcome::Access,
    policy::{Levels, Page, RuleSet},
};

/// One turn of the switch.
#[derive(Clone, Debug)]
pub(super) struct Switch {
    /// The account; `None` for the whole installation.
    pub(super) user: Option<Arc<User>>,
    /// Which way.
    pub(super) on: bool,
}

/// A protected page: some role gets more of it after the second factor.
pub(super) struct Protected<'p> {
    pub(super) page: &'p Page,
    /// In the order of the roles.
    pub(super) roles: Vec<(&'p Role, Levels)>,
}

/// What a role has at once on a page, before and after a switch.
pub(super) struct Change<'p> {
    pub(super) page: &'p str,
    pub(super) role: &'p Role,
    pub(super) before: Access,
    pub(super) after: Access,
}

/// The protected pages, in the order of the policy.
pub(super) fn protected(policy: &RuleSet) -> Vec<Protected<'_>> {
    let of = |page| {
        let roles = policy.roles().iter().map(|role| (role, policy.levels(Some(page), role))).collect();
        Protected { page, roles }
    };
    let differs = |protected: &Protected<'_>| protected.roles.iter().any(|(_, levels)| differ(*levels));
    policy.pages().iter().map(of).filter(differs).collect()
}

/// What a switch changes for those it is about. `role`: of the one account that it is about.
pub(super) fn changes<'p>(policy: &'p RuleSet, role: Option<&Role>, on: bool) -> Vec<Change<'p>> {
    let mut changes = Vec::new();
    for protected in protected(policy) {
        let about = protected.roles.into_iter().filter(|(one, _)| role.is_none_or(|role| role == *one));
        for (role, levels) in about.filter(|(_, levels)| differ(*levels)) {
            let (before, after) =
                if on { (levels.elevated, levels.unelevated) } else { (levels.unelevated, levels.elevated) };
            changes.push(Change { page: &protected.page.name, role, before, after });
        }
    }
    changes
}

fn differ(levels: Levels) -> bool {
    levels.unelevated < levels.elevated
}
