//! What candidate policies would have answered, beside what was answered: counted for the metrics, and kept by kind for
//! people who look. Filled by whoever writes the journal, so that no request pays for it.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    clock::Wall,
    rules::{
        identity::Role,
        judge::Compared,
        outcome::DecisionId,
        policy::diff::{Effect, Outcome, PageName},
        session::SiteId,
    },
};

/// So many kinds of disagreements are told apart on a site; what is beyond is counted alone.
const KINDS: usize = 512;

/// The candidates of all sites.
#[derive(Debug, Default)]
pub struct Shadows(Mutex<HashMap<SiteId, Site>>);

#[derive(Debug, Default)]
struct Site {
    totals: Totals,
    generation: u64,
    trial: Trial,
    kinds: HashMap<Kind, Flip>,
}

/// A decision that was put to the candidate as well.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The site.
    pub site: SiteId,
    /// The versions of the policy in force and of the candidate.
    pub policies: (Arc<str>, Arc<str>),
    /// The generation of the configuration.
    pub generation: u64,
    /// The decision.
    pub decision: DecisionId,
    /// When it was taken.
    pub at: Wall,
    /// Method and path, without a query.
    pub request: String,
    /// What both said.
    pub compared: Compared,
}

/// Counts since the process started, whichever policies they are of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Decisions that both answer alike.
    pub agreed: u64,
    /// Others, by [`Effect::ALL`].
    pub disagreed: [u64; Effect::ALL.len()],
}

/// What came of one candidate beside one policy so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// The versions of the policy in force and of the candidate.
    pub policies: (Arc<str>, Arc<str>),
    /// When the first decision was compared.
    pub since: Option<Wall>,
    /// Decisions that were compared.
    pub decisions: u64,
    /// Those that both answer alike.
    pub agreed: u64,
    /// The kinds of disagreements, the most frequent first.
    pub flips: Vec<Flip>,
    /// Disagreements of further kinds, which there was no room for.
    pub beyond: u64,
}

/// One kind of disagreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flip {
    /// The page under both policies.
    pub pages: (Option<PageName>, Option<PageName>),
    /// The role that counts; `None` for nobody who is known.
    pub role: Option<Role>,
    /// What is answered, and what would be.
    pub outcomes: (Outcome, Outcome),
    /// What that means to who asks.
    pub effect: Effect,
    /// How often.
    pub count: u64,
    /// When first.
    pub first: Wall,
    /// When last.
    pub last: Wall,
    /// The last of them.
    pub decision: DecisionId,
    /// Its method and path, without a query.
    pub request: String,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Kind {
    pages: (Option<PageName>, Option<PageName>),
    role: Option<Role>,
    outcomes: (Outcome, Outcome),
}

impl Shadows {
    /// Counts a decision. The first under another pair of policies begins a new trial.
    pub fn count(&self, tried: Tried) {
        let mut sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let site = sites.entry(Arc::clone(&tried.site)).or_default();
        let effect = tried.compared.effect();
        site.totals.add(effect);
        if site.trial.policies != tried.policies {
            // One that was judged before the reload and comes after it is no beginning.
            if tried.generation < site.generation {
                return;
            }
            site.trial = Trial { policies: tried.policies.clone(), ..Trial::default() };
            site.kinds.clear();
        }
        site.generation = site.generation.max(tried.generation);
        site.trial.since.get_or_insert(tried.at);
        site.trial.decisions += 1;
        match effect {
            None => site.trial.agreed += 1,
            Some(effect) => site.disagree(tried, effect),
        }
    }

    /// What came of a site's candidate so far.
    pub fn trial(&self, site: &str, policies: (&Arc<str>, &Arc<str>)) -> Trial {
        let none =
            || Trial { policies: (Arc::clone(policies.0), Arc::clone(policies.1)), ..Trial::default() };
        let sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(site) = sites.get(site) else { return none() };
        if (&site.trial.policies.0, &site.trial.policies.1) != policies {
            return none();
        }
        let mut flips: Vec<Flip> = site.kinds.values().cloned().collect();
        let trial = site.trial.clone();
        drop(sites);
        flips.sort_by(|a, b| {
            b.count.cmp(&a.count).then_with(|| b.last.cmp(&a.last)).then_with(|| a.request.cmp(&b.request))
        });
        Trial { flips, ..trial }
    }

    /// The counts of every site that has had a candidate, by name.
    pub fn totals(&self) -> Vec<(SiteId, Totals)> {
        let sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut totals: Vec<_> = sites.iter().map(|(id, site)| (Arc::clone(id), site.totals)).collect();
        drop(sites);
        totals.sort_by(|(a, _), (b, _)| a.cmp(b));
        totals
    }
}

impl Site {
    fn disagree(&mut self, tried: Tried, effect: Effect) {
        let Tried { compared: Compared { role, pages, outcomes }, at, decision, request, .. } = tried;
        let kind = Kind { pages: pages.clone(), role: role.clone(), outcomes };
        if self.kinds.len() >= KINDS && !self.kinds.contains_key(&kind) {
            self.trial.beyond += 1;
            return;
        }
        let fresh = || Flip {
            pages,
            role,
            outcomes,
            effect,
            count: 0,
            first: at,
            last: at,
            decision,
            request: String::new(),
        };
        let flip = self.kinds.entry(kind).or_insert_with(fresh);
        flip.count += 1;
        flip.first = flip.first.min(at);
        // They come from the queue nearly in order.
        if at >= flip.last {
            flip.last = at;
            flip.decision = decision;
            flip.request = request;
        }
    }
}

impl Totals {
    fn add(&mut self, effect: Option<Effect>) {
        let index = effect.and_then(|effect| Effect::ALL.iter().position(|known| *known == effect));
        match index.and_then(|index| self.disagreed.get_mut(index)) {
            Some(count) => *count += 1,
            None => self.agreed += 1,
        }
    }
}
