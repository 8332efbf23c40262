//! The policy: document → compiled rule set → what a role may do with a page.
//!
//! [`document`] mirrors the YAML, [`compile`] turns it into a [`RuleSet`] or a list of problems, [`ruleset`] answers
//! questions about requests, [`explain`] puts an answer into words.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    facts::{Ambiguity, Facts, Target},
    identity::Role,
    outcome::Access,
};

/// A compiled policy. Immutable; replaced as a whole.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// Mightiest first.
    roles: Vec<Role>,
    pages: Vec<Page>,
}

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
    /// How long a second factor counts here.
    pub lasts: Duration,
    /// The ambiguity classes this page opens (R4).
    pub allow_in_path: BTreeSet<Ambiguity>,
    /// Levels by the index of the role in [`RuleSet::roles`].
    pub levels: Vec<Levels>,
    /// What an API key needs to look, if keys may.
    pub scope_read: Option<Arc<str>>,
    /// What an API key needs to change, if keys may.
    pub scope_write: Option<Arc<str>>,
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

impl RuleSet {
    /// The roles, mightiest first.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// All pages in the order of the file.
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// What the policy says about this request. Looks at the path, the method, upgrade and override, and nothing else.
    pub fn rule(&self, facts: &Facts) -> Ruling<'_> {
        let _ = facts;
        Ruling { page: None, needs: Access::Full }
    }

    /// The page that covers a path.
    pub fn page_for(&self, target: &Target) -> Option<&Page> {
        let _ = target;
        None
    }

    /// The levels of a role on a page (`None`: where no page covers the path, the policy's default for everybody).
    /// A role that the policy does not know gets nothing.
    pub fn levels(&self, page: Option<&Page>, role: &Role) -> Levels {
        let _ = (page, role);
        Levels { unelevated: Access::None, elevated: Access::None }
    }

    /// How long a second factor counts on a page.
    pub fn lasts(&self, page: Option<&Page>) -> Duration {
        page.map_or(Duration::from_secs(900), |page| page.lasts)
    }

    /// Whether this role reaches nothing but enrolment until a second factor is enrolled (`require_2fa`).
    pub fn requires_second_factor(&self, role: &Role) -> bool {
        let _ = role;
        false
    }
}
