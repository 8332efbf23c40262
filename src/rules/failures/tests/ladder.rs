//! What is documented, step by step.

use super::*;

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 86_400;

#[test]
fn five_failures_are_free_then_the_wait_grows_to_an_hour() {
    let (mut account, rules) = (Account::default(), Lockout::default());
    let mut now = 0;
    for free in (1..=5).rev() {
        assert_eq!(account.permits(&net(1), Kind::Password, &rules, after(now), 0), Ok(free));
        account.fail(&net(1), Kind::Password, &rules, after(now));
    }
    for wait in [30, 5 * MINUTE, HOUR, HOUR, HOUR] {
        let expected = Some(Barred::For(Duration::from_secs(wait)));
        assert_eq!(
            barred(&account, net(2), Kind::Password, after(now)),
            expected,
            "another network is no way out"
        );
        let almost = Some(Barred::For(Duration::from_secs(1)));
        assert_eq!(barred(&account, net(1), Kind::Password, after(now + wait - 1)), almost);
        now += wait;
        assert_eq!(account.permits(&net(1), Kind::Password, &rules, after(now), 0), Ok(1));
        account.fail(&net(1), Kind::Password, &rules, after(now));
    }
    assert_eq!(barred(&account, net(1), Kind::Factor, after(now)), None, "codes are counted on their own");
    assert_eq!(account.permits(&net(1), Kind::Password, &rules, after(now + DAY), 0), Ok(5), "a calm day");
}

#[test]
fn nist_after_a_hundred_failures_in_thirty_days_only_an_operator_helps() {
    let (mut account, rules) = (Account::default(), Lockout::default());
    let mut now = 0;
    for done in 0..100 {
        assert_ne!(barred(&account, net(1), Kind::Password, after(now)), Some(Barred::Stopped), "{done}");
        while let Some(Barred::For(wait)) = barred(&account, net(1), Kind::Password, after(now)) {
            now += wait.as_secs();
        }
        account.fail(&net(done), Kind::Password, &rules, after(now));
    }
    assert!(now < 30 * DAY);
    for later in [now, now + 40 * DAY, now + 4000 * DAY] {
        assert_eq!(barred(&account, net(1), Kind::Password, after(later)), Some(Barred::Stopped));
    }
    account.forgive(Kind::Password);
    assert_eq!(barred(&account, net(1), Kind::Password, after(now)), None);
}

#[test]
fn a_failure_every_day_never_stops_anybody() {
    let (mut account, rules) = (Account::default(), Lockout::default());
    for day in 0..1000 {
        assert_eq!(barred(&account, net(1), Kind::Password, after(day * DAY)), None, "{day}");
        account.fail(&net(1), Kind::Password, &rules, after(day * DAY));
    }
}

#[test]
fn what_strangers_do_never_bars_the_owner_where_he_comes_from() {
    let (mut account, rules) = (Account::default(), Lockout::default());
    account.succeed(&success(net(9), START), &rules);
    for n in 0..200_u8 {
        account.fail(&net(n % 8), Kind::Password, &rules, after(u64::from(n)));
        account.fail(&net(n % 8), Kind::Factor, &rules, after(u64::from(n)));
    }
    for kind in [Kind::Password, Kind::Factor] {
        assert_eq!(barred(&account, net(1), kind, after(300)), Some(Barred::Stopped));
        assert_eq!(account.permits(&net(9), kind, &rules, after(300), 0), Ok(5));
    }
    // He has five of his own, and those bar nobody else.
    for _ in 0..5 {
        account.fail(&net(9), Kind::Password, &rules, after(300));
    }
    assert_eq!(
        barred(&account, net(9), Kind::Password, after(300)),
        Some(Barred::For(Duration::from_secs(30)))
    );
    assert_eq!(account.standing(&rules, after(300)).failures.of(Kind::Password), &200);
    // Not for ever.
    assert_eq!(barred(&account, net(9), Kind::Password, after(31 * DAY)), Some(Barred::Stopped));
}

#[test]
fn a_success_takes_back_what_failed_on_the_same_network_and_nothing_else() {
    let (mut account, rules) = (Account::default(), Lockout::default());
    for _ in 0..4 {
        account.fail(&net(1), Kind::Password, &rules, START);
    }
    for _ in 0..4 {
        account.fail(&net(2), Kind::Password, &rules, START);
    }
    assert!(barred(&account, net(1), Kind::Password, START).is_some());
    account.succeed(&success(net(2), after(HOUR)), &rules);
    assert_eq!(account.standing(&rules, after(HOUR)).failures.of(Kind::Password), &4);
    assert_eq!(
        account.permits(&net(1), Kind::Password, &rules, after(HOUR), 0),
        Ok(1),
        "the four of the other"
    );
    assert_eq!(account.permits(&net(2), Kind::Password, &rules, after(HOUR), 0), Ok(5));
}

#[test]
fn r14_wrong_codes_count_towards_the_stop_whoever_sends_them() {
    let (mut account, rules) = (Account::default(), Lockout::default());
    for n in 0..25_u64 {
        for _ in 0..4 {
            account.fail(&net(1), Kind::Factor, &rules, after(n * DAY));
        }
        account.succeed(&success(net(1), after(n * DAY)), &rules);
        let known = account.lane(&net(1), Kind::Factor, &rules, after(n * DAY)).is_some();
        assert_eq!(known, n < 24, "after {} wrong codes", (n + 1) * 4);
    }
}

#[test]
fn a_known_network_that_comes_to_the_stop_is_known_no_more() {
    let (mut account, rules) = (Account::default(), Lockout::default());
    account.succeed(&success(net(1), START), &rules);
    for _ in 0..100 {
        account.fail(&net(1), Kind::Password, &rules, START);
    }
    assert_eq!(account.lane(&net(1), Kind::Password, &rules, START), None);
    for _ in 0..5 {
        assert_eq!(
            barred(&account, net(1), Kind::Password, START),
            None,
            "what strangers have is left to it"
        );
        account.fail(&net(1), Kind::Password, &rules, START);
    }
    assert!(barred(&account, net(1), Kind::Password, START).is_some());
}

#[test]
fn whoever_has_the_password_alone_gains_no_guesses_at_the_code_and_displaces_nobody() {
    let (mut account, rules) = (Account::default(), Lockout::default());
    account.succeed(&success(net(200), START), &rules);
    for n in 0..100 {
        let success = Success { factor: None, ..success(net(n), START) };
        account.succeed(&success, &rules);
        assert_eq!(account.lane(&net(n), Kind::Factor, &rules, START), None);
        account.fail(&net(n), Kind::Factor, &rules, START);
    }
    assert_eq!(barred(&account, net(201), Kind::Factor, START), Some(Barred::Stopped));
    assert_eq!(barred(&account, net(200), Kind::Factor, START), None, "the owner's network is still known");
    assert_eq!(barred(&account, net(200), Kind::Password, START), None);
}

#[test]
fn failures_displace_no_network_that_the_owner_comes_from() {
    let (mut account, rules) = (Account::default(), Lockout::default());
    for n in 0..16 {
        account.succeed(&Success { factor: None, ..success(net(n), after(u64::from(n))) }, &rules);
    }
    for n in 100..250 {
        account.fail(&net(n), Kind::Password, &rules, after(100));
    }
    assert!((0..16).all(|n| account.lane(&net(n), Kind::Password, &rules, after(100)).is_some()));
    account.succeed(&success(net(99), after(200)), &rules);
    assert!(account.lane(&net(99), Kind::Password, &rules, after(200)).is_some());
    assert!(account.lane(&net(0), Kind::Password, &rules, after(200)).is_none(), "the one of longest ago");
}

#[test]
fn tries_at_once_are_no_more_than_tries_one_after_the_other() {
    let (mut account, rules) = (Account::default(), Lockout::default());
    let permits = |account: &Account, at, under_way| {
        account.permits(&net(1), Kind::Password, &rules, after(at), under_way).is_ok()
    };
    assert!((0..5).all(|under_way| permits(&account, 0, under_way)));
    assert!(!permits(&account, 0, 5));
    for _ in 0..3 {
        account.fail(&net(1), Kind::Password, &rules, START);
    }
    assert!(permits(&account, 0, 1) && !permits(&account, 0, 2));
    for _ in 0..2 {
        account.fail(&net(1), Kind::Password, &rules, START);
    }
    assert!(permits(&account, 30, 0) && !permits(&account, 30, 1), "one at a time");
}

#[test]
fn a_clock_that_is_set_back_makes_nobody_wait_longer_than_the_step() {
    let (mut account, rules) = (Account::default(), Lockout::default());
    for _ in 0..5 {
        account.fail(&net(1), Kind::Password, &rules, after(1000 * DAY));
    }
    assert_eq!(barred(&account, net(1), Kind::Password, START), Some(Barred::For(Duration::from_secs(30))));
}

#[test]
fn a_network_is_banned_longer_each_time_and_a_week_later_as_at_first() {
    let (mut network, rules) = (Network::new(net(1)), Lockout::default().network);
    let mut now = 0;
    for lasts in [15 * MINUTE, HOUR, DAY, DAY] {
        for n in 0..49 {
            assert_eq!(network.fail(1, &rules, after(now)), None, "{n}");
        }
        let ban = network.fail(1, &rules, after(now)).unwrap();
        assert_eq!(ban.until, Some(after(now + lasts)));
        assert_eq!((&*ban.by, &*ban.reason), (BANNED_BY, "50 failed sign-ins or guesses"));
        now += lasts;
    }
    assert_eq!(
        network.fail(50, &rules, after(now + 8 * DAY)).unwrap().until,
        Some(after(now + 8 * DAY + 900))
    );
    assert_eq!(network.fail(49, &rules, after(now + 9 * DAY)), None);
    assert_eq!(
        network.fail(49, &rules, after(now + 9 * DAY + HOUR)),
        None,
        "an hour later they are forgotten"
    );
}
