//! How the configuration in force came to be, and why a newer one may not be: for `/readyz`, metrics, pages and the
//! command line.

use std::sync::Arc;

use crate::clock::Wall;

/// What became of the last reloads. Nothing in it is secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadState {
    /// When what is in force was loaded.
    pub at: Wall,
    /// The first 12 hex digits of the SHA-256 over all files that what is in force was read from.
    pub digest: Arc<str>,
    /// What the last reload changed, a line each: keys of the configuration, and cells of policies.
    pub changes: Vec<String>,
    /// Keys whose change counts only after a restart, a line each.
    pub waiting: Vec<String>,
    /// Why the newest configuration is not in force, if it is not.
    pub problem: Option<ReloadProblem>,
    /// Reloads that succeeded since the start.
    pub done: u64,
    /// Reloads that failed since the start.
    pub failed: u64,
}

/// A configuration that is not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadProblem {
    /// When it was refused.
    pub at: Wall,
    /// Everything that is wrong, as `panelgate check` shows it.
    pub what: String,
}
