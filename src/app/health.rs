//! Metrics and health, on a listener of their own (R32).

#[cfg(test)]
mod tests;

use std::{fmt::Write, sync::Arc, time::Duration};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::{Clock, SystemClock, Wall},
    live::{Live, ReloadState},
    rules::{failures::Kind, policy::diff::Effect},
};

/// What `/readyz` says beside yes or no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Set once everything runs, cleared when stopping.
    pub ready: bool,
}

/// A connection may go on so long once the gate stops.
const GRACE: Duration = Duration::from_millis(500);

async fn stopped_for(stop: &CancellationToken, grace: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(grace).await;
}

#[derive(Clone)]
struct Health {
    live: Arc<Live>,
    readiness: watch::Receiver<Readiness>,
}

/// Answers `/metrics`, `/healthz` and `/readyz` until told to stop.
pub(super) async fn serve(
    listener: TcpListener,
    live: Arc<Live>,
    readiness: watch::Receiver<Readiness>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Health { live, readiness });
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (router, stop) = (router.clone(), stop.clone());
        tasks.spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
            // One answer that is under way may be sent.
            tokio::select! {
                _ = connection => {}
                () = stopped_for(&stop, GRACE) => {}
            }
        });
    }
}

async fn ready(State(health): State<Health>) -> (StatusCode, String) {
    let readiness = health.readiness.borrow().clone();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let generation = health.live.snapshot().generation;
    let mut text =
        format!("{}\ngeneration {generation}\n", if readiness.ready { "ready" } else { "not ready" });
    tell_reload(&mut text, &health.live.reload.load());
    (status, text)
}

/// What is in force since when, and what is not.
fn tell_reload(text: &mut String, state: &ReloadState) {
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
    if let Some(problem) = &state.unaccounted {
        let (since, what) = (moment(problem.at), &problem.what);
        let _ =
            writeln!(text, "audit trail not written since {since}: what needs a record is refused: {what}");
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

async fn metrics(State(health): State<Health>) -> ([(&'static str, &'static str); 1], String) {
    let mut text = String::from("# HELP panelgate_decisions_total Decisions by reason.\n");
    text.push_str("# TYPE panelgate_decisions_total counter\n");
    for (reason, count) in health.live.tally.read() {
        let _ = writeln!(text, "panelgate_decisions_total{{reason=\"{}\"}} {count}", reason.code());
    }
    let bans = health.live.records.bans();
    text.push_str(
        "# HELP panelgate_banned_total Connections and requests of banned clients that were turned away.\n",
    );
    text.push_str("# TYPE panelgate_banned_total counter\n");
    let _ = writeln!(text, "panelgate_banned_total {}", bans.turned_away());
    let failures = health.live.records.failures();
    text.push_str("# HELP panelgate_failures_total Wrong passwords and codes.\n# TYPE panelgate_failures_total counter\n");
    for (what, kind) in [("password", Kind::Password), ("second-factor", Kind::Factor)] {
        let _ = writeln!(text, "panelgate_failures_total{{what=\"{what}\"}} {}", failures.counted(kind));
    }
    text.push_str("# HELP panelgate_locked_out_total Tries that were not made because of failures before them.\n# TYPE panelgate_locked_out_total counter\n");
    let _ = writeln!(text, "panelgate_locked_out_total {}", failures.barred());
    let now = SystemClock::new().wall();
    let sessions = health.live.records.live_sessions();
    let readiness = health.readiness.borrow().clone();
    let gauges = [
        ("panelgate_sessions", "Sessions in memory that have not ended.", sessions as u64),
        (
            "panelgate_generation",
            "Generation of the configuration in force.",
            health.live.snapshot().generation,
        ),
        (
            "panelgate_failed_reloads",
            "Reloads that failed since the start.",
            health.live.reload.load().failed,
        ),
        ("panelgate_bans", "Bans that count now.", bans.counting(now) as u64),
        ("panelgate_ready", "Whether the gate serves.", u64::from(readiness.ready)),
    ];
    for (name, help, value) in gauges {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
    }
    reload(&mut text, &health.live.reload.load());
    journal(&mut text, &health.live);
    shadows(&mut text, &health.live);
    ([("content-type", "text/plain; version=0.0.4")], text)
}

/// What became of the last reload.
fn reload(text: &mut String, state: &ReloadState) {
    let gauges = [
        (
            "panelgate_reload_successful",
            "Whether the newest configuration is in force.",
            u64::from(state.problem.is_none()),
        ),
        (
            "panelgate_reload_timestamp_seconds",
            "When the configuration in force was loaded.",
            state.at.secs(),
        ),
        ("panelgate_reloads", "Reloads that succeeded since the start.", state.done),
        (
            "panelgate_reload_changed_keys",
            "Keys of the configuration that the last reload changed.",
            state.keys as u64,
        ),
        (
            "panelgate_reload_waiting_keys",
            "Changed keys that count only after a restart.",
            state.waiting.len() as u64,
        ),
    ];
    for (name, help, value) in gauges {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
    }
    let name = "panelgate_reload_changed_cells";
    let _ =
        write!(text, "# HELP {name} Cells of policies that the last reload changed.\n# TYPE {name} gauge\n");
    let cells = state.cells;
    for (effect, count) in [("opens", cells.opens), ("closes", cells.closes), ("turns", cells.turns)] {
        let _ = writeln!(text, "{name}{{effect=\"{effect}\"}} {count}");
    }
    let name = "panelgate_config_info";
    let _ = write!(text, "# HELP {name} The configuration in force.\n# TYPE {name} gauge\n");
    let _ = writeln!(text, "{name}{{digest=\"{}\"}} 1", state.digest);
    let name = "panelgate_stale";
    let _ =
        writeln!(text, "# HELP {name} What is not as its file or address has it; the last good one stays.");
    let _ = writeln!(text, "# TYPE {name} gauge");
    for what in state.stale.keys() {
        let what = what.replace(['\\', '"', '\n'], "?");
        let _ = writeln!(text, "{name}{{what=\"{what}\"}} 1");
    }
}

/// What became of decisions on their way to the journal.
fn journal(text: &mut String, live: &Live) {
    let counts = live.journal.read();
    let _ = write!(
        text,
        "# HELP panelgate_journal_records_total Decisions by what became of them on their way to the journal.\n\
         # TYPE panelgate_journal_records_total counter\n"
    );
    for (what, count) in [("written", counts.written), ("dropped", counts.dropped), ("lost", counts.lost)] {
        let _ = writeln!(text, "panelgate_journal_records_total{{result=\"{what}\"}} {count}");
    }
    let bytes = counts.bytes;
    let _ = write!(
        text,
        "# HELP panelgate_journal_bytes Size of the journal's files.\n\
         # TYPE panelgate_journal_bytes gauge\npanelgate_journal_bytes {bytes}\n"
    );
}

/// What candidate policies would have answered; nothing where no site has one.
fn shadows(text: &mut String, live: &Live) {
    let totals = live.shadows.totals();
    if totals.is_empty() {
        return;
    }
    text.push_str(
        "# HELP panelgate_shadow_decisions_total Decisions that were put to a candidate policy as well.\n\
         # TYPE panelgate_shadow_decisions_total counter\n",
    );
    for (site, totals) in &totals {
        let disagreed: u64 = totals.disagreed.iter().sum();
        for (agrees, count) in [("yes", totals.agreed), ("no", disagreed)] {
            let _ = writeln!(
                text,
                "panelgate_shadow_decisions_total{{site=\"{site}\",agrees=\"{agrees}\"}} {count}"
            );
        }
    }
    text.push_str(
        "# HELP panelgate_shadow_disagreements_total What a candidate policy would have changed.\n\
         # TYPE panelgate_shadow_disagreements_total counter\n",
    );
    for (site, totals) in &totals {
        for (effect, count) in Effect::ALL.iter().zip(totals.disagreed) {
            // One request cannot turn both ways.
            if *effect == Effect::Turns {
                continue;
            }
            let effect = effect.as_str();
            let _ = writeln!(
                text,
                "panelgate_shadow_disagreements_total{{site=\"{site}\",effect=\"{effect}\"}} {count}"
            );
        }
    }
}
