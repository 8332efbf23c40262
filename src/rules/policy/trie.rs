//! From a path to the most specific page: at the first differing part a literal beats `*`, and `*` beats `**`.

use std::collections::HashMap;

use smol_str::SmolStr;

use super::pattern::Pattern;

/// Patterns with the index of what each leads to.
#[derive(Clone, Debug, Default)]
pub(super) struct Trie {
    literal: HashMap<String, Trie>,
    any: Option<Box<Trie>>,
    here: Option<usize>,
    below: Option<usize>,
}

impl Trie {
    /// Adds a pattern; the index that holds its place already, if one does.
    pub(super) fn insert(&mut self, pattern: &Pattern, index: usize) -> Option<usize> {
        let mut node = self;
        for segment in &pattern.segments {
            node = match segment {
                Some(literal) => node.literal.entry(literal.clone()).or_default(),
                None => node.any.get_or_insert_default(),
            };
        }
        let place = if pattern.deep { &mut node.below } else { &mut node.here };
        let before = *place;
        place.get_or_insert(index);
        before
    }

    /// The most specific pattern that covers the parts of a path.
    pub(super) fn find(&self, parts: &[SmolStr]) -> Option<usize> {
        let Some((first, rest)) = parts.split_first() else { return self.here.or(self.below) };
        let literal = self.literal.get(first.as_str()).and_then(|child| child.find(rest));
        literal.or_else(|| self.any.as_ref().and_then(|child| child.find(rest))).or(self.below)
    }

    /// The same among patterns that begin with the first part of the path itself.
    pub(super) fn find_own(&self, parts: &[SmolStr]) -> Option<usize> {
        let (first, rest) = parts.split_first()?;
        self.literal.get(first.as_str()).and_then(|child| child.find(rest))
    }

    /// Every pattern with what it leads to, in no order.
    pub(super) fn patterns(&self) -> Vec<(Pattern, usize)> {
        let mut all = Vec::new();
        self.collect(&mut Vec::new(), &mut all);
        all
    }

    fn collect(&self, path: &mut Vec<Option<String>>, all: &mut Vec<(Pattern, usize)>) {
        for (place, deep) in [(self.here, false), (self.below, true)] {
            all.extend(place.map(|index| (Pattern { segments: path.clone(), deep }, index)));
        }
        let any = self.any.as_deref().map(|child| (None, child));
        let literal = self.literal.iter().map(|(part, child)| (Some(part.clone()), child));
        for (part, child) in literal.chain(any) {
            path.push(part);
            child.collect(path, all);
            path.pop();
        }
    }
}
