//! `/metrics`. Labels are bounded: words of our own, and names that the operator chose. No user, path or address.

use std::time::Duration;

use axum::extract::State;

use super::{
    Health,
    exposition::{
        Kind::{Counter, Gauge},
        Page,
    },
    ready,
};
use crate::{
    live::{Limited, Live, Opener, ReloadState, Renewal, Stage},
    rules::{facts::Door, failures::What, policy::diff::Effect, session::Factor},
};

/// A page that comes just after a start waits so long for the number of sessions; whoever scrapes has more patience.
const LOADING: Duration = Duration::from_secs(2);

/// The whole page.
pub(super) async fn answer(State(health): State<Health>) -> ([(&'static str, &'static str); 1], String) {
    let mut loaded = health.live.records.loaded();
    // Without them the page does not say how many there are.
    let _ = tokio::time::timeout(LOADING, loaded.wait_for(|whole| *whole)).await;
    let mut page = Page::default();
    process(&mut page, &health);
    decisions(&mut page, &health.live);
    stages(&mut page, &health.live);
    sessions(&mut page, &health);
    limits(&mut page, &health);
    passwords(&mut page, &health.live);
    store(&mut page, &health);
    reload(&mut page, &health.live.reload.load(), health.live.snapshot().generation);
    journal(&mut page, &health.live);
    shadows(&mut page, &health.live);
    traces(&mut page, &health.live);
    ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], page.text())
}

const DOORS: [(Door, &str); 2] = [(Door::Sidecar, "sidecar"), (Door::Edge, "edge")];

fn process(page: &mut Page, health: &Health) {
    let version = env!("CARGO_PKG_VERSION");
    let help = "The program that runs; the value is always 1.";
    page.begin("panelgate_build_info", Gauge, help).sample(&[("version", version)], 1);
    let help = "When the process started, in seconds since 1970.";
    page.one("process_start_time_seconds", Gauge, help, health.started.secs());
    let checks = health.checks();
    let help = "Whether requests should be sent here: 1, or 0 while /readyz says why not.";
    page.one("panelgate_ready", Gauge, help, u64::from(ready::is_ready(&checks)));
    let help = "Whether something is as it should be: 1, or 0 while /readyz says what is wrong with it.";
    let mut samples = page.begin("panelgate_health", Gauge, help);
    for check in &checks {
        samples.sample(&[("check", check.name)], u64::from(check.causes.is_empty()));
    }
    if let Some(ends) = health.certificates.as_ref().and_then(|shown| shown.first_end()) {
        let help = "When the first certificate of the edge ends, in seconds since 1970.";
        page.one("panelgate_certificate_end_timestamp_seconds", Gauge, help, ends.secs());
    }
}

fn decisions(page: &mut Page, live: &Live) {
    let help = "Answers of the gate by door, outcome and reason (see docs/panel.md for the reasons).";
    let mut samples = page.begin("panelgate_decisions_total", Counter, help);
    for one in live.tally.read() {
        let door = DOORS.iter().find(|(door, _)| *door == one.door).map_or("", |(_, name)| name);
        let labels = [("door", door), ("outcome", one.said.as_str()), ("reason", one.reason.code())];
        samples.sample(&labels, one.count);
    }
}

fn stages(page: &mut Page, live: &Live) {
    let help = "How long parts of a request took: decision (the gate alone), answer (what a door answers by itself), \
                panel (from yes to the head of the panel's answer), portal (the gate's own pages and calls).";
    let reached = |door, stage| door == Door::Edge || stage != Stage::Panel;
    let series = DOORS.into_iter().flat_map(|(door, name)| {
        let stages = Stage::ALL.into_iter().filter(move |stage| reached(door, *stage));
        stages.map(move |stage| {
            (vec![("door", name), ("stage", stage.as_str())], live.meters.stage(door, stage))
        })
    });
    page.times("panelgate_stage_duration_seconds", help, series);
}

pub(super) fn sessions(page: &mut Page, health: &Health) {
    let (live, now) = (&health.live, health.clock.wall());
    let snapshot = live.snapshot();
    // Not before they are all here: fewer than there are would be wrong.
    if let Some(whole) = live.records.whole() {
        let (alive, elevated) = whole.count_sessions(now, |session| {
            let site = snapshot.sites.all().iter().find(|site| site.id == session.site);
            let until = site.and_then(|site| site.policy.elevated_elsewhere_until(session.elevation));
            until.is_some_and(|until| until > now)
        });
        let help = "Sessions that have neither ended nor expired.";
        page.one("panelgate_sessions", Gauge, help, alive);
        let help = "Sessions of which the second factor was proved recently enough for pages without a time of their own.";
        page.one("panelgate_elevated_sessions", Gauge, help, elevated);
        let help = "Sessions in the store that cannot be read; whoever presents one is refused.";
        page.one("panelgate_unreadable_sessions", Gauge, help, live.records.unreadable());
    }
    let help = "Sessions that were opened, by a sign-in at the portal or by a trusted issuer's token.";
    let mut samples = page.begin("panelgate_sessions_opened_total", Counter, help);
    for (by, name) in [(Opener::Portal, "portal"), (Opener::Issuer, "issuer")] {
        samples.sample(&[("by", name)], live.meters.opened(by).get());
    }
    let help = "Times that a session became elevated, by the factor that was proved.";
    let mut samples = page.begin("panelgate_elevations_total", Counter, help);
    for (by, name) in [(Factor::Totp, "totp"), (Factor::BackupCode, "backup-code")] {
        samples.sample(&[("factor", name)], live.meters.elevation(by).get());
    }
    let help = "Renewals by result. reused: an old refresh token came again, so the session was ended; somebody may \
                have stolen it.";
    let mut samples = page.begin("panelgate_refreshes_total", Counter, help);
    for renewal in Renewal::ALL {
        samples.sample(&[("result", renewal.as_str())], live.meters.renewal(renewal).get());
    }
}

fn limits(page: &mut Page, health: &Health) {
    let (live, now) = (&health.live, health.clock.wall());
    let help = "Requests that were over a quota, by what was counted.";
    let mut samples = page.begin("panelgate_limited_total", Counter, help);
    for what in Limited::ALL {
        samples.sample(&[("class", what.as_str())], live.counters.limited(what));
    }
    let bans = live.records.bans();
    let help = "Connections and requests of banned clients that were turned away.";
    page.one("panelgate_banned_total", Counter, help, bans.turned_away());
    page.one("panelgate_bans", Gauge, "Bans that count now.", bans.counting(now));
    let failures = live.records.failures();
    let help = "Wrong passwords and codes, refresh tokens and API keys that nobody was given, and traps.";
    let mut samples = page.begin("panelgate_failures_total", Counter, help);
    for what in What::ALL {
        samples.sample(&[("what", what.metric())], failures.counted(what));
    }
    let help = "Passwords and codes that were not looked at because of failures before them.";
    page.one("panelgate_locked_out_total", Counter, help, failures.barred());
}

fn passwords(page: &mut Page, live: &Live) {
    let meter = &live.meters.passwords;
    let help = "Passwords that wait to be hashed; as many as there are cores are hashed at once.";
    page.one("panelgate_password_queue", Gauge, help, meter.waiting.get());
    let help = "Passwords that are being hashed.";
    page.one("panelgate_password_hashing", Gauge, help, meter.running.get());
    let help = "Passwords that were turned away because too many were waiting.";
    page.one("panelgate_password_refused_total", Counter, help, meter.refused.get());
    let help = "How long passwords waited for their turn to be hashed.";
    page.times("panelgate_password_wait_seconds", help, [(Vec::new(), &meter.wait)]);
}

fn store(page: &mut Page, health: &Health) {
    let meter = health.store.meter();
    let help = "How long one commit of the store took: applying the writes and waiting for the disk.";
    page.times("panelgate_store_commit_duration_seconds", help, [(Vec::new(), &meter.commits)]);
    let help = "How many writes shared one commit.";
    page.lengths("panelgate_store_commit_writes", help, &meter.writes);
    let help = "Commits that failed; after one the store is closed and the process ends.";
    page.one("panelgate_store_failed_commits_total", Counter, help, meter.failed.get());
    let help = "Writes that wait for the store.";
    page.one("panelgate_store_queue", Gauge, help, health.store.waiting());
}

/// What became of the last reload.
fn reload(page: &mut Page, state: &ReloadState, generation: u64) {
    let help = "Reloads since the start, by whether the new configuration was taken.";
    let mut samples = page.begin("panelgate_reloads_total", Counter, help);
    samples.sample(&[("result", "taken")], state.done);
    samples.sample(&[("result", "refused")], state.failed);
    let gauges = [
        ("panelgate_generation", "Generation of the configuration in force; counts up.", generation),
        (
            "panelgate_reload_successful",
            "Whether the newest configuration is in force: 1, or 0 while it is refused.",
            u64::from(state.problem.is_none()),
        ),
        (
            "panelgate_reload_timestamp_seconds",
            "When the configuration in force was loaded, in seconds since 1970.",
            state.at.secs(),
        ),
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
        page.one(name, Gauge, help, value);
    }
    let cells = state.cells;
    let help = "Cells of policies that the last reload changed.";
    let mut samples = page.begin("panelgate_reload_changed_cells", Gauge, help);
    for (effect, count) in [("opens", cells.opens), ("closes", cells.closes), ("turns", cells.turns)] {
        samples.sample(&[("effect", effect)], count);
    }
    let help = "The configuration in force, by the digest that /readyz shows; the value is always 1.";
    page.begin("panelgate_config_info", Gauge, help).sample(&[("digest", &state.digest)], 1);
    let help = "What is not as its file or address has it, with the value 1; the last good one stays.";
    let mut samples = page.begin("panelgate_stale", Gauge, help);
    for what in state.stale.keys() {
        samples.sample(&[("what", what)], 1);
    }
}

/// What became of decisions on their way to the journal.
fn journal(page: &mut Page, live: &Live) {
    let counts = live.journal.read();
    let help = "Decisions by what became of them on their way to the journal.";
    let mut samples = page.begin("panelgate_journal_records_total", Counter, help);
    for (what, count) in [("written", counts.written), ("dropped", counts.dropped), ("lost", counts.lost)] {
        samples.sample(&[("result", what)], count);
    }
    page.one("panelgate_journal_bytes", Gauge, "Size of the journal's files.", counts.bytes);
}

/// What candidate policies would have answered; nothing where no site has one.
pub(super) fn shadows(page: &mut Page, live: &Live) {
    let totals = live.shadows.totals();
    if totals.is_empty() {
        return;
    }
    let help = "Decisions that were put to a candidate policy as well.";
    let mut samples = page.begin("panelgate_shadow_decisions_total", Counter, help);
    for (site, totals) in &totals {
        let disagreed: u64 = totals.disagreed.iter().sum();
        for (agrees, count) in [("yes", totals.agreed), ("no", disagreed)] {
            samples.sample(&[("site", site), ("agrees", agrees)], count);
        }
    }
    let help = "What a candidate policy would have changed.";
    let mut samples = page.begin("panelgate_shadow_disagreements_total", Counter, help);
    for (site, totals) in &totals {
        // One request cannot turn both ways.
        let effects =
            Effect::ALL.iter().zip(totals.disagreed).filter(|(effect, _)| **effect != Effect::Turns);
        for (effect, count) in effects {
            samples.sample(&[("site", site), ("effect", effect.as_str())], count);
        }
    }
}

/// Spans on their way to the collector.
fn traces(page: &mut Page, live: &Live) {
    let meter = &live.meters.traces;
    let help =
        "Spans of traces: sent, failed (the collector did not take them), dropped (the queue was full).";
    let mut samples = page.begin("panelgate_trace_spans_total", Counter, help);
    for (result, counter) in [("sent", &meter.sent), ("failed", &meter.failed), ("dropped", &meter.dropped)] {
        samples.sample(&[("result", result)], counter.get());
    }
}
