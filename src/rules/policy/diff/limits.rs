//! What no answer to a request shows: quotas, and who stands above whom.

use std::collections::{BTreeMap, BTreeSet};

use super::{Asker, Change, Ground, PageName, Requests, Shift, askers::Pair};
use crate::{
    clock::Wall,
    rules::{
        facts::Target,
        identity::Role,
        outcome::Access,
        policy::{Asked, PageQuota, Question, RuleSet},
    },
};

/// Quotas that changed, where they can be met at all.
pub(super) fn changes(a: &RuleSet, b: &RuleSet, grounds: &BTreeMap<Ground, Requests<'_>>) -> Vec<Change> {
    let mut seen = BTreeSet::new();
    let mut changes = Vec::new();
    for (ground, requests) in grounds.iter().filter(|(ground, _)| ground.reads == (true, true)) {
        let pair = ground.pair(a, b);
        let ((Some(one), Some(other)), true) = (pair.pages, seen.insert(ground.pages)) else { continue };
        let mut change = |who: Asker, before: &[PageQuota], after: &[PageQuota]| {
            let (before, after) = (spelled(before), spelled(after));
            let Some(target) = requests.values().next().filter(|_| before != after) else { return };
            let shift = Shift::Limits(before, after);
            changes.push(limit(&pair, ground, who, shift, target));
        };
        change(Asker::Everybody, &one.quotas, &other.quotas);
        for role in a.roles.iter().filter(|role| b.roles.contains(role)) {
            let (Some(before), Some(after)) = (a.role_access(one, role), b.role_access(other, role)) else {
                continue;
            };
            if before.levels.elevated.min(after.levels.elevated) > Access::None {
                let who = Asker::Session { role: Role::clone(role), enrolled: None };
                change(who, &before.quotas, &after.quotas);
            }
        }
    }
    changes
}

fn limit(pair: &Pair<'_>, ground: &Ground, who: Asker, shift: Shift, target: &Target) -> Change {
    let at = Wall::from_secs(1_735_689_600);
    let asked = who.role().map_or(Asked::Nobody, |role| Asked::Session {
        role: Role::clone(role),
        enrolled: true,
        proof: None,
        relaxed: true,
        acting: None,
    });
    Change {
        pages: (pair.pages.0.map(PageName::of), pair.pages.1.map(PageName::of)),
        reads: (true, true),
        needs: ground.needs,
        methods: Vec::new(),
        from: None,
        countries: None,
        times: None,
        who,
        effect: shift.effect(),
        shift,
        witness: Question {
            target: target.clone(),
            method: "GET".to_owned(),
            upgrade: false,
            method_override: false,
            client: None,
            country: None,
            at,
            who: asked,
        },
    }
}

fn spelled(quotas: &[PageQuota]) -> Vec<String> {
    let mut words: Vec<String> = quotas.iter().map(ToString::to_string).collect();
    words.sort();
    words.dedup();
    words
}

/// What no answer to a request shows.
pub(super) fn besides(a: &RuleSet, b: &RuleSet) -> Vec<String> {
    let list = |roles: &mut dyn Iterator<Item = &Role>| {
        let roles: Vec<&str> = roles.map(|role| &**role).collect();
        if roles.is_empty() { "nobody".to_owned() } else { roles.join(", ") }
    };
    let mut said = Vec::new();
    if a.roles != b.roles {
        let (before, after) = (list(&mut a.roles.iter()), list(&mut b.roles.iter()));
        said.push(format!("roles, mightiest first: {before} → {after}"));
    }
    if a.administer != b.administer {
        let (before, after) = (list(&mut a.administrators()), list(&mut b.administrators()));
        said.push(format!("administer other accounts: {before} → {after}"));
    }
    said
}
