//! CrowdSec's decisions, as `cscli` and its local API write them. Shapes and spelling are those of CrowdSec 1.4 and later;
//! samples of its own are in `tests/data/crowdsec`.

use std::time::Duration;

use serde_json::{Map, Value};

use super::List;
use crate::cli::import_file::{Problem, elements};

/// One decision, as it was written.
#[derive(Default)]
struct Decision {
    line: u64,
    /// Where in the line's value it is.
    at: String,
    scope: String,
    value: String,
    duration: String,
    kind: String,
    reason: String,
    simulated: bool,
}

/// Whatever is longer than a century is for ever to anybody. In seconds.
const LONGEST: f64 = 100.0 * 366.0 * 86_400.0;

/// The columns by which a line is known as a header.
const VALUES: [&str; 2] = ["value", "ip"];

/// Whether a line names columns.
pub(super) fn is_header(line: &str) -> bool {
    line.split(',')
        .any(|column| VALUES.contains(&column.trim().trim_matches('"').to_ascii_lowercase().as_str()))
}

/// Alerts with their decisions, decisions, or what has changed since the last time.
pub(super) fn json(text: &str, lasts: Option<u64>, list: &mut List) {
    // What the local API says when there are none.
    if text.trim() == "null" {
        return;
    }
    if text.trim_start().starts_with('[') {
        let wrong = elements(text, |line, value| element(line, "", &value, lasts, list));
        list.problems.extend(wrong);
        return;
    }
    let stream: Map<String, Value> = match serde_json::from_str(text) {
        Ok(stream) => stream,
        Err(error) => {
            return list.problem(error.line() as u64, format!("it is not JSON: {error}"));
        }
    };
    match stream.get("new") {
        Some(Value::Null) => {}
        Some(Value::Array(decisions)) => {
            for (decision, number) in decisions.iter().zip(0..) {
                element(1, &format!("new[{number}]: "), decision, lasts, list);
            }
        }
        Some(_) | None => {
            list.problem(1, "an object has the decisions under `new`, as the stream of the local API");
        }
    }
}

/// An alert or a decision.
fn element(line: u64, at: &str, value: &Value, lasts: Option<u64>, list: &mut List) {
    let Value::Object(fields) = value else {
        return list.problem(line, format!("{at}a decision is an object with scope, value and duration"));
    };
    match fields.get("decisions") {
        None => decision(line, at.to_owned(), fields).take(lasts, list),
        Some(Value::Null) => {}
        Some(Value::Array(decisions)) => {
            for (inner, number) in decisions.iter().zip(0..) {
                element(line, &format!("{at}decisions[{number}]: "), inner, lasts, list);
            }
        }
        Some(_) => list.problem(line, format!("{at}`decisions` is not an array")),
    }
}

fn decision(line: u64, at: String, fields: &Map<String, Value>) -> Decision {
    let text = |names: &[&str]| {
        let found = names.iter().find_map(|name| fields.get(*name));
        match found {
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => String::new(),
        }
    };
    Decision {
        line,
        at,
        scope: text(&["scope"]),
        value: text(&["value"]),
        duration: text(&["duration"]),
        kind: text(&["type"]),
        reason: text(&["scenario", "reason"]),
        simulated: fields.get("simulated") == Some(&Value::Bool(true)),
    }
}

/// A table with a header line, of columns in any order.
pub(super) fn csv(text: &str, lasts: Option<u64>, list: &mut List) {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .flexible(true)
        .from_reader(text.as_bytes());
    let header: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(str::to_ascii_lowercase).collect(),
        Err(error) => return list.problem(1, error.to_string()),
    };
    if !header.iter().any(|column| VALUES.contains(&column.as_str())) {
        return list
            .problem(1, "the first line has to name the columns, such as duration,scope,value,reason");
    }
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                list.problem(line, error.to_string());
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != header.len() {
            let what = format!("it has {} fields, the first line has {}", record.len(), header.len());
            list.problem(line, what);
            continue;
        }
        let field = |names: &[&str]| {
            let at = header.iter().position(|column| names.contains(&column.as_str()));
            at.and_then(|at| record.get(at)).unwrap_or_default().to_owned()
        };
        let mut decision = Decision {
            line,
            at: String::new(),
            scope: field(&["scope"]),
            value: field(&VALUES),
            duration: field(&["duration", "expiration"]),
            kind: field(&["type", "action"]),
            reason: field(&["reason", "scenario"]),
            simulated: field(&["simulated"]) == "true",
        };
        // `cscli decisions list -o raw` writes `Range:192.0.2.0/24` into one column.
        if decision.scope.is_empty()
            && let Some((scope, value)) = decision.value.split_once(':')
            && scope.bytes().all(|byte| byte.is_ascii_alphabetic())
            && scope_of(scope).is_some()
        {
            (decision.scope, decision.value) = (scope.to_owned(), value.to_owned());
        }
        decision.take(lasts, list);
    }
}

/// What stands before the value for us.
fn scope_of(scope: &str) -> Option<&'static str> {
    match scope.to_ascii_lowercase().as_str() {
        "" | "ip" | "range" => Some(""),
        "country" => Some("country:"),
        "as" => Some("asn:"),
        _ => None,
    }
}

impl Decision {
    fn take(self, lasts: Option<u64>, list: &mut List) {
        let Self { line, at, scope, value, duration, kind, reason, simulated } = self;
        if value.is_empty() {
            return list.problem(line, format!("{at}there is no value: whom is it for?"));
        }
        if !kind.is_empty() && !kind.eq_ignore_ascii_case("ban") {
            return list.skip(line, format!("{at}{value} is not to be banned: its type is `{kind}`"));
        }
        if simulated {
            return list.skip(line, format!("{at}{value} is not to be banned: it is simulated"));
        }
        let Some(prefix) = scope_of(&scope) else {
            return list.skip(line, format!("{at}there are no bans of the scope `{scope}` ({value})"));
        };
        let seconds = match duration.as_str() {
            "" => lasts,
            text => match go_seconds(text) {
                Some(0) => return list.skip(line, format!("{at}the ban of {value} is over")),
                Some(seconds) => Some(seconds),
                None => {
                    let what = format!("{at}`{text}` is no duration: write one such as 4h or 1h30m");
                    return list.problem(line, what);
                }
            },
        };
        let before = list.problems.len();
        list.ban(line, format!("{prefix}{value}"), &reason, seconds);
        for Problem { what, .. } in list.problems.iter_mut().skip(before) {
            *what = format!("{at}{what}");
        }
    }
}

/// A duration as Go writes it (`1h29m58.5s`), in whole seconds; 0 if it is over (`-3m0s`).
fn go_seconds(text: &str) -> Option<u64> {
    let is_over = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(end)?;
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end)?;
        let size = match unit {
            "d" => 86_400.0,
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * size;
        rest = after;
    }
    let whole = Duration::try_from_secs_f64(total.min(LONGEST)).ok()?;
    let up = u64::from(whole.subsec_nanos() > 0);
    Some(if is_over { 0 } else { whole.as_secs() + up })
}
