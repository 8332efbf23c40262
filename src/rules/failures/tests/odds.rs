//! The probabilities that docs/limits.md states, computed from the rules themselves.

use super::*;

/// The codes of the step before, of now, and of the step after count (`rules::factor::totp`).
const VALID: f64 = 3.0;
const CODES: f64 = 1e6;

/// How many tries the most patient guesser gets within a time, whenever a try is allowed.
fn tries(kind: Kind, within: Duration, pause: Duration) -> u32 {
    let (mut account, rules) = (Account::default(), Lockout::default());
    let (mut now, mut tries) = (START, 0);
    while now.since(START) < within {
        match account.permits(&net(1), kind, &rules, now, 0) {
            Ok(_) => {
                account.fail(&net(1), kind, &rules, now);
                tries += 1;
                now = now.plus(pause);
            }
            Err(Barred::For(wait)) => now = now.plus(wait),
            Err(Barred::Stopped) => break,
        }
    }
    tries
}

fn odds(tries: u32) -> f64 {
    1.0 - (1.0 - VALID / CODES).powi(i32::try_from(tries).unwrap())
}

const DAY: Duration = CALM;

#[test]
fn r14_the_second_factor_is_guessed_as_rarely_as_the_docs_say() {
    let docs = include_str!("../../../../docs/limits.md");
    // All at once as soon as it is allowed, or spread so that no wait ever comes.
    let spread = DAY / 5 + Duration::from_secs(1);
    let day = tries(Kind::Factor, DAY, Duration::ZERO).max(tries(Kind::Factor, DAY, spread));
    let ever = tries(Kind::Factor, WINDOW, Duration::ZERO);
    assert_eq!((day, ever), (12, 100));
    for said in [
        format!("{day} guesses in the first 24 hours, {:.4} %", odds(day) * 100.0),
        format!("{ever} guesses in 30 days, {:.3} %", odds(ever) * 100.0),
    ] {
        assert!(docs.contains(&said), "docs/limits.md does not say: {said}");
    }
}

#[test]
fn a_password_is_tried_as_often_as_the_docs_say() {
    let docs = include_str!("../../../../docs/limits.md");
    let (day, month) =
        (tries(Kind::Password, DAY, Duration::ZERO), tries(Kind::Password, WINDOW, Duration::ZERO));
    let said = format!("{day} guesses in the first 24 hours and {month} in 30 days");
    assert!(docs.contains(&said), "docs/limits.md does not say: {said}");
    assert!(month <= 100, "NIST SP 800-63B-4 §3.2.2");
}
