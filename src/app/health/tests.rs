use std::{num::NonZeroU32, sync::Arc, time::Duration};

use super::*;
use crate::{
    clock::Wall,
    live::{Quotas, Snapshot, Tried},
    rules::{
        judge::Compared,
        limit::Quota,
        outcome::{Access, DecisionId},
        policy::diff::Outcome,
    },
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
fn what_candidates_would_have_answered_is_a_metric_once_there_is_one() {
    let quota = Quota { count: NonZeroU32::MIN, per: Duration::from_secs(1) };
    let quotas = Quotas::all(quota);
    let live = Live::new(Snapshot::default(), quotas);
    let mut text = String::new();
    shadows(&mut text, &live);
    assert_eq!(text, "");
    let (read, full) = (Outcome::Allow(Access::Read), Outcome::Allow(Access::Full));
    for outcomes in [(read, read), (read, read), (read, full), (full, Outcome::SignIn)] {
        live.shadows.count(tried(outcomes));
    }
    shadows(&mut text, &live);
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
fn one_changed_key_is_not_said_to_be_keys() {
    let told = |keys| {
        let mut text = String::new();
        tell_reload(&mut text, &ReloadState { keys, ..ReloadState::default() });
        text
    };
    assert!(told(1).contains("changed 1 key; "), "{}", told(1));
    assert!(told(2).contains("changed 2 keys; "), "{}", told(2));
}
