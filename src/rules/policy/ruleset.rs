//! Answering questions about requests. No allocation on this path.

use std::{collections::BTreeSet, time::Duration};

use super::{
    Levels, Page, Ruling,
    amendment::{Amendment, needs},
    trie::Trie,
};
use crate::clock::Wall;
use crate::rules::{
    api_key::Scope,
    facts::{Facts, Target},
    identity::Role,
    outcome::Access,
    reason::Reason,
    session::{Elevation, Factor},
};

/// A compiled policy. Immutable; replaced as a whole.
#[derive(Clone, Debug)]
pub struct RuleSet {
    pub(super) roles: Vec<Role>,
    pub(super) pages: Vec<Page>,
    pub(super) trie: Trie,
    pub(super) amendments: Vec<Vec<Amendment>>,
    pub(super) default: Option<Access>,
    pub(super) lasts: Duration,
    pub(super) methods: Vec<Factor>,
    pub(super) require_2fa: BTreeSet<Role>,
    pub(super) administer: BTreeSet<Role>,
}

/// What the policy says to a role about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allow {
        /// What the role may do with the page now.
        have: Access,
        /// Whether it could before the second factor.
        at_once: bool,
    },
    /// After the second factor.
    StepUp {
        /// Whether the page can be looked at meanwhile.
        readable: bool,
    },
    /// No.
    Deny(Reason),
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

/// No pages, no roles: nobody has access to anything.
impl Default for RuleSet {
    fn default() -> Self {
        let (roles, pages, trie, amendments, default, require_2fa, administer) = Default::default();
        let (lasts, methods) = (Duration::ZERO, vec![Factor::Totp, Factor::BackupCode]);
        Self { roles, pages, trie, amendments, default, lasts, methods, require_2fa, administer }
    }
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

    /// Whether a role's request is allowed, before the second factor or after it.
    pub fn verdict(&self, ruling: &Ruling<'_>, role: &Role, elevated: bool) -> Verdict {
        if !self.roles.contains(role) {
            return Verdict::Deny(Reason::UnknownRole);
        }
        let levels = self.levels(ruling.page, role);
        let have = if elevated { levels.elevated } else { levels.unelevated };
        if have >= ruling.needs {
            return Verdict::Allow { have, at_once: levels.unelevated >= ruling.needs };
        }
        if !elevated && levels.elevated >= ruling.needs {
            return Verdict::StepUp { readable: levels.unelevated >= Access::Read };
        }
        Verdict::Deny(if ruling.page.is_some() { Reason::RoleLacksAccess } else { Reason::NoPage })
    }

    /// Whether this role administers other accounts and may impersonate lower ones (`administer`).
    pub fn administers(&self, role: &Role) -> bool {
        self.administer.contains(role)
    }

    /// The roles that administer, mightiest first.
    pub fn administrators(&self) -> impl Iterator<Item = &Role> {
        self.roles.iter().filter(|role| self.administer.contains(*role))
    }

    /// Whether `high` stands above `low` in `roles`. A role that the policy does not know is below all others and
    /// above none.
    pub fn outranks(&self, high: &Role, low: &Role) -> bool {
        let rank = |role: &Role| self.roles.iter().position(|known| known == role);
        rank(high).is_some_and(|high| rank(low).is_none_or(|low| high < low))
    }

    /// Whether this is the mightiest role, the only one that switches High Security Mode.
    pub fn is_first(&self, role: &Role) -> bool {
        self.roles.first() == Some(role)
    }

    /// Every scope that pages name, sorted.
    pub fn scopes(&self) -> BTreeSet<Scope> {
        let named = |page: &Page| [page.scope_read.clone(), page.scope_write.clone()];
        self.pages.iter().flat_map(named).flatten().collect()
    }

    /// How long a second factor counts on a page.
    pub fn lasts(&self, page: Option<&Page>) -> Duration {
        page.map_or(self.lasts, |page| page.lasts)
    }

    /// Whether a proof by this factor elevates (`elevation.methods`).
    pub fn elevates_by(&self, factor: Factor) -> bool {
        self.methods.contains(&factor)
    }

    /// The end of a proof on a page; `None` if there is none, or none that elevates. May lie in the past.
    pub fn elevated_until(&self, page: Option<&Page>, proof: Option<Elevation>) -> Option<Wall> {
        let proof = proof.filter(|proof| self.elevates_by(proof.by))?;
        Some(proof.until(self.lasts(page)))
    }

    /// Whether this role reaches nothing but enrolment until a second factor is enrolled (`require_2fa`).
    pub fn requires_second_factor(&self, role: &Role) -> bool {
        self.require_2fa.contains(role)
    }
}
