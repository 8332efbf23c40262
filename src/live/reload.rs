//! How the configuration in force came to be, and why a newer one may not be: for `/readyz`, metrics, pages and the
//! command line.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use super::Live;
use crate::{clock::Wall, rules::policy::diff::Totals};

/// What became of the last reloads. Nothing in it is secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadState {
    /// When what is in force was loaded.
    pub at: Wall,
    /// The first 12 hex digits of the SHA-256 over all files that what is in force was read from.
    pub digest: Arc<str>,
    /// What the last reload changed, a line each, the first of them: keys of the configuration, and cells of policies.
    pub changes: Vec<String>,
    /// How many keys of the configuration it changed.
    pub keys: usize,
    /// How many cells of policies it changed.
    pub cells: Totals,
    /// Whether all of what it changed is known; comparing large policies is given up after a while.
    pub compared: bool,
    /// Keys whose change counts only after a restart, by name.
    pub waiting: Vec<String>,
    /// Why the newest configuration is not in force, if it is not.
    pub problem: Option<ReloadProblem>,
    /// Why the last process that was to take over did not, until a reload mends it or another one is started.
    pub not_replaced: Option<ReloadProblem>,
    /// What is not as its file or address has it now: the last good one stays. By what it is.
    pub stale: BTreeMap<String, ReloadProblem>,
    /// Why nothing can be accounted for, if so.
    pub unaccounted: Option<ReloadProblem>,
    /// Reloads that succeeded since the start.
    pub done: u64,
    /// Reloads that failed since the start.
    pub failed: u64,
}

/// Something that is not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadProblem {
    /// When it was refused.
    pub at: Wall,
    /// Everything that is wrong, as `panelgate check` shows it.
    pub what: String,
}

impl Live {
    /// Notes what is in force from the start. What the audit trail has said before stands.
    pub fn note_started(&self, at: Wall, digest: &Arc<str>) {
        self.reload.rcu(|state| ReloadState {
            at,
            digest: Arc::clone(digest),
            compared: true,
            unaccounted: state.unaccounted.clone(),
            ..ReloadState::default()
        });
    }

    /// Notes that a process that was to take over did not, or, without a problem, that this is no news any more.
    pub fn note_not_replaced(&self, problem: Option<ReloadProblem>) {
        self.reload.rcu(|state| ReloadState { not_replaced: problem.clone(), ..ReloadState::clone(state) });
    }

    /// Notes that the audit trail takes no records, or, without a problem, that it does.
    pub fn note_unaccounted(&self, problem: Option<ReloadProblem>) {
        self.reload.rcu(|state| ReloadState { unaccounted: problem.clone(), ..ReloadState::clone(state) });
    }

    /// Notes that something cannot be taken as its file or address has it now, or, without a problem, that it could.
    /// Whether that is news.
    pub fn note_stale(&self, what: &str, problem: Option<ReloadProblem>) -> bool {
        let before = self.reload.rcu(|state| {
            let mut state = ReloadState::clone(state);
            match &problem {
                Some(problem) => state.stale.insert(what.to_owned(), problem.clone()),
                None => state.stale.remove(what),
            };
            state
        });
        let known = before.stale.get(what).map(|known| known.what.as_str());
        known != problem.as_ref().map(|problem| problem.what.as_str())
    }
}
