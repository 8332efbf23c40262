//! Syslog, RFC 5424.

use std::fmt::Write as _;

use super::{Source, text};
use crate::rules::trail::{
    Record,
    events::{known, outcome_of},
};

/// Security and authorization, private (RFC 5424 §6.2.1).
const FACILITY: u8 = 10;
const NOTICE: u8 = 5;
const WARNING: u8 = 4;
/// The name of our structured data. 32473 is the number that RFC 5612 gives to examples: we have none of our own.
const DATA: &str = "panelgate@32473";
/// The longest value; what is longer is in the trail.
const LONGEST: usize = 1024;

/// `<PRI>1 TIME HOST panelgate - EVENT [data] message`
pub(super) fn line(record: &Record, source: &Source) -> String {
    let outcome = outcome_of(record);
    let severity = if outcome == "done" { NOTICE } else { WARNING };
    let (host, event) = (name(&source.host, 255), name(&record.event, 32));
    let mut line = format!("<{}>1 {} {host} panelgate - {event} [{DATA}", FACILITY * 8 + severity, record.at);
    let own = [
        ("seq".to_owned(), record.seq.to_string()),
        ("hash".to_owned(), data_encoding::HEXLOWER.encode(&record.hash)),
        ("outcome".to_owned(), outcome),
    ];
    let rest = record.fields.keys().filter(|name| *name != "outcome");
    let rest = rest.filter_map(|name| Some((name.clone(), text(record, name)?)));
    for (key, value) in own.into_iter().chain(rest) {
        // Writing to a string cannot fail.
        let _ = write!(line, " {}=\"{}\"", name(&key, 32), value_of(&value));
    }
    let says = known(&record.event).map_or(record.event.as_str(), |event| event.says);
    line + "] " + says
}

/// Printable ASCII without `=`, `]`, `"` and blanks.
fn name(text: &str, longest: usize) -> String {
    let fits = |c: &char| c.is_ascii_graphic() && !matches!(c, '=' | ']' | '"');
    let name: String = text.chars().filter(fits).take(longest).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// §6.3.3: `"`, `\` and `]` are escaped; control characters would end a line somewhere.
fn value_of(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for c in text.chars().take(LONGEST) {
        match c {
            '"' | '\\' | ']' => value.extend(['\\', c]),
            c if c.is_control() => value.push(' '),
            c => value.push(c),
        }
    }
    value
}
