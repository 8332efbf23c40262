//! A request that may be changed and asked again.

use std::time::Duration;

use super::Change;
use crate::{
    clock::Wall,
    rules::{
        api_key::Scope,
        facts::Target,
        identity::Role,
        outcome::Access,
        policy::{ActingAs, Answer, Case, Circumstances, Conditions, Manner, Page, RuleSet, Sitting, Who},
        session::{Elevation, Factor},
    },
};

/// How many networks or countries of a condition are tried.
const ALTERNATIVES: usize = 16;
/// How far ahead an hour that fits is looked for, and how finely.
const AHEAD: Duration = Duration::from_secs(8 * 24 * 3600);
const STEP: Duration = Duration::from_secs(15 * 60);

/// A case that owns what may change.
#[derive(Clone)]
pub(super) struct Trial<'c> {
    target: &'c Target,
    method: String,
    upgrade: bool,
    method_override: bool,
    circumstances: Circumstances,
    who: Whom,
    /// The factor that elevates.
    factor: Factor,
}

#[derive(Clone)]
enum Whom {
    Nobody,
    Session { role: Role, enrolled: bool, proof: Option<Elevation>, relaxed: bool, acting: Option<Acting> },
    Key { role: Role, enrolled: bool, scopes: Vec<Scope> },
}

#[derive(Clone)]
enum Acting {
    For(Role, bool),
    Over,
}

impl<'c> Trial<'c> {
    pub(super) fn of(policy: &RuleSet, case: &Case<'c>) -> Self {
        let who = match case.who {
            Who::Nobody => Whom::Nobody,
            Who::Key { role, enrolled, scopes } => {
                Whom::Key { role: Role::clone(role), enrolled, scopes: scopes.to_vec() }
            }
            Who::Session(Sitting { role, enrolled, proof, relaxed, acting }) => Whom::Session {
                role: Role::clone(role),
                enrolled,
                proof,
                relaxed,
                acting: acting.map(|acting| match acting {
                    ActingAs::Account { role, write } => Acting::For(Role::clone(role), write),
                    ActingAs::Over => Acting::Over,
                }),
            },
        };
        let Manner { method, upgrade, method_override } = case.manner;
        let (target, circumstances) = (case.target, case.circumstances);
        let factor = if policy.elevates_by(Factor::Totp) { Factor::Totp } else { Factor::BackupCode };
        Self { target, method: method.to_owned(), upgrade, method_override, circumstances, who, factor }
    }

    pub(super) fn is_allowed(&self, policy: &RuleSet) -> bool {
        let manner = self.manner();
        let who = match &self.who {
            Whom::Nobody => Who::Nobody,
            Whom::Key { role, enrolled, scopes } => Who::Key { role, enrolled: *enrolled, scopes },
            Whom::Session { role, enrolled, proof, relaxed, acting } => Who::Session(Sitting {
                role,
                enrolled: *enrolled,
                proof: *proof,
                relaxed: *relaxed,
                acting: acting.as_ref().map(|acting| match acting {
                    Acting::For(role, write) => ActingAs::Account { role, write: *write },
                    Acting::Over => ActingAs::Over,
                }),
            }),
        };
        let case = Case { target: self.target, manner, circumstances: self.circumstances, who };
        matches!(policy.decide(&case).answer, Answer::Allow { .. })
    }

    /// Whether a change makes sense for whoever asks.
    pub(super) fn takes(&self, change: &Change) -> bool {
        match (change, &self.who) {
            // Only what is set up can be proved.
            (Change::SecondFactor, Whom::Session { enrolled, .. }) => *enrolled,
            (Change::Enrol, Whom::Session { enrolled, .. } | Whom::Key { enrolled, .. }) => !*enrolled,
            (Change::EndActing, Whom::Session { acting, .. }) => acting.is_some(),
            (Change::WriteActing, Whom::Session { acting, .. }) => {
                matches!(acting, Some(Acting::For(_, false)))
            }
            (Change::SignIn(_), Whom::Nobody)
            | (Change::Role(_), Whom::Session { acting: None, .. } | Whom::Key { .. })
            | (Change::Scope(_) | Change::Session, Whom::Key { .. })
            | (Change::From(_) | Change::In(_) | Change::At(_) | Change::Method(_), _) => true,
            _ => false,
        }
    }

    pub(super) fn with(&self, change: &Change) -> Self {
        let mut next = self.clone();
        match change {
            Change::SignIn(roles) => {
                if let Some(role) = roles.first().cloned() {
                    next.who =
                        Whom::Session { role, enrolled: true, proof: None, relaxed: false, acting: None };
                }
            }
            Change::From(nets) => next.circumstances.client = nets.first().map(ipnet::IpNet::addr),
            Change::In(countries) => next.circumstances.country = countries.first().copied(),
            Change::At(at) => next.move_to(*at),
            Change::Method(methods) => {
                next.method = methods.first().cloned().unwrap_or_default();
                (next.upgrade, next.method_override) = (false, false);
            }
            Change::Enrol
            | Change::SecondFactor
            | Change::Role(_)
            | Change::Scope(_)
            | Change::Session
            | Change::EndActing
            | Change::WriteActing => {
                let proof = Elevation { at: self.circumstances.at, by: self.factor };
                next.who = self.who.with(change, proof);
            }
        }
        next
    }

    /// An elevation that counts now is taken along: it can be renewed then.
    fn move_to(&mut self, at: Wall) {
        if let Whom::Session { proof: Some(proof), .. } = &mut self.who {
            let age = self.circumstances.at.since(proof.at);
            proof.at =
                Wall::from_millis(at.millis().saturating_sub(u64::try_from(age.as_millis()).unwrap_or(0)));
        }
        self.circumstances.at = at;
    }

    /// Everything that could be different, one alternative at a time.
    pub(super) fn changes(&self, policy: &RuleSet) -> Vec<Change> {
        let ruling = policy.rule_for(self.target, self.manner());
        let mut changes: Vec<Change> =
            policy.roles().iter().map(|role| Change::SignIn(vec![Role::clone(role)])).collect();
        let own =
            [Change::Session, Change::EndActing, Change::WriteActing, Change::Enrol, Change::SecondFactor];
        changes.extend(own);
        let own = self.who.role();
        let others = policy.roles().iter().filter(|role| Some(*role) != own);
        changes.extend(others.map(|role| Change::Role(vec![Role::clone(role)])));
        if let Some(page) = ruling.page {
            changes.extend(self.circumstances_for(policy, page));
            changes.extend(scope(page, ruling.needs).map(|scope| Change::Scope(vec![scope])));
        }
        changes
    }

    /// The alternatives that the conditions of a page name, those of the roles on it included.
    fn circumstances_for(&self, policy: &RuleSet, page: &Page) -> Vec<Change> {
        let conditions = || std::iter::once(&page.when).chain(page.access.iter().map(|access| &access.when));
        let mut changes = Vec::new();
        let networks = conditions().filter_map(|when| when.networks.as_ref()).flatten();
        changes.extend(networks.take(ALTERNATIVES).map(|net| Change::From(vec![*net])));
        let countries = conditions().filter_map(|when| when.countries.as_ref()).flatten();
        changes.extend(countries.take(ALTERNATIVES).map(|country| Change::In(vec![*country])));
        let methods = conditions().filter_map(|when| when.methods.as_ref()).flatten();
        let methods = methods.filter(|method| method.as_ref() != "WEBSOCKET").take(ALTERNATIVES);
        changes.extend(methods.map(|method| Change::Method(vec![method.to_string()])));
        let own = self.who.role().and_then(|role| policy.role_access(page, role)).map(|access| &access.when);
        changes.extend(self.next_hour(std::iter::once(&page.when).chain(own)).map(Change::At));
        let mut known: Vec<Change> = Vec::new();
        changes.retain(|change| {
            !known.contains(change) && {
                known.push(change.clone());
                true
            }
        });
        changes
    }

    /// The next time at which all conditions on the hour are met.
    fn next_hour<'p>(&self, conditions: impl Iterator<Item = &'p Conditions>) -> Option<Wall> {
        let hours: Vec<_> = conditions.filter_map(|when| when.hours.as_ref()).collect();
        if hours.is_empty() {
            return None;
        }
        let quarter = u64::try_from(STEP.as_millis()).unwrap_or(1);
        let first = Wall::from_millis((self.circumstances.at.millis() / quarter + 1) * quarter);
        let steps = u32::try_from(AHEAD.as_secs() / STEP.as_secs()).unwrap_or(0);
        let fits = |at: &Wall| hours.iter().all(|some| some.iter().any(|hours| hours.cover(*at)));
        (0..steps).map(|step| first.plus(STEP * step)).find(fits)
    }

    fn manner(&self) -> Manner<'_> {
        Manner { method: &self.method, upgrade: self.upgrade, method_override: self.method_override }
    }
}

impl Whom {
    fn role(&self) -> Option<&Role> {
        match self {
            Self::Nobody => None,
            Self::Session { role, .. } | Self::Key { role, .. } => Some(role),
        }
    }

    fn with(&self, change: &Change, fresh: Elevation) -> Self {
        let mut next = self.clone();
        match (change, &mut next) {
            (Change::Enrol, Self::Session { enrolled, .. } | Self::Key { enrolled, .. }) => *enrolled = true,
            (Change::SecondFactor, Self::Session { proof, .. }) => {
                *proof = Some(fresh);
            }
            (Change::Role(roles), Self::Session { role, .. } | Self::Key { role, .. }) => {
                if let Some(other) = roles.first() {
                    *role = Role::clone(other);
                }
            }
            (Change::EndActing, Self::Session { acting, .. }) => *acting = None,
            (Change::WriteActing, Self::Session { acting: Some(Acting::For(_, write)), .. }) => *write = true,
            (Change::Scope(more), Self::Key { scopes, .. }) => scopes.extend(more.iter().cloned()),
            (Change::Session, Self::Key { role, enrolled, .. }) => {
                let (role, enrolled) = (Role::clone(role), *enrolled);
                next = Self::Session { role, enrolled, proof: None, relaxed: false, acting: None };
            }
            _ => {}
        }
        next
    }
}

/// The scope that a key needs for this, if keys may at all.
fn scope(page: &Page, needs: Access) -> Option<Scope> {
    if needs == Access::Full { page.scope_write.clone() } else { page.scope_read.clone() }
}
