//! The one place that reads YAML: text → tree with positions, within bounds (R28).

mod hints;

use std::{fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{
    Budget, DefaultMessageFormatter, Error, Location, MergeKeyPolicy, MessageFormatter, Options, Spanned,
    options::DuplicateKeyPolicy,
};

use crate::rules::written::{At, Findings, Key, Node, Value};

/// Larger files are not read.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// Reads one document. `source` is the file's name as it should be shown.
pub(super) fn parse(source: &Arc<str>, text: &str, found: &mut Findings) -> Option<Node> {
    if text.len() > MAX_BYTES {
        let what = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        found.error("Y002", &At::source(source), what, "split it, or look for what made it grow");
        return None;
    }
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options()) {
        Ok(raw) => Some(Tree { source, text }.node(raw)),
        Err(error) => {
            let at = error.location().map_or_else(|| At::source(source), |location| at(source, &location));
            let (what, help, usual) = words(&error);
            match hints::look(text, at.line, at.column, &what).filter(|_| usual) {
                Some(hint) => {
                    let at = At { line: hint.line, column: hint.column, width: 0, source: at.source };
                    found.error("Y001", &at, printable(&hint.what), printable(&hint.help));
                }
                None => found.error("Y001", &at, what, help),
            }
            None
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "sixty foreign variants that are said in the parser's own words"
)]
fn words(error: &Error) -> (String, &'static str, bool) {
    const SHAPE: &str = "check indentation, quotes and colons around this place";
    let (what, help) = match error.without_snippet() {
        Error::MultipleDocuments { .. } => {
            ("a second document starts here".into(), "keep one; remove the `---`")
        }
        Error::MergeKeyNotAllowed { .. } => ("`<<` is not supported".into(), "write the keys out"),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => {
            ("the file unfolds to more than can be meant".into(), "write out what its aliases stand for")
        }
        Error::AliasError { .. } => {
            ("this alias unfolds to too much, or to itself".into(), "write out what it stands for")
        }
        other => {
            return (printable(&DefaultMessageFormatter.format_message(other)), SHAPE, true);
        }
    };
    (what, help, false)
}

/// The parser quotes what it was given.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_depth = 32;
    budget.max_nodes = 500_000;
    budget.max_events = 2_000_000;
    budget.max_aliases = 100;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.alias_limits.max_total_replayed_events = 10_000;
    options.alias_limits.max_replay_stack_depth = 8;
    options.alias_limits.max_alias_expansions_per_anchor = 100;
    // Reported by the reader of the mapping, with the place of the first.
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    options.merge_keys = MergeKeyPolicy::Error;
    options
}

/// What positions refer to.
#[derive(Clone, Copy)]
struct Tree<'t> {
    source: &'t Arc<str>,
    text: &'t str,
}

impl<'t> Tree<'t> {
    fn node(self, raw: Spanned<Raw>) -> Node {
        let one_line = matches!(raw.value, Raw::Text(_) | Raw::Plain);
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Text(text) => Value::Scalar(text),
            Raw::Plain => Value::Scalar(self.written(&raw.defined).unwrap_or_default().to_owned()),
            Raw::List(items) => Value::List(items.into_iter().map(|item| self.node(item)).collect()),
            Raw::Map(entries) => Value::Map(entries.into_iter().map(|entry| self.entry(entry)).collect()),
        };
        let place = at(self.source, &raw.referenced);
        Node { at: if one_line { wide(place, &raw.referenced) } else { place }, value }
    }

    fn entry(self, (key, value): (Spanned<String>, Spanned<Raw>)) -> (Key, Node) {
        let place = wide(at(self.source, &key.referenced), &key.referenced);
        (Key { at: place, text: key.value }, self.node(value))
    }

    /// A number or a truth as its author wrote it: `1e3` may well be a name.
    fn written(self, place: &Location) -> Option<&'t str> {
        let start = usize::try_from(place.span().byte_offset()?).ok()?;
        let len = usize::try_from(place.span().byte_len()?).ok()?;
        self.text.get(start..start.checked_add(len)?)
    }
}

fn at(source: &Arc<str>, location: &Location) -> At {
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let (line, column) = (number(location.line()), number(location.column()));
    At { source: Arc::clone(source), line, column, width: 0 }
}

/// With as many characters as the token has: of mappings and lists only the start is worth pointing at.
fn wide(at: At, location: &Location) -> At {
    let width = u32::try_from(location.span().len()).unwrap_or(u32::MAX);
    At { width, ..at }
}

/// What the parser gives, before it gets its place.
enum Raw {
    Null,
    Text(String),
    /// A number or a truth, which the parser would rather have read.
    Plain,
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
