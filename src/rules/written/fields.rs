//! Reading a mapping field by field, going on after every mistake.

use std::time::Duration;

use super::{At, Findings, Key, Node, Value, nearest, parse_duration, shape};

/// A value that was read, with its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written<T> {
    /// Where it stands.
    pub at: At,
    /// What it says.
    pub value: T,
}

/// Under which codes the mistakes of one kind of file are reported.
#[derive(Clone, Copy, Debug)]
pub struct Codes {
    /// A value of the wrong kind.
    pub kind: &'static str,
    /// A key that does not exist.
    pub unknown: &'static str,
    /// A key that stands twice.
    pub duplicate: &'static str,
    /// A key that must be there.
    pub missing: &'static str,
    /// A value that cannot be read.
    pub value: &'static str,
}

/// The fields of one mapping. Every key that is asked for is known; [`Fields::finish`] reports the others.
pub struct Fields<'n> {
    /// Where the mapping starts.
    pub at: At,
    what: &'static str,
    codes: Codes,
    entries: Vec<(&'n Key, &'n Node)>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Starts reading a mapping called `what` in messages; `None`, with a problem, if the node is something else.
    pub fn of(node: &'n Node, what: &'static str, codes: Codes, found: &mut Findings) -> Option<Self> {
        let Value::Map(map) = &node.value else {
            let fault = match node.value {
                Value::Null => format!("{what} is empty"),
                Value::Scalar(_) | Value::List(_) | Value::Map(_) => {
                    format!("{what} must be a mapping, not {}", node.kind())
                }
            };
            found.error(codes.kind, &node.at, fault, shape::for_mapping(what, node));
            return None;
        };
        let mut entries: Vec<(&Key, &Node)> = Vec::with_capacity(map.len());
        for (key, value) in map {
            if let Some((first, _)) = entries.iter().find(|(other, _)| other.text == key.text) {
                let what = format!("`{}` stands twice in {what}", key.text);
                found.error(
                    codes.duplicate,
                    &key.at,
                    what,
                    format!("the first is on line {}", first.at.line),
                );
            } else if let Some(help) = shape::glued(key, value) {
                found.error(codes.kind, &key.at, format!("`{}` is one word here", key.text), help);
            } else {
                entries.push((key, value));
            }
        }
        Some(Self { at: node.at.clone(), what, codes, entries, known: Vec::new() })
    }

    /// What the mapping is called in messages.
    pub const fn what(&self) -> &'static str {
        self.what
    }

    /// The value of a key, unless it is missing or empty.
    pub fn get(&mut self, key: &'static str) -> Option<&'n Node> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let (_, node) = self.entries.iter().find(|(other, _)| other.text == key)?;
        (node.value != Value::Null).then_some(*node)
    }

    /// The value of a key that must be there; an empty list is as good as none.
    pub fn require(&mut self, key: &'static str, help: &str, found: &mut Findings) -> Option<&'n Node> {
        let node = self.get(key).filter(|node| node.value != Value::List(Vec::new()));
        if node.is_none() {
            let written = self.entries.iter().find(|(other, _)| other.text == key);
            let at = written.map_or(&self.at, |(key, _)| &key.at);
            let fault = if written.is_some() { "is empty" } else { "is missing" };
            found.error(self.codes.missing, at, format!("`{key}` {fault} in {}", self.what), help);
        }
        node
    }

    /// Whether the key is written at all, be it without a value.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(known, _)| known.text == key)
    }

    /// A mapping below this one.
    pub fn sub(&mut self, key: &'static str, found: &mut Findings) -> Option<Self> {
        let node = self.get(key)?;
        Self::of(node, key, self.codes, found)
    }

    /// A single value.
    pub fn text(&mut self, key: &'static str, found: &mut Findings) -> Option<Written<&'n str>> {
        let node = self.get(key)?;
        scalar(node, key, self.codes, found)
    }

    /// A list of single values; empty when missing.
    pub fn texts(&mut self, key: &'static str, found: &mut Findings) -> Vec<Written<&'n str>> {
        self.get(key).map_or_else(Vec::new, |node| scalars(node, key, self.codes, found))
    }

    /// A list of anything; empty when missing.
    pub fn nodes(&mut self, key: &'static str, found: &mut Findings) -> &'n [Node] {
        self.get(key).map_or(&[], |node| list(node, key, self.codes, found))
    }

    /// What the entries of a list call themselves under `name`, whether or not the rest of them is right.
    pub fn names_in(&mut self, key: &'static str) -> Vec<&'n str> {
        let entries = match self.get(key).map(|node| &node.value) {
            Some(Value::List(entries)) => entries.as_slice(),
            Some(Value::Null | Value::Scalar(_) | Value::Map(_)) | None => &[],
        };
        let name = |entry: &'n Node| match &entry.value {
            Value::Map(map) => map.iter().find(|(key, _)| key.text == "name").map(|(_, name)| &name.value),
            Value::Null | Value::Scalar(_) | Value::List(_) => None,
        };
        let text = |value: &'n Value| match value {
            Value::Scalar(text) => Some(text.as_str()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        };
        entries.iter().filter_map(name).filter_map(text).collect()
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &'static str, found: &mut Findings) -> Option<Written<bool>> {
        self.one_of(key, &[("true", true), ("false", false)], found)
    }

    /// A duration of at least `least`.
    pub fn duration(
        &mut self,
        key: &'static str,
        least: Duration,
        found: &mut Findings,
    ) -> Option<Written<Duration>> {
        let text = self.text(key, found)?;
        let value = duration(&text, key, least, self.codes, found)?;
        Some(Written { at: text.at, value })
    }

    /// A whole number from 1.
    pub fn count(&mut self, key: &'static str, found: &mut Findings) -> Option<Written<usize>> {
        let text = self.text(key, found)?;
        if let Some(value) = text.value.parse().ok().filter(|value| *value > 0) {
            return Some(Written { at: text.at, value });
        }
        let what = format!("`{}` is not a number that `{key}` can have", text.value);
        found.error(self.codes.value, &text.at, what, "write a whole number from 1");
        None
    }

    /// One word out of a list.
    pub fn one_of<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
        found: &mut Findings,
    ) -> Option<Written<T>> {
        let text = self.text(key, found)?;
        choose(&text, key, words, self.codes, found)
    }

    /// Every entry, for mappings whose keys are names.
    pub fn entries(&self) -> &[(&'n Key, &'n Node)] {
        &self.entries
    }

    /// Refuses a key that has a meaning elsewhere, or will have one; it is not named among those that there are.
    pub fn refuse(&mut self, key: &str, code: &'static str, what: &str, help: &str, found: &mut Findings) {
        let Some(place) = self.entries.iter().position(|(other, _)| other.text == key) else { return };
        let (key, _) = self.entries.remove(place);
        found.error(code, &key.at, what, help);
    }

    /// What an unknown key was meant to be: one that is not there yet rather than one that is.
    fn meant(&self, key: &str) -> String {
        let free = |known: &&&str| !self.entries.iter().any(|(other, _)| other.text == **known);
        let missing: Vec<&str> = self.known.iter().filter(free).copied().collect();
        match nearest(key, missing).or_else(|| nearest(key, self.known.iter().copied())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("remove it; the keys here are {}", listed(&self.known)),
        }
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(self, found: &mut Findings) {
        let unknown = self.entries.iter().filter(|(key, _)| !self.known.contains(&key.text.as_str()));
        for (key, _) in unknown {
            let what = format!("unknown key `{}` in {}", key.text, self.what);
            found.error(self.codes.unknown, &key.at, what, self.meant(&key.text));
        }
    }
}

/// "did you mean …?", or the whole list.
pub fn hint(word: &str, known: &[&str]) -> String {
    let word = shape::synonym(word, known).unwrap_or(word);
    match (nearest(word, known.iter().copied()), known) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, []) => "none is defined".to_owned(),
        (None, [only]) => format!("write `{only}`"),
        (None, _) => format!("write one of {}", listed(known)),
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// A node that must be a single value.
pub fn scalar<'n>(node: &'n Node, key: &str, codes: Codes, found: &mut Findings) -> Option<Written<&'n str>> {
    if let Value::Scalar(text) = &node.value {
        if !text.chars().any(char::is_control) {
            return Some(Written { at: node.at.clone(), value: text });
        }
        let what = format!("`{key}` has a line break or another control character");
        found.error(codes.value, &node.at, what, "write it on one line");
        return None;
    }
    let help = match &node.value {
        Value::List(items) => match items.as_slice() {
            [Node { value: Value::Scalar(only), .. }] => {
                format!("write `{only}`, without brackets or dashes")
            }
            _ => "write one value, without brackets or dashes".to_owned(),
        },
        Value::Null | Value::Scalar(_) | Value::Map(_) => "write one value behind the colon".to_owned(),
    };
    found.error(codes.kind, &node.at, format!("`{key}` must be a single value, not {}", node.kind()), help);
    None
}

/// A node that must be a list. What comes from the environment may be a list with commas.
pub fn scalars<'n>(node: &'n Node, key: &str, codes: Codes, found: &mut Findings) -> Vec<Written<&'n str>> {
    match &node.value {
        Value::Scalar(text) if node.at.line == 0 => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(|value| Written { at: node.at.clone(), value }).collect()
        }
        Value::Null | Value::Scalar(_) | Value::List(_) | Value::Map(_) => {
            list(node, key, codes, found).iter().filter_map(|item| scalar(item, key, codes, found)).collect()
        }
    }
}

/// Reads a duration.
pub fn duration(
    text: &Written<&str>,
    key: &str,
    least: Duration,
    codes: Codes,
    found: &mut Findings,
) -> Option<Duration> {
    let Some(value) = parse_duration(text.value) else {
        let what = format!("`{}` is not a duration", text.value);
        found.error(codes.value, &text.at, what, shape::for_duration(text.value));
        return None;
    };
    if value < least {
        let least = super::spell_duration(least);
        let what = format!("`{key}` is shorter than {least}");
        found.error(codes.value, &text.at, what, format!("the shortest that works is {least}"));
        return None;
    }
    Some(value)
}

/// Reads one word out of a list.
pub fn choose<T: Copy>(
    text: &Written<&str>,
    key: &str,
    words: &[(&'static str, T)],
    codes: Codes,
    found: &mut Findings,
) -> Option<Written<T>> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
        return Some(Written { at: text.at.clone(), value: *value });
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let what = format!("`{}` is not a value that `{key}` can have", text.value);
    found.error(codes.value, &text.at, what, hint(text.value, &known));
    None
}

fn list<'n>(node: &'n Node, key: &str, codes: Codes, found: &mut Findings) -> &'n [Node] {
    match &node.value {
        Value::List(items) => items,
        Value::Null => &[],
        Value::Scalar(text) => {
            let help = format!("write `[{text}]`");
            found.error(codes.kind, &node.at, format!("`{key}` must be a list, not a single value"), help);
            &[]
        }
        Value::Map(_) => {
            found.error(
                codes.kind,
                &node.at,
                format!("`{key}` must be a list, not a mapping"),
                "put `-` before each entry",
            );
            &[]
        }
    }
}
