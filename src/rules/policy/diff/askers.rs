//! All who may ask, as classes: two of a class are the same to both policies.

use std::{collections::BTreeSet, time::Duration};

use serde::{Serialize, Serializer};

use super::super::{Asked, Page, RuleSet, question::factor_word};
use crate::{
    clock::Wall,
    rules::{
        api_key::Scope,
        identity::Role,
        session::{Elevation, Factor},
        written::spell_duration,
    },
};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Everybody, whoever he is: limits of a page.
    Everybody,
    /// Nobody who is known. A role that neither policy knows is answered alike.
    Nobody,
    /// Somebody with a session, before the second factor and after it. Who acts for an account is answered as its role
    /// is; that he may only look can hide a change and never makes one.
    Session {
        /// His role.
        role: Role,
        /// Whether he has a second factor, where that matters.
        enrolled: Option<bool>,
    },
    /// Somebody whose second factor counts under one of the policies alone.
    Between {
        /// His role.
        role: Role,
        /// Whether he has a second factor now, where that matters.
        enrolled: Option<bool>,
        /// How and how long ago he proved it.
        proofs: Vec<Proof>,
    },
    /// An API key.
    Key {
        /// The role of its owner.
        role: Role,
        /// Whether the owner has a second factor, where that matters.
        enrolled: Option<bool>,
        /// Which of the scopes that matter it has.
        scopes: BTreeSet<Scope>,
        /// Which of them it has not.
        lacks: BTreeSet<Scope>,
    },
}

/// Proofs of a second factor that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// By what.
    pub by: Factor,
    /// At least so long ago.
    pub from: Duration,
    /// Less than so long ago.
    pub to: Duration,
}

/// How somebody of a class is made.
#[derive(Clone, Debug)]
pub(super) struct Model {
    who: Kind,
    role: Role,
    enrolled: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    Nobody,
    Plain,
    Relaxed,
    Proved(Factor, Duration),
    Key(Vec<Scope>),
}

impl Model {
    pub(super) fn asked(&self, at: Wall) -> Asked {
        let (role, enrolled) = (Role::clone(&self.role), self.enrolled);
        let session = |proof, relaxed| Asked::Session {
            role: Role::clone(&role),
            enrolled,
            proof,
            relaxed,
            acting: None,
        };
        match &self.who {
            Kind::Nobody => Asked::Nobody,
            Kind::Plain => session(None, false),
            Kind::Relaxed => session(None, true),
            Kind::Proved(by, ago) => {
                let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
                let at = Wall::from_millis(at.millis().saturating_sub(ago));
                session(Some(Elevation { at, by: *by }), false)
            }
            Kind::Key(scopes) => Asked::Key { role, enrolled, scopes: scopes.clone() },
        }
    }
}

/// Both policies, and what each has for the requests that are looked at.
#[derive(Clone, Copy)]
pub(super) struct Pair<'r> {
    pub(super) rules: (&'r RuleSet, &'r RuleSet),
    pub(super) pages: (Option<&'r Page>, Option<&'r Page>),
}

impl Pair<'_> {
    /// One of every class, with a model of each of its levels. `None` is nobody.
    pub(super) fn askers(&self, role: Option<&Role>) -> Vec<(Asker, Vec<Model>)> {
        let Some(role) = role else {
            let model = Model { who: Kind::Nobody, role: Role::from(""), enrolled: false };
            return vec![(Asker::Nobody, vec![model])];
        };
        let (a, b) = self.rules;
        let matters = a.requires_second_factor(role) || b.requires_second_factor(role);
        let choices: &[Option<bool>] = if matters { &[Some(true), Some(false)] } else { &[None] };
        choices.iter().flat_map(|enrolled| self.askers_of(role, *enrolled)).collect()
    }

    fn askers_of(&self, role: &Role, enrolled: Option<bool>) -> Vec<(Asker, Vec<Model>)> {
        let model = |who| Model { who, role: Role::clone(role), enrolled: enrolled.unwrap_or(true) };
        let role = || Role::clone(role);
        let (both, between) = self.proofs(&role());
        let verified = model(both.map_or(Kind::Relaxed, |by| Kind::Proved(by, Duration::ZERO)));
        let mut all = vec![(Asker::Session { role: role(), enrolled }, vec![model(Kind::Plain), verified])];
        for proofs in between {
            if let Some(proof) = proofs.first() {
                let models = vec![model(Kind::Proved(proof.by, proof.from))];
                all.push((Asker::Between { role: role(), enrolled, proofs }, models));
            }
        }
        for (scopes, lacks) in self.scopes() {
            let models = vec![model(Kind::Key(scopes.iter().cloned().collect()))];
            all.push((Asker::Key { role: role(), enrolled, scopes, lacks }, models));
        }
        all
    }

    /// A factor that counts under both, and the proofs that count under the first alone and the second alone.
    fn proofs(&self, role: &Role) -> (Option<Factor>, [Vec<Proof>; 2]) {
        let lasts = |rules: &RuleSet, page, by| {
            if rules.elevates_by(by) { rules.lasts(page, role) } else { Duration::ZERO }
        };
        let (mut both, mut first, mut second) = (None, Vec::new(), Vec::new());
        for by in [Factor::Totp, Factor::BackupCode] {
            let (a, b) = (lasts(self.rules.0, self.pages.0, by), lasts(self.rules.1, self.pages.1, by));
            if !a.min(b).is_zero() {
                both = both.or(Some(by));
            }
            let proof = Proof { by, from: a.min(b), to: a.max(b) };
            match a.cmp(&b) {
                std::cmp::Ordering::Greater => first.push(proof),
                std::cmp::Ordering::Less => second.push(proof),
                std::cmp::Ordering::Equal => {}
            }
        }
        (both, [first, second])
    }

    /// What a key may have and lack of the scopes that either page names.
    fn scopes(&self) -> Vec<(BTreeSet<Scope>, BTreeSet<Scope>)> {
        let pages = [self.pages.0, self.pages.1].into_iter().flatten();
        let named: BTreeSet<Scope> =
            pages.flat_map(|page| [page.scope_read.clone(), page.scope_write.clone()]).flatten().collect();
        let mut ways = vec![(BTreeSet::new(), BTreeSet::new())];
        for scope in named {
            let mut more = ways.clone();
            for (has, _) in &mut more {
                has.insert(Scope::clone(&scope));
            }
            for (_, lacks) in &mut ways {
                lacks.insert(Scope::clone(&scope));
            }
            ways.extend(more);
        }
        ways
    }
}

impl std::fmt::Display for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let factor = |enrolled: &Option<bool>| match enrolled {
            Some(true) => " with a second factor set up",
            Some(false) => " without a second factor set up",
            None => "",
        };
        match self {
            Self::Everybody => f.write_str("everybody"),
            Self::Nobody => f.write_str("not signed in"),
            Self::Session { role, enrolled } => write!(f, "{role}{}", factor(enrolled)),
            Self::Between { role, enrolled, proofs } => {
                let spell = |proof: &Proof| {
                    let (from, to) = (spell_duration(proof.from), spell_duration(proof.to));
                    if proof.from.is_zero() {
                        format!("with {} less than {to} ago", factor_word(proof.by))
                    } else {
                        format!("with {} {from} to {to} ago", factor_word(proof.by))
                    }
                };
                let proofs: Vec<String> = proofs.iter().map(spell).collect();
                write!(f, "{role}{} verified {}", factor(enrolled), proofs.join(" or "))
            }
            Self::Key { role, enrolled, scopes, .. } => {
                let scopes: Vec<&str> = scopes.iter().map(|scope| &**scope).collect();
                let scopes = if scopes.is_empty() {
                    "without a scope".to_owned()
                } else {
                    format!("with {}", scopes.join(", "))
                };
                write!(f, "key of {role}{} {scopes}", factor(enrolled))
            }
        }
    }
}

impl Serialize for Asker {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Asker {
    /// The role that it is about; `None` for everybody and nobody.
    pub fn role(&self) -> Option<&Role> {
        match self {
            Self::Everybody | Self::Nobody => None,
            Self::Session { role, .. } | Self::Between { role, .. } | Self::Key { role, .. } => Some(role),
        }
    }
}
