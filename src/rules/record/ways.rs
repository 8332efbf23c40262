//! What would have allowed a refused request, found by trying: the smallest changes to who asks, from where and when.

mod trial;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use self::trial::Trial;
use super::Record;
use crate::{
    clock::Wall,
    rules::{
        api_key::Scope,
        identity::Role,
        place::Country,
        policy::{Answer, Case, RuleSet},
    },
};

/// How many things may have to change at once; more is no advice.
const DEPTH: usize = 3;
/// How many combinations are tried.
const TRIES: usize = 4_000;

/// One thing that is different. Lists are alternatives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Signing in, as somebody of one of these roles.
    SignIn(Vec<Role>),
    /// Setting up a second factor.
    Enrol,
    /// Proving the second factor.
    SecondFactor,
    /// Another role.
    Role(Vec<Role>),
    /// Coming from one of these networks.
    From(Vec<IpNet>),
    /// Coming from one of these countries.
    In(Vec<Country>),
    /// Coming again at this time.
    At(Wall),
    /// Another method.
    Method(Vec<String>),
    /// This scope for the API key.
    Scope(Vec<Scope>),
    /// A session in place of the API key: the page is for none.
    Session,
    /// Ending the impersonation.
    EndActing,
    /// An impersonation that allows changes.
    WriteActing,
}

/// What has to be different, all of it.
pub type Way = Vec<Change>;

impl Record {
    /// What would make `policy` allow this request.
    pub fn ways(&self, policy: &RuleSet) -> Vec<Way> {
        self.case().map_or_else(Vec::new, |case| ways(policy, &case))
    }
}

/// What would make a policy allow a request: the fewest changes that do, without a change of role and with one. Empty if
/// it is allowed, or if nothing helps.
pub fn ways(policy: &RuleSet, case: &Case<'_>) -> Vec<Way> {
    let start = Trial::of(policy, case);
    if start.is_allowed(policy) || policy.decide(case).answer == Answer::BadRequest {
        return Vec::new();
    }
    let changes = start.changes(policy);
    let (roles, others): (Vec<_>, Vec<_>) =
        changes.into_iter().partition(|change| matches!(change, Change::Role(_)));
    let mut tries = TRIES;
    let mut found = fewest(policy, &start, &others, &mut tries);
    let with_role = roles.iter().flat_map(|role| {
        let after = start.with(role);
        let rest = if after.is_allowed(policy) {
            vec![Vec::new()]
        } else {
            fewest(policy, &after, &after.changes(policy), &mut tries)
        };
        rest.into_iter().map(|rest| [vec![role.clone()], rest].concat()).collect::<Vec<_>>()
    });
    let with_role: Vec<Way> = with_role.collect();
    // Nobody is advised to become somebody else where less would do.
    let least = found.iter().chain(&with_role).map(Vec::len).min().unwrap_or(0);
    found.extend(with_role.into_iter().filter(|way| way.len() == least));
    merge(found)
}

/// The smallest sets of changes that lead to a yes.
fn fewest(policy: &RuleSet, start: &Trial<'_>, changes: &[Change], tries: &mut usize) -> Vec<Way> {
    for depth in 1..=DEPTH {
        let mut found = Vec::new();
        search(policy, start, changes, depth, &mut Vec::new(), &mut found, tries);
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

fn search(
    policy: &RuleSet,
    trial: &Trial<'_>,
    changes: &[Change],
    depth: usize,
    way: &mut Way,
    found: &mut Vec<Way>,
    tries: &mut usize,
) {
    for (index, change) in changes.iter().enumerate() {
        if *tries == 0 || way.iter().any(|before| same_kind(before, change)) || !trial.takes(change) {
            continue;
        }
        *tries -= 1;
        let next = trial.with(change);
        way.push(change.clone());
        if depth == 1 {
            if next.is_allowed(policy) {
                found.push(way.clone());
            }
        } else {
            let rest = changes.get(index + 1..).unwrap_or_default();
            search(policy, &next, rest, depth - 1, way, found, tries);
        }
        way.pop();
    }
}

fn same_kind(a: &Change, b: &Change) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// Ways that differ in one list become one way with the longer list.
fn merge(ways: Vec<Way>) -> Vec<Way> {
    let mut merged: Vec<Way> = Vec::new();
    for way in ways {
        if !merged.iter_mut().any(|into| absorb(into, &way)) {
            merged.push(way);
        }
    }
    merged
}

fn absorb(into: &mut Way, way: &Way) -> bool {
    if into.len() != way.len() || !into.iter().zip(way).all(|(a, b)| same_kind(a, b)) {
        return false;
    }
    let mut different = into.iter_mut().zip(way).filter(|(a, b)| a != b);
    match (different.next(), different.next()) {
        (None, _) => true,
        (Some((a, b)), None) => join(a, b),
        (Some(_), Some(_)) => false,
    }
}

fn join(into: &mut Change, more: &Change) -> bool {
    match (into, more) {
        (Change::SignIn(a), Change::SignIn(b)) | (Change::Role(a), Change::Role(b)) => {
            a.extend(b.iter().cloned());
        }
        (Change::From(a), Change::From(b)) => a.extend(b),
        (Change::In(a), Change::In(b)) => a.extend(b),
        (Change::Method(a), Change::Method(b)) => a.extend(b.iter().cloned()),
        _ => return false,
    }
    true
}
