//! "Did you mean …?"

/// The candidate that `word` was most likely meant to be, if one is close enough to be worth saying.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let letters = word.chars().count();
    let allowed = |candidate: &str| match letters {
        0 | 1 => 0,
        letters => (letters.max(candidate.chars().count()) / 3).clamp(1, 3),
    };
    candidates
        .into_iter()
        .map(|candidate| (apart(&word, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed(candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `logging` is `log` with more letters, which is nearer than `logins`.
fn apart(word: &str, candidate: &str) -> usize {
    let distance = distance(word, candidate);
    let begins = candidate.len() >= 3 && word.starts_with(candidate);
    if begins { distance.min(1) } else { distance }
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (row, letter) in a.chars().enumerate() {
        let mut line = vec![row + 1];
        let mut left = None;
        for (column, other) in b.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&last, column) + usize::from(letter != *other);
            let mut best = replaced.min(at(&last, column + 1) + 1).min(at(&line, column) + 1);
            if previous == Some(*other) && left == Some(letter) {
                best = best.min(at(&before, column.saturating_sub(1)) + 1);
            }
            line.push(best);
            left = Some(*other);
        }
        previous = Some(letter);
        before = std::mem::replace(&mut last, line);
    }
    last.last().copied().unwrap_or(0)
}
