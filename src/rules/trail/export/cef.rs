//! ArcSight Common Event Format.

use std::fmt::Write as _;

use super::{Source, actor, text, whom};
use crate::rules::trail::{
    Record,
    events::{known, outcome_of},
};

/// `CEF:0|vendor|product|version|event|name|severity|extension`
pub(super) fn line(record: &Record, source: &Source) -> String {
    let says = known(&record.event).map_or(record.event.as_str(), |event| event.says);
    let outcome = outcome_of(record);
    let severity = if outcome == "done" { 3 } else { 6 };
    let mut line = "CEF:0|Panelgate|Panelgate".to_owned();
    for part in [source.version, &record.event, says] {
        line.push('|');
        line.push_str(&header(part));
    }
    // Writing to a string cannot fail.
    let _ = write!(line, "|{severity}|rt={} externalId={}", record.millis(), record.seq);
    let outcome = match outcome.as_str() {
        "done" => "success",
        _ => "failure",
    };
    let named = [
        ("act", Some(record.event.clone())),
        ("outcome", Some(outcome.to_owned())),
        ("src", text(record, "client").filter(|client| client.parse::<std::net::Ipv4Addr>().is_ok())),
        ("c6a2", text(record, "client").filter(|client| client.parse::<std::net::Ipv6Addr>().is_ok())),
        ("suser", actor(record)),
        ("duser", whom(record)),
        ("reason", text(record, "why").or_else(|| text(record, "reason"))),
        ("requestMethod", text(record, "method")),
        ("request", text(record, "path")),
        ("requestClientApplication", text(record, "device")),
    ];
    for (key, value) in named {
        if let Some(value) = value {
            let _ = write!(line, " {key}={}", extension(&value));
        }
    }
    if record.text("client").is_some_and(|client| client.contains(':')) {
        line.push_str(" c6a2Label=Source IPv6 Address");
    }
    let own = [
        ("cs1", "decision", text(record, "decision")),
        ("cs2", "session", text(record, "session")),
        ("cs3", "country", text(record, "country")),
        ("cs4", "hash", Some(data_encoding::HEXLOWER.encode(&record.hash))),
        ("cs5", "details", details(record)),
    ];
    for (key, label, value) in own {
        if let Some(value) = value {
            let _ = write!(line, " {key}={} {key}Label={label}", extension(&value));
        }
    }
    line
}

/// What has no key of its own, as JSON.
fn details(record: &Record) -> Option<String> {
    let told = ["user", "name", "whose", "operator", "by", "client", "why", "method", "path", "device"];
    let told = [&told[..], &["decision", "session", "country", "outcome"]].concat();
    let mut rest = record.fields.clone();
    rest.retain(|name, _| !told.contains(&name.as_str()));
    (!rest.is_empty()).then(|| serde_json::Value::Object(rest).to_string())
}

fn header(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('|', "\\|");
    text.replace(['\r', '\n'], " ")
}

fn extension(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('=', "\\=");
    text.replace('\n', "\\n").replace('\r', "\\r")
}
