//! Answering questions about requests. No allocation on this path.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{
    Circumstances, Levels, Page, RoleAccess, Ruling,
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
    /// Where each name is in `pages`.
    pub(super) names: HashMap<Arc<str>, usize>,
    pub(super) trie: Trie,
    pub(super) amendments: Vec<Vec<Amendment>>,
    pub(super) default: Option<Access>,
    pub(super) lasts: Duration,
    pub(super) methods: Vec<Factor>,
    pub(super) require_2fa: BTreeSet<Role>,
    pub(super) administer: BTreeSet<Role>,
    pub(super) version: Arc<str>,
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

impl<'m> Manner<'m> {
    /// How a request is made.
    pub fn of(facts: &'m Facts) -> Self {
        let (method, upgrade, method_override) = (&*facts.method, facts.upgrade, facts.method_override);
        Self { method, upgrade, method_override }
    }
}

/// No pages, no roles: nobody has access to anything.
impl Default for RuleSet {
    fn default() -> Self {
        let (roles, pages, names, trie, amendments, default) = Default::default();
        let (require_2fa, administer) = Default::default();
        let (lasts, methods) = (Duration::ZERO, vec![Factor::Totp, Factor::BackupCode]);
        let version = Arc::from("");
        Self {
            roles,
            pages,
            names,
            trie,
            amendments,
            default,
            lasts,
            methods,
            require_2fa,
            administer,
            version,
        }
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

    /// The page of this name.
    pub fn page(&self, name: &str) -> Option<&Page> {
        self.names.get(name).and_then(|index| self.pages.get(*index))
    }

    /// What this text of a policy is known by: the first 12 hexadecimal digits of its SHA-256.
    pub fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// The same rules, as compiled from `text`.
    pub fn compiled_from(self, text: &[u8]) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text);
        let hex = data_encoding::HEXLOWER.encode(digest.as_ref());
        Self { version: hex.get(..12).unwrap_or_default().into(), ..self }
    }

    /// What the policy says about this request. Looks at the path, the method, upgrade and override, and nothing else.
    pub fn rule(&self, facts: &Facts) -> Ruling<'_> {
        self.rule_for(&facts.target, Manner::of(facts))
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

    /// Whether a page covers a path by more than covering everything.
    pub fn has_own_page(&self, target: &Target) -> bool {
        self.trie.find_own(&target.segments).is_some()
    }

    /// The levels of a role on a page (`None`: where no page covers the path, the policy's default for everybody), as
    /// long as the conditions are met. A role that the policy does not know gets nothing.
    pub fn levels(&self, page: Option<&Page>, role: &Role) -> Levels {
        let nothing = Levels::nothing();
        if !self.roles.contains(role) {
            return nothing;
        }
        match (page, self.default) {
            (Some(page), _) => self.role_access(page, role).map_or(nothing, |access| access.levels),
            (None, Some(access)) => Levels { unelevated: access, elevated: access },
            (None, None) => nothing,
        }
    }

    /// What a role may do with a page; `None` for a role that the policy does not know.
    pub fn role_access<'p>(&self, page: &'p Page, role: &Role) -> Option<&'p RoleAccess> {
        let rank = self.roles.iter().position(|known| known == role)?;
        page.access.get(rank)
    }

    /// Whether a role's request is allowed, before the second factor or after it.
    pub fn verdict(
        &self,
        ruling: &Ruling<'_>,
        role: &Role,
        elevated: bool,
        circumstances: &Circumstances,
        manner: Manner<'_>,
    ) -> Verdict {
        if !self.roles.contains(role) {
            return Verdict::Deny(Reason::UnknownRole);
        }
        let levels = self.levels(ruling.page, role);
        if levels.elevated < ruling.needs {
            return Verdict::Deny(if ruling.page.is_some() {
                Reason::RoleLacksAccess
            } else {
                Reason::NoPage
            });
        }
        // Nobody is asked for a second factor that would not help.
        if let Some(unmet) = ruling.page.and_then(|page| self.unmet(page, role, circumstances, manner)) {
            return Verdict::Deny(unmet);
        }
        let have = if elevated { levels.elevated } else { levels.unelevated };
        if have >= ruling.needs {
            return Verdict::Allow { have, at_once: levels.unelevated >= ruling.needs };
        }
        Verdict::StepUp { readable: levels.unelevated >= Access::Read }
    }

    /// The first condition of the page, or of the role on it, that is not met.
    fn unmet(
        &self,
        page: &Page,
        role: &Role,
        circumstances: &Circumstances,
        manner: Manner<'_>,
    ) -> Option<Reason> {
        let own = self.role_access(page, role);
        let unmet = page.when.unmet(circumstances, manner);
        unmet.or_else(|| own.and_then(|own| own.when.unmet(circumstances, manner)))
    }

    /// Whether anything about a page depends on the country.
    pub fn asks_country(page: &Page) -> bool {
        page.when.countries.is_some() || page.access.iter().any(|access| access.when.countries.is_some())
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

    /// How long a role's second factor counts on a page.
    pub fn lasts(&self, page: Option<&Page>, role: &Role) -> Duration {
        let Some(page) = page else { return self.lasts };
        self.role_access(page, role).map_or(page.lasts, |access| access.lasts)
    }

    /// Whether a proof by this factor elevates (`elevation.methods`).
    pub fn elevates_by(&self, factor: Factor) -> bool {
        self.methods.contains(&factor)
    }

    /// The end of a proof on a page; `None` if there is none, or none that elevates. May lie in the past.
    pub fn elevated_until(&self, page: Option<&Page>, role: &Role, proof: Option<Elevation>) -> Option<Wall> {
        let proof = proof.filter(|proof| self.elevates_by(proof.by))?;
        Some(proof.until(self.lasts(page, role)))
    }

    /// The same where no page says otherwise.
    pub fn elevated_elsewhere_until(&self, proof: Option<Elevation>) -> Option<Wall> {
        let proof = proof.filter(|proof| self.elevates_by(proof.by))?;
        Some(proof.until(self.lasts))
    }

    /// Whether this role reaches nothing but enrolment until a second factor is enrolled (`require_2fa`).
    pub fn requires_second_factor(&self, role: &Role) -> bool {
        self.require_2fa.contains(role)
    }
}
