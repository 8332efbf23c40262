//! Answering questions about requests. No allocation on this path.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{Levels, Page, Ruling, pattern::Pattern, trie::Trie};
use crate::rules::{
    facts::{Facts, Target},
    identity::Role,
    outcome::Access,
};

/// A compiled policy. Immutable; replaced as a whole.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    pub(super) roles: Vec<Role>,
    pub(super) pages: Vec<Page>,
    pub(super) trie: Trie,
    pub(super) amendments: Vec<Vec<Amendment>>,
    pub(super) default: Option<Access>,
    pub(super) lasts: Duration,
    pub(super) require_2fa: BTreeSet<Role>,
}

/// How a request is made, as far as the policy cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner<'m> {
    /// Case-sensitive.
    pub method: &'m str,
    /// Whether it asks for an upgrade.
    pub upgrade: bool,
    /// Whether anything in it overrides the method.
    pub method_override: bool,
}

/// One line of a page's `reads` or `writes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Amendment {
    pub(super) method: Arc<str>,
    pub(super) pattern: Pattern,
    pub(super) needs: Access,
}

/// The method that stands for a WebSocket handshake in `reads` and `writes`.
pub(super) const WEBSOCKET: &str = "WEBSOCKET";

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
        let (method, upgrade, method_override) = (&*facts.method, facts.upgrade, facts.method_override);
        self.rule_for(&facts.target, Manner { method, upgrade, method_override })
    }

    /// The same for a request that is only spoken of.
    pub fn rule_for(&self, target: &Target, manner: Manner<'_>) -> Ruling<'_> {
        let index = self.trie.find(&target.segments);
        let page = index.and_then(|index| self.pages.get(index));
        let amendments = index.and_then(|index| self.amendments.get(index)).map_or(&[][..], Vec::as_slice);
        Ruling { page, needs: needs(target, manner, amendments) }
    }

    /// The page that covers a path.
    pub fn page_for(&self, target: &Target) -> Option<&Page> {
        self.trie.find(&target.segments).and_then(|index| self.pages.get(index))
    }

    /// The levels of a role on a page (`None`: where no page covers the path, the policy's default for everybody).
    /// A role that the policy does not know gets nothing.
    pub fn levels(&self, page: Option<&Page>, role: &Role) -> Levels {
        let nothing = Levels { unelevated: Access::None, elevated: Access::None };
        let Some(rank) = self.roles.iter().position(|known| known == role) else { return nothing };
        match (page, self.default) {
            (Some(page), _) => page.levels.get(rank).copied().unwrap_or(nothing),
            (None, Some(access)) => Levels { unelevated: access, elevated: access },
            (None, None) => nothing,
        }
    }

    /// How long a second factor counts on a page.
    pub fn lasts(&self, page: Option<&Page>) -> Duration {
        page.map_or(self.lasts, |page| page.lasts)
    }

    /// Whether this role reaches nothing but enrolment until a second factor is enrolled (`require_2fa`).
    pub fn requires_second_factor(&self, role: &Role) -> bool {
        self.require_2fa.contains(role)
    }
}

/// A method override is a write whatever the policy says: what the panel will see is not what we see (R36).
///
/// A field of an upgrade is as easily sent as any other, and what reaches the panel may be a plain request: a line for
/// `WEBSOCKET` speaks of a GET only, and never gives more than that GET would have without the upgrade.
fn needs(target: &Target, manner: Manner<'_>, amendments: &[Amendment]) -> Access {
    let amended = |method: &str| {
        amendments
            .iter()
            .find(|line| &*line.method == method && line.pattern.covers(target))
            .map(|line| line.needs)
    };
    let plain = match manner.method {
        // Nobody's method: the name stands for a handshake in the policy, not on the wire.
        WEBSOCKET => Access::Full,
        safe @ ("GET" | "HEAD" | "OPTIONS") => amended(safe).unwrap_or(Access::Read),
        other => amended(other).unwrap_or(Access::Full),
    };
    match manner {
        Manner { method_override: true, .. } => Access::Full,
        Manner { upgrade: false, .. } => plain,
        Manner { method: "GET", .. } => amended(WEBSOCKET).unwrap_or(Access::Full).max(plain),
        Manner { .. } => Access::Full,
    }
}
