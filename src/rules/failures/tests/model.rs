//! The machine against a model that remembers every event.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
struct Event {
    network: u8,
    failed: bool,
    wait: u64,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let wait = prop_oneof![0_u64..40, 100_u64..4000, 80_000_u64..100_000];
    let event = (0_u8..6, prop::bool::weighted(0.8), wait);
    prop::collection::vec(event.prop_map(|(network, failed, wait)| Event { network, failed, wait }), 1..120)
}

/// What happened, as a list.
#[derive(Default)]
struct Model {
    failures: Vec<Failed>,
    known: BTreeSet<u8>,
}

struct Failed {
    at: u64,
    network: u8,
    /// The network was not known then.
    strange: bool,
    /// It was not taken back.
    stands: bool,
}

/// Those in a row, backwards until a calm.
fn row<'f>(failures: impl DoubleEndedIterator<Item = &'f mut Failed>, now: u64) -> Vec<&'f mut Failed> {
    let mut last = now;
    let in_row = |failed: &&'f mut Failed| {
        let calm = last - failed.at >= CALM.as_secs();
        last = failed.at;
        !calm
    };
    failures.rev().take_while(in_row).collect()
}

impl Model {
    fn strangers(&mut self, now: u64) -> (usize, Option<u64>) {
        let strange = self.failures.iter_mut().filter(|failed| failed.strange);
        let row = row(strange, now);
        (row.iter().filter(|failed| failed.stands).count(), row.first().map(|failed| failed.at))
    }

    fn succeed(&mut self, network: u8, now: u64) {
        if self.known.insert(network) {
            let own = self.failures.iter_mut().filter(|failed| failed.network == network);
            for failed in row(own, now) {
                failed.stands = false;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..ProptestConfig::default() })]

    /// Without a stop in reach: strangers are barred exactly when five or more of their failures stand in a row and the
    /// wait after the last one is not over; a success takes back those of its own network.
    #[test]
    fn strangers_wait_as_the_model_says(events in events()) {
        let mut rules = Lockout::default();
        rules.password.stop = u32::MAX;
        let (mut account, mut model) = (Account::default(), Model::default());
        let mut now = 0;
        for event in events {
            now += event.wait;
            if now >= WINDOW.as_secs() {
                break;
            }
            let (network, at) = (net(event.network), after(now));
            let strange = !model.known.contains(&event.network);
            prop_assert_eq!(account.lane(&network, Kind::Password, &rules, at).is_none(), strange);
            if event.failed {
                account.fail(&network, Kind::Password, &rules, at);
                model.failures.push(Failed { at: now, network: event.network, strange, stands: true });
            } else {
                account.succeed(&success(network, at), &rules);
                model.succeed(event.network, now);
            }
            let stranger = account.permits(&net(99), Kind::Password, &rules, at, 0);
            let (row, last) = model.strangers(now);
            let expected = match row.checked_sub(5) {
                None => Ok(u32::try_from(5 - row).unwrap()),
                Some(step) => {
                    let wait = rules.password.waits.get(step).or(rules.password.waits.last()).unwrap();
                    let left = wait.saturating_sub(Duration::from_secs(now - last.unwrap()));
                    if left.is_zero() { Ok(1) } else { Err(Barred::For(left)) }
                }
            };
            prop_assert_eq!(stranger, expected);
        }
    }

    /// Whatever strangers do, in whatever order, from however many networks: where the owner has succeeded he has his
    /// five tries.
    #[test]
    fn no_sequence_of_strangers_bars_the_owner_at_home(
        guesses in prop::collection::vec((0_u8..200, any::<bool>(), 0_u64..7200), 0..400),
    ) {
        let (mut account, rules) = (Account::default(), Lockout::default());
        account.succeed(&success(net(250), START), &rules);
        let mut now = 0;
        for (network, factor, wait) in guesses {
            now += wait;
            let kind = if factor { Kind::Factor } else { Kind::Password };
            account.fail(&net(network), kind, &rules, after(now));
            prop_assume!(after(now).since(START) < rules.known_for);
            prop_assert_eq!(account.permits(&net(250), kind, &rules, after(now), 0), Ok(5));
        }
    }
}
