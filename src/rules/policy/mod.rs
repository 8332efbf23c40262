//! The policy: document → compiled rule set → what a role may do with a page.

mod amendment;
mod case;
mod compile;
mod conditions;
pub mod diff;
mod document;
mod explain;
mod lint;
mod pattern;
mod question;
mod quota;
mod reach;
mod ruleset;
mod sheet;
mod spoken;
pub mod testing;
#[cfg(test)]
mod tests;
mod trie;
mod why;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

pub(in crate::rules) use self::pattern::Pattern;
pub use self::{
    case::{ActingAs, Answer, Case, Decided, Sitting, Who},
    compile::compile,
    conditions::{Circumstances, Conditions, Hours},
    explain::{Explanation, explain},
    question::{Asked, Question},
    quota::{PageQuota, Per},
    ruleset::{Manner, RuleSet, Verdict},
    sheet::PageLines,
    spoken::Fact,
    why::Held,
};
use super::{facts::Ambiguity, outcome::Access};

/// One page of a compiled policy.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its name.
    pub name: Arc<str>,
    /// The file it stands in, as given to the loader.
    pub file: Arc<str>,
    /// The line of the page's entry, from 1.
    pub line: u32,
    /// What everybody may do, signed in or not.
    pub anonymous: Access,
    /// What must be true of every request to it, whoever makes it.
    pub when: Conditions,
    /// How long a second factor counts here, unless a role has a time of its own.
    pub lasts: Duration,
    /// How often it may be used.
    pub quotas: Vec<PageQuota>,
    /// The ambiguity classes this page opens (R4).
    pub allow_in_path: BTreeSet<Ambiguity>,
    /// Whether the panel's pages say here that they are read-only, or verified for a while.
    pub bar: bool,
    /// What each role may do, by its index in [`RuleSet::roles`].
    pub access: Vec<RoleAccess>,
    /// What an API key needs to look, if keys may.
    pub scope_read: Option<Arc<str>>,
    /// What an API key needs to change, if keys may.
    pub scope_write: Option<Arc<str>>,
}

/// What a role may do with a page, and on which terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAccess {
    /// Before and after the second factor, as long as all conditions are met.
    pub levels: Levels,
    /// What must be true besides the conditions of the page.
    pub when: Conditions,
    /// How long a second factor counts for this role here.
    pub lasts: Duration,
    /// Quotas besides those of the page.
    pub quotas: Vec<PageQuota>,
}

impl Page {
    /// Whether what somebody may do here hangs on the country that they come from.
    pub fn asks_for_country(&self) -> bool {
        let mut all = self.access.iter().map(|access| &access.when).chain([&self.when]);
        all.any(|when| when.countries.is_some())
    }
}

/// What a role may do with a page before and after the second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// Before.
    pub unelevated: Access,
    /// After; at least as much.
    pub elevated: Access,
}

/// What the policy says about one request, whoever makes it.
#[derive(Clone, Copy, Debug)]
pub struct Ruling<'a> {
    /// The page that covers the path, or `None` where the default applies.
    pub page: Option<&'a Page>,
    /// The access that this request needs: `Read` or `Full`.
    pub needs: Access,
}

impl Levels {
    /// Nothing, whatever is proved.
    pub(super) const fn nothing() -> Self {
        Self { unelevated: Access::None, elevated: Access::None }
    }
}
