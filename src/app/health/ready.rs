//! `/readyz`: whether the gate serves, and everything that is not as it should be, by cause.
//!
//! Some causes take the readiness away; the others are said, and the gate goes on.

use std::fmt::Write;

use axum::{
    Json,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::{Health, Readiness};
use crate::{clock::Wall, live::ReloadState};

/// One thing that is looked at, with what is wrong with it.
pub(super) struct Check {
    /// What.
    pub(super) name: &'static str,
    /// Nothing, if it is well.
    pub(super) causes: Vec<Cause>,
}

/// Something that is not as it should be.
pub(super) struct Cause {
    /// In words, with the mend.
    what: String,
    /// Since when, where that is known.
    since: Option<Wall>,
    /// Whether nobody should be sent here because of it.
    fatal: bool,
}

impl Cause {
    fn fatal(what: &str) -> Self {
        Self { what: what.to_owned(), since: None, fatal: true }
    }

    fn since(what: impl Into<String>, since: Wall) -> Self {
        Self { what: what.into(), since: Some(since), fatal: false }
    }
}

/// `/readyz`; `?verbose` names what is well, too, and `?format=json`, or `Accept: application/json`, makes it JSON.
pub(super) async fn answer(
    State(health): State<Health>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let (checks, state) = (health.checks(), health.live.reload.load());
    let generation = health.live.snapshot().generation;
    let ready = is_ready(&checks);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let wants = |wanted: &str| query.iter().flat_map(|query| query.split('&')).any(|part| part == wanted);
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if wants("format=json") || accepts.contains("application/json") {
        return (status, Json(document(&checks, generation, &state))).into_response();
    }
    let mut text = format!("{}\n", if ready { "ready" } else { "not ready" });
    tell_checks(&mut text, &checks, wants("verbose"));
    let _ = writeln!(text, "generation {generation}");
    tell_reload(&mut text, &state);
    (status, text).into_response()
}

/// Whether nothing stands against sending requests here.
pub(super) fn is_ready(checks: &[Check]) -> bool {
    !checks.iter().flat_map(|check| &check.causes).any(|cause| cause.fatal)
}

impl Health {
    /// Everything that is looked at. Nothing is asked for it that would have to be waited for.
    pub(super) fn checks(&self) -> Vec<Check> {
        let reload = self.live.reload.load();
        let refused = "the newest configuration is not in force; see below, or run `panelgate check`";
        let handover = "the new process has not taken over; see below";
        let stale = reload.stale.iter().map(|(what, problem)| {
            Cause::since(format!("{what} could not be read again; the last good one stays"), problem.at)
        });
        let refused = reload.problem.iter().map(|problem| Cause::since(refused, problem.at));
        let unaccounted = reload.unaccounted.iter().map(|problem| {
            let what = &problem.what;
            Cause::since(
                format!("the trail cannot be written, and what needs a record is refused: {what}"),
                problem.at,
            )
        });
        let handover = reload.not_replaced.iter().map(|problem| Cause::since(handover, problem.at));
        vec![
            Check { name: "process", causes: self.process() },
            Check { name: "store", causes: self.stored() },
            Check { name: "audit-trail", causes: unaccounted.collect() },
            Check { name: "configuration", causes: refused.collect() },
            Check { name: "hand-over", causes: handover.collect() },
            Check { name: "files", causes: stale.collect() },
            Check { name: "certificates", causes: self.expired() },
            Check { name: "panel", causes: self.panel() },
        ]
    }

    fn process(&self) -> Vec<Cause> {
        match *self.readiness.borrow() {
            Readiness::Starting => vec![Cause::fatal("not everything runs yet")],
            Readiness::Ready => Vec::new(),
            Readiness::Stopping => vec![Cause::fatal("it was told to stop, and finishes what was begun")],
        }
    }

    fn stored(&self) -> Vec<Cause> {
        if self.store.has_failed() {
            let what = "a write failed, so that nothing can be stored or read; the process ends, and has to be started again";
            return vec![Cause::fatal(what)];
        }
        if self.live.records.is_lost() {
            let what = "what changes in it cannot be followed, so that nobody is let in; see the log";
            return vec![Cause::fatal(what)];
        }
        let unreadable = self.live.records.unreadable();
        if unreadable > 0 {
            let what = format!(
                "sessions in it that cannot be read: {unreadable}; whoever presents one is refused; see the log, and restore a backup"
            );
            return vec![Cause { what, since: Some(self.started), fatal: false }];
        }
        Vec::new()
    }

    fn expired(&self) -> Vec<Cause> {
        let now = self.clock.wall();
        let ends = self.certificates.as_ref().and_then(|shown| shown.first_end());
        ends.filter(|ends| *ends < now)
            .map(|ends| Cause::since("a certificate of the edge has expired; renew it", ends))
            .into_iter()
            .collect()
    }

    fn panel(&self) -> Vec<Cause> {
        let what = "the last request for a panel did not reach it, or was not answered";
        self.live.meters.panel.failing_since().map(|at| Cause::since(what, at)).into_iter().collect()
    }
}

fn tell_checks(text: &mut String, checks: &[Check], verbose: bool) {
    for check in checks {
        for Cause { what, since, .. } in &check.causes {
            let since = since.map(|since| format!(" since {}", moment(since))).unwrap_or_default();
            let _ = writeln!(text, "[-]{}{since}: {what}", check.name);
        }
        if verbose && check.causes.is_empty() {
            let _ = writeln!(text, "[+]{} ok", check.name);
        }
    }
}

fn document(checks: &[Check], generation: u64, state: &ReloadState) -> Value {
    let of = |check: &Check| {
        let causes = check.causes.iter().map(
            |cause| json!({ "what": cause.what, "since": cause.since.map(moment), "fatal": cause.fatal }),
        );
        json!({ "name": check.name, "ok": check.causes.is_empty(), "causes": causes.collect::<Vec<_>>() })
    };
    json!({
        "ready": is_ready(checks),
        "checks": checks.iter().map(of).collect::<Vec<_>>(),
        "generation": generation,
        "configuration": { "digest": &*state.digest, "since": moment(state.at) },
        "waiting": state.waiting,
    })
}

/// What is in force since when, and what is not.
pub(super) fn tell_reload(text: &mut String, state: &ReloadState) {
    let since = moment(state.at);
    let _ = writeln!(text, "configuration {} in force since {since}", state.digest);
    match &state.problem {
        None => text.push_str("reload ok\n"),
        Some(problem) => {
            let _ = writeln!(text, "reload failed at {}", moment(problem.at));
            let _ = writeln!(text, "the newest configuration is not in force:\n{}", heads(&problem.what));
        }
    }
    if let Some(problem) = &state.not_replaced {
        let _ = writeln!(text, "hand-over failed at {}", moment(problem.at));
        let _ = writeln!(text, "the new process has not taken over:\n{}", heads(&problem.what));
    }
    if state.keys + state.cells.all() > 0 {
        let keys = if state.keys == 1 { "key" } else { "keys" };
        let _ = writeln!(text, "the last reload changed {} {keys}; {}", state.keys, state.cells);
    }
    for key in &state.waiting {
        let _ = writeln!(text, "waits for a restart: {key}");
    }
    for (what, problem) in &state.stale {
        let _ = writeln!(
            text,
            "the last good one stays since {}: {what}:\n{}",
            moment(problem.at),
            heads(&problem.what)
        );
    }
}

/// What is wrong and where, without the lines of the files and without help: anybody on the network may ask here.
fn heads(problems: &str) -> String {
    let quoted = |line: &str| {
        let line = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
        line.starts_with(" |") || line.starts_with('|')
    };
    let heads = problems
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("  help: ") && !quoted(line));
    heads.collect::<Vec<_>>().join("\n")
}

/// RFC 3339 in UTC.
fn moment(at: Wall) -> String {
    let at = i64::try_from(at.secs()).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
    at.map_or_else(|| "?".to_owned(), |at| at.to_string())
}
