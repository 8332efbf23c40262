//! Whether any request can meet a path or an amendment: asked with paths made for the purpose.

use std::collections::BTreeSet;

use smol_str::SmolStr;

use super::{pattern::Pattern, trie::Trie};

/// A part that no policy can name: control characters are refused in patterns.
const FRESH: SmolStr = SmolStr::new_static("\u{1}");

/// Whether some path that `pattern` covers leads to `place`. `longest` is the length of the longest pattern there is:
/// beyond it, more parts make no difference.
pub(super) fn meets(trie: &Trie, pattern: &Pattern, place: usize, longest: usize) -> bool {
    places(trie, pattern, longest).contains(&place)
}

/// Where the paths that `pattern` covers and that no other literal part covers lead to.
pub(super) fn places(trie: &Trie, pattern: &Pattern, longest: usize) -> BTreeSet<usize> {
    let mut path: Vec<SmolStr> =
        pattern.segments.iter().map(|part| part.as_ref().map_or(FRESH, SmolStr::from)).collect();
    let more = if pattern.deep { longest.saturating_sub(path.len()) + 1 } else { 0 };
    let mut places: BTreeSet<usize> = trie.find(&path).into_iter().collect();
    for _ in 0..more {
        path.push(FRESH);
        places.extend(trie.find(&path));
    }
    places
}

/// The pattern of what both patterns cover, if there is anything.
pub(super) fn both(one: &Pattern, other: &Pattern) -> Option<Pattern> {
    let (short, long) = if one.segments.len() <= other.segments.len() { (one, other) } else { (other, one) };
    if short.segments.len() < long.segments.len() && !short.deep {
        return None;
    }
    let mut segments = long.segments.clone();
    for (part, own) in segments.iter_mut().zip(&short.segments) {
        match (&*part, own) {
            (Some(one), Some(other)) if one != other => return None,
            (None, Some(_)) => part.clone_from(own),
            (Some(_) | None, Some(_) | None) => {}
        }
    }
    let deep = long.deep && short.deep;
    Some(Pattern { segments, deep })
}
