use std::{num::NonZeroU32, sync::Arc, time::Duration};

use super::{
    exposition::Page,
    metrics::{sessions, shadows},
    ready::{is_ready, tell_reload},
    *,
};
use crate::{
    clock::{ManualClock, Wall},
    live::{Quotas, ReloadProblem, ReloadState, Snapshot, Tried},
    rules::{
        judge::Compared,
        limit::Quota,
        outcome::{Access, DecisionId},
        policy::diff::Outcome,
    },
    store::Store as _,
};

fn tried(outcomes: (Outcome, Outcome)) -> Tried {
    Tried {
        site: "panel".into(),
        policies: (Arc::from("one"), Arc::from("next")),
        generation: 1,
        decision: DecisionId([1; 5]),
        at: Wall::from_secs(1),
        request: "GET /".into(),
        compared: Compared { role: None, pages: (None, None), outcomes },
    }
}

#[test]
fn that_a_process_was_not_replaced_is_told_with_since_when_until_it_is_no_news() {
    let live = Live::new(
        Snapshot::default(),
        Quotas::all(Quota { count: NonZeroU32::MIN, per: Duration::from_secs(1) }),
    );
    let told = || {
        let mut text = String::new();
        tell_reload(&mut text, &live.reload.load());
        text
    };
    let problem = ReloadProblem { at: Wall::from_secs(1_764_000_000), what: "error: restat".into() };
    live.note_not_replaced(Some(problem));
    let text = told();
    assert!(
        text.contains(
            "hand-over failed at 2025-11-24T16:00:00Z\nthe new process has not taken over:\nerror: restat\n"
        ),
        "{text}"
    );
    live.note_not_replaced(None);
    assert!(!told().contains("taken over"));
}

#[test]
fn what_candidates_would_have_answered_is_a_metric_once_there_is_one() {
    let quota = Quota { count: NonZeroU32::MIN, per: Duration::from_secs(1) };
    let quotas = Quotas::all(quota);
    let live = Live::new(Snapshot::default(), quotas);
    let text = || {
        let mut page = Page::default();
        shadows(&mut page, &live);
        page.text()
    };
    assert_eq!(text(), "");
    let (read, full) = (Outcome::Allow(Access::Read), Outcome::Allow(Access::Full));
    for outcomes in [(read, read), (read, read), (read, full), (full, Outcome::SignIn)] {
        live.shadows.count(tried(outcomes));
    }
    let text = text();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        lines,
        [
            r#"panelgate_shadow_decisions_total{site="panel",agrees="yes"} 2"#,
            r#"panelgate_shadow_decisions_total{site="panel",agrees="no"} 2"#,
            r#"panelgate_shadow_disagreements_total{site="panel",effect="opens"} 1"#,
            r#"panelgate_shadow_disagreements_total{site="panel",effect="closes"} 1"#,
            r#"panelgate_shadow_disagreements_total{site="panel",effect="reason"} 0"#,
        ]
    );
}

#[test]
fn what_is_wrong_is_told_without_lines_of_the_files() {
    let problem = "config.yaml:8:3: error[C003]: unknown key `x` in sidecar\n  |\n8 |   x: C4n4ry\n  |   ^\n  help: write `C4n4ry`\n\na.yaml:12:1: error[Y001]: no\n   |\n12 | C4n4ry\n   | ^^^\n";
    let state = ReloadState {
        problem: Some(ReloadProblem { at: Wall::from_secs(1), what: problem.to_owned() }),
        ..ReloadState::default()
    };
    let mut text = String::new();
    tell_reload(&mut text, &state);
    let wanted = "not in force:\nconfig.yaml:8:3: error[C003]: unknown key `x` in sidecar\na.yaml:12:1: error[Y001]: no\n";
    assert!(text.ends_with(wanted) && !text.contains("C4n4ry"), "{text}");
}

#[test]
fn one_changed_key_is_not_said_to_be_keys() {
    let told = |keys| {
        let mut text = String::new();
        tell_reload(&mut text, &ReloadState { keys, ..ReloadState::default() });
        text
    };
    assert!(told(1).contains("changed 1 key; "), "{}", told(1));
    assert!(told(2).contains("changed 2 keys; "), "{}", told(2));
}

fn health(folder: &std::path::Path) -> Health {
    let quota = Quota { count: NonZeroU32::MIN, per: Duration::from_secs(1) };
    let at = Wall::from_secs(1_764_000_000);
    Health {
        live: Arc::new(Live::new(Snapshot::default(), Quotas::all(quota))),
        clock: Arc::new(ManualClock::at(at)),
        store: RedbStore::open(&folder.join("store.redb")).unwrap(),
        certificates: None,
        readiness: watch::channel(Readiness::Ready).1,
        started: at,
    }
}

/// Fewer than there are would be wrong, and zero even more so.
#[tokio::test]
async fn sessions_are_counted_only_when_they_are_all_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let health = health(folder.path());
    let told = || {
        let mut page = Page::default();
        sessions(&mut page, &health);
        page.text().contains("\npanelgate_sessions 0\n")
    };
    assert!(told());
    health.live.records.begin(health.store.rest().await.unwrap());
    assert!(!told());
    assert!(is_ready(&health.checks()), "requests are decided meanwhile");
    health.live.records.end_loading();
    assert!(told());
}

#[tokio::test]
async fn sessions_that_cannot_be_read_are_told_and_take_no_readiness_away() {
    let folder = tempfile::tempdir().unwrap();
    let health = health(folder.path());
    let causes = || health.checks().iter().map(|check| check.causes.len()).sum::<usize>();
    assert_eq!(causes(), 0);
    health.live.records.note_unreadable(3);
    assert_eq!(causes(), 1);
    assert!(is_ready(&health.checks()));
    let mut page = Page::default();
    sessions(&mut page, &health);
    let text = page.text();
    assert!(text.contains("\npanelgate_unreadable_sessions 3\n"), "{text}");
}
