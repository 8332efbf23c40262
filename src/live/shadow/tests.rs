use std::time::Duration;

use super::*;
use crate::rules::{outcome::Access, reason::Reason};

const NOON: Wall = Wall::from_secs(1_795_608_000);

fn tried(page: usize, generation: u64, second: u64, outcomes: (Outcome, Outcome)) -> Tried {
    let page = PageName { name: format!("page-{page}").into(), place: "p.yaml:1".into() };
    Tried {
        site: "panel".into(),
        policies: ("one".into(), format!("candidate-{generation}").into()),
        generation,
        decision: DecisionId([u8::try_from(second % 200).unwrap(); 5]),
        at: NOON.plus(Duration::from_secs(second)),
        request: format!("GET /{second}"),
        compared: Compared { role: Some("user".into()), pages: (Some(page.clone()), Some(page)), outcomes },
    }
}

const READ: Outcome = Outcome::Allow(Access::Read);
const DENIED: Outcome = Outcome::Deny(Reason::RoleLacksAccess);

fn trial(shadows: &Shadows, generation: u64) -> Trial {
    shadows.trial("panel", (&"one".into(), &format!("candidate-{generation}").into()))
}

#[test]
fn a_kind_has_its_count_its_times_and_its_last_request() {
    let shadows = Shadows::default();
    // The queue gives them nearly in order.
    for second in [5, 3, 9, 7] {
        shadows.count(tried(1, 1, second, (READ, DENIED)));
    }
    shadows.count(tried(1, 1, 20, (READ, READ)));
    let trial = trial(&shadows, 1);
    assert_eq!((trial.decisions, trial.agreed, trial.flips.len()), (5, 1, 1));
    let flip = trial.flips.first().unwrap();
    assert_eq!((flip.count, flip.effect, flip.request.as_str()), (4, Effect::Closes, "GET /9"));
    assert_eq!(
        (flip.first, flip.last),
        (NOON.plus(Duration::from_secs(3)), NOON.plus(Duration::from_secs(9)))
    );
    assert_eq!(trial.since, Some(NOON.plus(Duration::from_secs(5))));
    let odd = (Outcome::SignIn, DENIED);
    shadows.count(tried(1, 1, 30, odd));
    assert_eq!(shadows.totals(), [("panel".into(), Totals { agreed: 1, disagreed: [0, 4, 0, 1] })]);
}

/// However many kinds there are, so many are told apart, and none is forgotten in the counts.
#[test]
fn there_is_room_for_so_many_kinds_and_no_more() {
    let shadows = Shadows::default();
    for page in 0..KINDS + 10 {
        shadows.count(tried(page, 1, 1, (DENIED, READ)));
    }
    shadows.count(tried(0, 1, 2, (DENIED, READ)));
    let trial = trial(&shadows, 1);
    assert_eq!((trial.flips.len(), trial.beyond), (KINDS, 10));
    assert_eq!(trial.flips.first().unwrap().count, 2, "what is known goes on being counted");
    assert_eq!(trial.decisions, KINDS as u64 + 11);
}

#[test]
fn another_candidate_begins_anew_and_a_straggler_is_no_beginning() {
    let shadows = Shadows::default();
    shadows.count(tried(1, 1, 1, (DENIED, READ)));
    shadows.count(tried(2, 2, 2, (DENIED, READ)));
    shadows.count(tried(1, 1, 3, (DENIED, READ)));
    assert_eq!(trial(&shadows, 1), Trial { flips: vec![], ..trial(&Shadows::default(), 1) });
    assert_eq!((trial(&shadows, 2).decisions, trial(&shadows, 2).flips.len()), (1, 1));
    assert_eq!(shadows.totals().first().unwrap().1.disagreed, [3, 0, 0, 0], "the metrics count on");
}
