//! What two policies answer differently: all of it, computed on the compiled tables and not sampled.
//!
//! Everything that a policy looks at is divided into classes that neither policy can tell apart: paths, methods, who
//! asks and how long ago he was verified, addresses, countries and times. Both policies are asked about one request of
//! every class, by the same [`RuleSet::decide`](super::RuleSet::decide) that judges. Cells that changed alike are put
//! together again for people.

mod askers;
mod boxes;
mod change;
mod limits;
mod look;
mod manners;
mod paths;
mod scenes;
mod show;
#[cfg(test)]
mod tests;
mod times;

use std::collections::BTreeMap;

use self::{
    askers::Pair,
    look::{Look, Scene},
    manners::Way,
};
pub use self::{
    askers::{Asker, Proof},
    change::{Change, Diff, Effect, Outcome, PageName, Shift},
    scenes::{Addresses, Countries},
    times::Times,
};
use super::{RuleSet, case::is_ambiguous};
use crate::rules::{facts::Target, identity::Role, outcome::Access};

/// Everything that two policies answer differently.
pub fn diff(a: &RuleSet, b: &RuleSet) -> Diff {
    let (targets, complete) = paths::classes(a, b);
    let ways = manners::classes(a, b);
    let mut changes = Vec::new();
    let roles: Vec<Option<Role>> = std::iter::once(None).chain(roles(a, b).into_iter().map(Some)).collect();
    let grounds = grounds(a, b, &targets, &ways);
    let mut scenes = BTreeMap::new();
    for (ground, requests) in &grounds {
        let pair = ground.pair(a, b);
        for role in &roles {
            let scene = scenes.entry((ground.pages, role)).or_insert_with(|| Scene::of(&pair, role.as_ref()));
            for (asker, models) in pair.askers(role.as_ref()) {
                let looked = Look { pair, ground, requests, ways: &ways, scene, models: &models };
                changes.extend(looked.changes(&asker));
            }
        }
    }
    changes.extend(limits::changes(a, b, &grounds));
    changes.sort_by_key(|change| change.effect);
    changes.sort_by_key(show::order);
    Diff { changes, besides: limits::besides(a, b), complete }
}

/// All roles of both, mightiest first.
fn roles(a: &RuleSet, b: &RuleSet) -> Vec<Role> {
    let added = b.roles.iter().filter(|role| !a.roles.contains(role));
    a.roles.iter().chain(added).cloned().collect()
}

/// Requests that lead to the same pages and need the same there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ground {
    pages: (Option<usize>, Option<usize>),
    /// Whether each policy reads the path, rather than refusing it as ambiguous.
    reads: (bool, bool),
    needs: (Access, Access),
}

/// By index of the way to make the request: the shortest path for it.
type Requests<'t> = BTreeMap<usize, &'t Target>;

impl Ground {
    fn pair<'r>(&self, a: &'r RuleSet, b: &'r RuleSet) -> Pair<'r> {
        let page = |rules: &'r RuleSet, index: Option<usize>| index.and_then(|index| rules.pages.get(index));
        Pair { rules: (a, b), pages: (page(a, self.pages.0), page(b, self.pages.1)) }
    }
}

fn grounds<'t>(
    a: &RuleSet,
    b: &RuleSet,
    targets: &'t [Target],
    ways: &[Way],
) -> BTreeMap<Ground, Requests<'t>> {
    let mut grounds: BTreeMap<Ground, Requests<'t>> = BTreeMap::new();
    for target in targets {
        let pages = (a.trie.find(&target.segments), b.trie.find(&target.segments));
        for (index, way) in ways.iter().enumerate() {
            let rulings = (a.rule_for(target, way.manner()), b.rule_for(target, way.manner()));
            let reads = (!is_ambiguous(&rulings.0, target), !is_ambiguous(&rulings.1, target));
            if reads.0 || reads.1 {
                let ground = Ground { pages, reads, needs: (rulings.0.needs, rulings.1.needs) };
                grounds.entry(ground).or_default().entry(index).or_insert(target);
            }
        }
    }
    grounds
}
