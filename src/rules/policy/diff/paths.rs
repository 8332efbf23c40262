//! All paths there are, as classes: two paths of a class are covered by the same paths and amendments of both policies.
//!
//! A walk over parts of paths, breadth first: a part is one that some pattern names, one that none names, or one that
//! none names with a character of R4 in it. After each part, the patterns that may still cover the path are the state.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    fmt::Write,
};

use super::super::{RuleSet, pattern::Pattern};
use crate::rules::facts::{Ambiguity, Target};

/// Policies with more classes are not compared to the end.
const MOST: usize = 50_000;

/// One path of every class, shortest first, and whether that was all.
pub(super) fn classes(a: &RuleSet, b: &RuleSet) -> (Vec<Target>, bool) {
    let walk = Walk::of(a, b);
    let (mut seen, mut queue, mut found) = (HashSet::new(), VecDeque::new(), Vec::new());
    let start = State { depth: 0, alive: (0..walk.patterns.len()).collect(), marks: BTreeSet::new() };
    queue.push_back((start, Vec::new()));
    while let Some((state, path)) = queue.pop_front() {
        if !seen.insert(walk.settled(&state)) {
            continue;
        }
        if found.len() == MOST {
            return (found, false);
        }
        found.extend(target(&path));
        for part in walk.parts(&state) {
            let next = walk.step(&state, &part);
            queue.push_back((next, path.iter().cloned().chain([part]).collect()));
        }
    }
    (found, true)
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    /// How many parts the path has; counts no longer once nothing is left that ends.
    depth: usize,
    alive: Vec<usize>,
    marks: BTreeSet<Ambiguity>,
}

struct Walk {
    /// The pages' paths of both policies, and their amendments.
    patterns: Vec<(Kind, Pattern)>,
    fresh: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    First,
    Second,
    Amendment,
}

impl Walk {
    fn of(a: &RuleSet, b: &RuleSet) -> Self {
        let pages = |rules: &RuleSet, kind| -> Vec<(Kind, Pattern)> {
            let amendments =
                rules.amendments.iter().flatten().map(|line| (Kind::Amendment, line.pattern.clone()));
            let pages = rules.trie.patterns().into_iter().map(|(pattern, _)| (kind, pattern));
            pages.chain(amendments).collect()
        };
        let mut patterns = pages(a, Kind::First);
        patterns.extend(pages(b, Kind::Second));
        patterns.sort_by(|(_, one), (_, other)| one.cmp(other));
        patterns.dedup_by(|(one, pattern), (other, same)| one == other && pattern == same);
        let opened = a.pages.iter().chain(&b.pages).flat_map(|page| &page.allow_in_path);
        let opened: BTreeSet<Ambiguity> = opened.copied().collect();
        let named: HashSet<&str> = patterns
            .iter()
            .flat_map(|(_, pattern)| pattern.segments.iter().flatten().map(String::as_str))
            .collect();
        let marks = std::iter::once("").chain(opened.iter().map(|class| class.as_str()));
        let fresh = marks.filter_map(|mark| unnamed(mark, &named)).collect();
        Self { patterns, fresh }
    }

    /// What can come next and make a difference.
    fn parts(&self, state: &State) -> Vec<String> {
        let alive = state.alive.iter().filter_map(|index| self.patterns.get(*index));
        let named: BTreeSet<&String> =
            alive.filter_map(|(_, pattern)| pattern.segments.get(state.depth)?.as_ref()).collect();
        named.into_iter().chain(&self.fresh).cloned().collect()
    }

    fn step(&self, state: &State, part: &str) -> State {
        let goes_on = |pattern: &Pattern| match pattern.segments.get(state.depth) {
            Some(own) => own.as_ref().is_none_or(|own| *own == *part),
            None => pattern.deep,
        };
        let depth = state.depth + 1;
        let mut alive: Vec<usize> = state.alive.clone();
        alive.retain(|index| self.patterns.get(*index).is_some_and(|(_, pattern)| goes_on(pattern)));
        for kind in [Kind::First, Kind::Second] {
            self.drop_losers(&mut alive, kind, depth);
        }
        let mut marks = state.marks.clone();
        marks.extend(target(&[part.to_owned()]).map(|target| target.ambiguities).unwrap_or_default());
        State { depth, alive, marks }
    }

    /// Of the paths that cover all that may come, only the most specific one ever counts.
    fn drop_losers(&self, alive: &mut Vec<usize>, kind: Kind, depth: usize) {
        let rank = |index: &usize| {
            let (own, pattern) = self.patterns.get(*index)?;
            let covers_all = *own == kind && pattern.deep && pattern.segments.len() <= depth;
            covers_all.then(|| pattern.segments.iter().map(Option::is_some).collect::<Vec<bool>>())
        };
        let best = alive.iter().filter_map(rank).max();
        alive.retain(|index| rank(index).is_none_or(|rank| Some(rank) == best));
    }

    /// The same state for every length where the length no longer matters.
    fn settled(&self, state: &State) -> State {
        let unfinished = |index: &usize| {
            self.patterns
                .get(*index)
                .is_some_and(|(_, pattern)| !pattern.deep || pattern.segments.len() > state.depth)
        };
        let depth = if state.alive.iter().any(unfinished) { state.depth } else { usize::MAX };
        State { depth, ..state.clone() }
    }
}

/// A part with this mark that no pattern names.
fn unnamed(mark: &str, named: &HashSet<&str>) -> Option<String> {
    if mark == Ambiguity::EmptySegment.as_str() {
        return (!named.contains("")).then(String::new);
    }
    let numbered = (1..=named.len()).map(|number| format!("any{number}{mark}"));
    std::iter::once(format!("any{mark}")).chain(numbered).find(|part| !named.contains(part.as_str()))
}

/// The request target of a path; `None` for one that no client can send.
fn target(path: &[String]) -> Option<Target> {
    let mut raw = String::new();
    for part in path {
        raw.push('/');
        for byte in part.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => raw.push(char::from(byte)),
                _ if b"-._~!$&'()*+,;=:@%".contains(&byte) => raw.push(char::from(byte)),
                _ => {
                    // Writing to a string cannot fail.
                    let _ = write!(raw, "%{byte:02X}");
                }
            }
        }
    }
    if path.last().is_none_or(String::is_empty) {
        raw.push('/');
    }
    Target::parse(raw.as_bytes()).ok().filter(|target| target.segments == path)
}
