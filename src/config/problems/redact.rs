//! Secrets that stand in the files themselves: where they are, and how to show the rest without them.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::Arc,
};

use crate::rules::written::{At, nearest};

/// What is shown instead.
const HIDDEN: &str = "(hidden)";
const WIDTH: usize = 8;
/// Keys of secrets; what is nearly one of them may be one that was misspelt.
const NAMES: [&str; 5] = ["secret", "password", "passphrase", "master_key", "token"];
/// Near to a secret, and none.
const OTHERS: [&str; 1] = ["socket"];
/// Keys that may have keys of their own below them.
const PARENTS: [&str; 3] = ["secrets", "passwords", "token"];
/// Shorter texts say nothing, and occur everywhere.
const LEAST: usize = 4;

/// The spans of secrets by file and line, in characters from 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Hidden(BTreeMap<Arc<str>, BTreeMap<usize, Vec<Range<usize>>>>);

/// The secrets themselves. Not kept for longer than it takes to look for them.
#[derive(Default)]
pub(super) struct Values {
    whole: Vec<String>,
    /// Words of longer ones, which count only as words: `open` is a part of `openssl`.
    words: Vec<String>,
}

/// Looks for secrets in all texts.
pub(super) fn look(texts: &BTreeMap<Arc<str>, Arc<str>>) -> (Hidden, Values) {
    let (mut hidden, mut values) = (Hidden::default(), Values::default());
    let mut known = Known::default();
    for (source, text) in texts {
        hidden.0.insert(Arc::clone(source), scan(text, &mut values, &mut known));
    }
    let longest_first = |list: &mut Vec<String>| {
        list.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        list.dedup();
    };
    longest_first(&mut values.whole);
    longest_first(&mut values.words);
    (hidden, values)
}

impl Hidden {
    /// A line without secrets, and where a place in it is then.
    pub(super) fn line(&self, line: &str, at: &At) -> (String, At) {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let letters: Vec<char> = line.chars().collect();
        let spans = self.0.get(&at.source).and_then(|lines| lines.get(&size(at.line).saturating_sub(1)));
        let start = size(at.column).saturating_sub(1);
        let (mut shown, mut from) = (String::new(), 0);
        let (mut moved, mut width) = (start, size(at.width));
        for span in spans.into_iter().flatten() {
            shown.extend(letters.iter().skip(from).take(span.start.saturating_sub(from)));
            shown.push_str(HIDDEN);
            if start >= span.end {
                moved = (moved + WIDTH).saturating_sub(span.len());
            } else if start >= span.start {
                moved = moved.saturating_sub(start - span.start);
                width = width.min(WIDTH);
            }
            from = span.end;
        }
        shown.extend(letters.iter().skip(from));
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let column = if at.column == 0 { 0 } else { number(moved.saturating_add(1)) };
        (shown, At { column, width: number(width), ..at.clone() })
    }
}

impl Values {
    /// What is said, without secrets.
    pub(super) fn without(&self, said: &str) -> String {
        let mut said = said.to_owned();
        for value in &self.whole {
            said = said.replace(value.as_str(), HIDDEN);
        }
        for word in &self.words {
            said = without_word(&said, word);
        }
        said
    }

    /// Notes what stands behind a key, or in a line below it.
    fn note(&mut self, region: &str) {
        let region = region.trim();
        let quote = region.chars().next().filter(|c| matches!(c, '"' | '\''));
        let uncommented = region.split(" #").next().unwrap_or_default().trim_end();
        let region = if quote.is_some() { region } else { uncommented };
        self.add(region);
        self.add(region.trim_end_matches([']', '}', ' ']));
        if let Some(quote) = quote {
            self.add(region.split(quote).nth(1).unwrap_or_default());
        }
        for (index, part) in region.split([',', '[', ']', '{', '}']).enumerate() {
            if index == 0 || !is_mapping(part) {
                self.add(part.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')));
                let ends = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '\\');
                for word in part.split(ends) {
                    self.add_word(word);
                    self.add_word(word.trim_matches(|c: char| !c.is_alphanumeric()));
                }
            }
        }
    }

    fn add_word(&mut self, word: &str) {
        if word.chars().count() >= LEAST {
            self.words.push(word.to_owned());
        }
    }

    fn add(&mut self, value: &str) {
        if value.chars().count() >= LEAST {
            self.whole.push(value.to_owned());
        }
    }
}

fn without_word(said: &str, word: &str) -> String {
    let mut shown = String::new();
    let mut rest = said;
    while let Some((before, after)) = rest.split_once(word) {
        let inside = before.ends_with(char::is_alphanumeric) || after.starts_with(char::is_alphanumeric);
        shown.push_str(before);
        shown.push_str(if inside { word } else { HIDDEN });
        rest = after;
    }
    shown.push_str(rest);
    shown
}

/// A key whose value may go on in the lines below it.
struct Open {
    indent: usize,
    parent: bool,
    /// Nothing of its value was there yet.
    empty: bool,
}

impl Open {
    fn holds(&self, line: &str, begin: usize) -> bool {
        let item = begin == self.indent && line.trim_start().starts_with('-');
        begin > self.indent || item || (self.empty && !is_mapping(line))
    }
}

/// Every secret of a text, by line.
fn scan(text: &str, values: &mut Values, known: &mut Known) -> BTreeMap<usize, Vec<Range<usize>>> {
    let mut hidden = BTreeMap::new();
    let mut open: Vec<Open> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if !line.contains(char::is_alphanumeric) {
            continue;
        }
        let letters: Vec<char> = line.chars().collect();
        let begin = letters.iter().take_while(|c| c.is_whitespace()).count();
        open.retain(|key| key.holds(line, begin));
        let below = open.iter().any(|key| !key.parent || !is_mapping(line));
        for key in &mut open {
            key.empty = false;
        }
        let spans = if below {
            values.note(line);
            values.note(line.trim_start_matches(|c: char| c.is_whitespace() || c == '-'));
            std::iter::once(begin..letters.len()).collect()
        } else {
            spans(&letters, &mut open, values, known)
        };
        if !spans.is_empty() {
            hidden.insert(number, spans);
        }
    }
    hidden
}

/// The secrets of a line that is not itself a part of one; keys whose values may go on below it are opened.
fn spans(
    letters: &[char],
    open: &mut Vec<Open>,
    values: &mut Values,
    known: &mut Known,
) -> Vec<Range<usize>> {
    let indent = letters.iter().take_while(|c| c.is_whitespace() || **c == '-').count();
    let comment = letters.get(indent) == Some(&'#');
    let mut end = letters.len();
    let mut spans = Vec::new();
    for (word, behind, colon) in keys(letters, known) {
        let blank = letters.iter().skip(behind).take_while(|c| c.is_whitespace()).count();
        let value: String = letters.iter().skip(behind + blank).collect();
        let parent = PARENTS.contains(&word.as_str()) && opens_mapping(&value);
        if !parent && value.contains(char::is_alphanumeric) {
            values.note(&value);
            if spans.is_empty() {
                end = behind + blank;
                spans.push(end..letters.len());
            }
        }
        if colon && !comment {
            let parent = PARENTS.contains(&word.as_str());
            open.push(Open { indent, parent, empty: value.is_empty() });
        }
    }
    if let Some(span) = user_info(letters).filter(|span| span.end <= end) {
        let both: String = letters.iter().skip(span.start).take(span.len()).collect();
        values.note(both.split_once(':').map_or("", |(_, password)| password));
        spans.insert(0, span);
    }
    spans
}

/// The keys of secrets in a line, where what is behind each begins, and whether it is a colon that divides them.
fn keys(letters: &[char], known: &mut Known) -> Vec<(String, usize, bool)> {
    let mut keys = Vec::new();
    let (mut word, mut over) = (String::new(), false);
    for (at, letter) in letters.iter().copied().enumerate() {
        if letter.is_alphanumeric() || matches!(letter, '_' | '-') {
            if over {
                word.clear();
            }
            over = false;
            word.push(letter);
        } else if matches!(letter, ':' | '=') {
            let key = std::mem::take(&mut word).trim_matches('-').replace('-', "_").to_lowercase();
            if known.is_secret(&key) {
                keys.push((key, at + 1, letter == ':'));
            }
        } else if letter.is_whitespace() || matches!(letter, '"' | '\'') {
            over = true;
        } else {
            word.clear();
        }
    }
    keys
}

/// Keys that were looked at before: a policy of ten thousand pages has the same few on every line.
#[derive(Default)]
struct Known(HashMap<String, bool>);

impl Known {
    fn is_secret(&mut self, key: &str) -> bool {
        if let Some(known) = self.0.get(key) {
            return *known;
        }
        // The name of a file is no secret.
        let secret = !key.ends_with("_file") && !OTHERS.contains(&key) && nearest(key, NAMES).is_some();
        self.0.insert(key.to_owned(), secret);
        secret
    }
}

/// `user:password` of an address.
fn user_info(letters: &[char]) -> Option<Range<usize>> {
    let start = letters.windows(3).position(|three| three == [':', '/', '/'])? + 3;
    let ends = |c: &&char| !c.is_whitespace() && !matches!(**c, '/' | '?' | '#' | '"' | '\'' | ',');
    let host: Vec<char> = letters.iter().skip(start).take_while(ends).copied().collect();
    let len = host.iter().rposition(|c| *c == '@')?;
    host.iter().take(len).any(|c| *c == ':').then_some(start..start + len)
}

/// `{ name: a }`, `[{ name: a }]`, or nothing yet.
fn opens_mapping(value: &str) -> bool {
    let value = value.trim_start_matches(['[', ' ']);
    value.is_empty() || value.starts_with(['{', ']', '#'])
}

/// `- name: a`, `name:` and `{ name: a }`.
fn is_mapping(line: &str) -> bool {
    let line = line.trim_start_matches(|c: char| c.is_whitespace() || c == '-');
    let key =
        line.split_once(':').filter(|(_, rest)| rest.is_empty() || rest.starts_with(char::is_whitespace));
    let word = |key: &str| {
        let key = key.trim_matches(|c: char| matches!(c, '"' | '\'' | ' '));
        !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
    };
    line.starts_with('{') || key.is_some_and(|(key, _)| word(key))
}
