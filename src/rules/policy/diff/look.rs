//! One class of askers before one kind of requests, in all circumstances.

use std::{collections::BTreeSet, net::IpAddr};

use super::{
    Addresses, Asker, Change, Countries, Ground, Outcome, PageName, Requests, Shift, Times,
    askers::{Model, Pair},
    boxes,
    manners::Way,
    scenes, times,
};
use crate::{
    clock::Wall,
    rules::{
        identity::Role,
        place::Country,
        policy::{Conditions, Page, Question, RuleSet},
    },
};

/// The classes of circumstances that matter for a role on a pair of pages.
pub(super) struct Scene {
    addresses: Vec<(Addresses, Option<IpAddr>)>,
    countries: Vec<(Countries, Option<Country>)>,
    times: Vec<(Option<Times>, Wall)>,
}

impl Scene {
    pub(super) fn of(pair: &Pair<'_>, role: Option<&Role>) -> Self {
        let sides = [(pair.rules.0, pair.pages.0), (pair.rules.1, pair.pages.1)];
        let own = |(rules, page): (&'_ RuleSet, Option<&'_ Page>)| -> Vec<Conditions> {
            let Some(page) = page else { return Vec::new() };
            let access = role.and_then(|role| rules.role_access(page, role));
            std::iter::once(&page.when).chain(access.map(|access| &access.when)).cloned().collect()
        };
        let conditions: Vec<Conditions> = sides.into_iter().flat_map(own).collect();
        let conditions: Vec<&Conditions> = conditions.iter().collect();
        Self {
            addresses: scenes::addresses(&conditions),
            countries: scenes::countries(&conditions),
            times: times::times(&conditions),
        }
    }
}

/// One class of askers before one kind of requests.
pub(super) struct Look<'l> {
    pub(super) pair: Pair<'l>,
    pub(super) ground: &'l Ground,
    pub(super) requests: &'l Requests<'l>,
    pub(super) ways: &'l [Way],
    pub(super) scene: &'l Scene,
    pub(super) models: &'l [Model],
    /// Whether there is time to look at more.
    pub(super) go_on: &'l dyn Fn() -> bool,
}

impl Look<'_> {
    /// What changed for them.
    pub(super) fn changes(&self, asker: &Asker) -> Vec<Change> {
        let mut shifts: Vec<(Shift, Vec<[usize; 4]>)> = Vec::new();
        let scene = self.scene;
        for way in self.requests.keys().copied().take_while(|_| (self.go_on)()) {
            for address in 0..scene.addresses.len() {
                for country in 0..scene.countries.len() {
                    for time in 0..scene.times.len() {
                        let cell = [way, address, country, time];
                        let Some(shift) = self.shift(cell) else { continue };
                        match shifts.iter_mut().find(|(known, _)| *known == shift) {
                            Some((_, cells)) => cells.push(cell),
                            None => shifts.push((shift, vec![cell])),
                        }
                    }
                }
            }
        }
        let boxes = shifts
            .iter()
            .flat_map(|(shift, cells)| boxes::joined(cells).into_iter().map(move |space| (shift, space)));
        boxes.filter_map(|(shift, space)| self.change(asker, shift, &space)).collect()
    }

    /// What both policies answer in a cell, if it is not the same.
    fn shift(&self, cell: [usize; 4]) -> Option<Shift> {
        let questions: Vec<Question> =
            self.models.iter().filter_map(|model| self.question(model, cell)).collect();
        let answers = |rules: &RuleSet| -> Vec<Outcome> {
            questions.iter().map(|question| question.put(rules).answer.into()).collect()
        };
        let (before, after) = (answers(self.pair.rules.0), answers(self.pair.rules.1));
        (before != after).then_some(Shift::Answers(before, after))
    }

    fn question(&self, model: &Model, [way, address, country, time]: [usize; 4]) -> Option<Question> {
        let (target, way) = (self.requests.get(&way)?, self.ways.get(way)?);
        let (scene, at) = (self.scene, self.scene.times.get(time)?.1);
        Some(Question {
            target: (*target).clone(),
            method: way.method.clone(),
            upgrade: way.upgrade,
            method_override: way.method_override,
            client: scene.addresses.get(address)?.1,
            country: scene.countries.get(country)?.1,
            at,
            who: model.asked(at),
        })
    }

    fn change(&self, asker: &Asker, shift: &Shift, space: &boxes::Box4) -> Option<Change> {
        let [ways, addresses, countries, times] = space;
        let first = |set: &BTreeSet<usize>| set.first().copied().unwrap_or_default();
        let cell = [first(ways), first(addresses), first(countries), first(times)];
        let scene = self.scene;
        let some = |set: &BTreeSet<usize>, all: usize| (set.len() < all).then(|| Vec::from_iter(set.clone()));
        let labels = || ways.iter().filter_map(|way| self.ways.get(*way)).map(Way::label).collect();
        Some(Change {
            pages: self.names(),
            reads: self.ground.reads,
            needs: self.ground.needs,
            methods: if ways.len() < self.requests.len() { labels() } else { Vec::new() },
            from: some(addresses, scene.addresses.len())
                .map(|all| Addresses::join(picked(&scene.addresses, &all).map(|class| class.0.clone()))),
            countries: some(countries, scene.countries.len())
                .map(|all| Countries::join(picked(&scene.countries, &all).map(|class| class.0.clone()))),
            times: some(times, scene.times.len())
                .and_then(|all| Times::join(picked(&scene.times, &all).filter_map(|class| class.0.clone()))),
            who: asker.clone(),
            effect: shift.effect(),
            shift: shift.clone(),
            witness: self.witness(shift, cell)?,
        })
    }

    /// A request of the cell at a level that changed.
    fn witness(&self, shift: &Shift, cell: [usize; 4]) -> Option<Question> {
        let level = match shift {
            Shift::Answers(before, after) => {
                before.iter().zip(after).position(|(one, other)| one != other)?
            }
            Shift::Limits(..) => 0,
        };
        self.question(self.models.get(level)?, cell)
    }

    fn names(&self) -> (Option<PageName>, Option<PageName>) {
        (self.pair.pages.0.map(PageName::of), self.pair.pages.1.map(PageName::of))
    }
}

fn picked<'s, T>(classes: &'s [T], indexes: &'s [usize]) -> impl Iterator<Item = &'s T> {
    indexes.iter().filter_map(|index| classes.get(*index))
}
