//! Each kind of failure is counted where it belongs, once.

use std::time::Duration;

use super::*;
use crate::rules::record::{Client, Reply, tests::sample};

const NOW: Wall = Wall::from_secs(1_800_000_000);

fn net(text: &str) -> NetworkKey {
    NetworkKey::of(text.parse().unwrap())
}

fn later(secs: u64) -> Wall {
    NOW.plus(Duration::from_secs(secs))
}

fn refusal(ip: &str, reason: Reason, at: Wall) -> Record {
    let record = sample("GET", "/.env");
    let client = Client { ip: ip.parse().unwrap(), ..record.client.clone() };
    Record { at, client, reply: Reply { reason, ..record.reply.clone() }, ..record }
}

fn guessed(guesses: &[(&str, Kind, u64)]) -> Account {
    let mut account = Account::default();
    for (from, kind, at) in guesses {
        account.fail(&net(from), *kind, &Lockout::default(), later(*at));
    }
    account
}

fn counted(from: &str, times: u32, at: u64) -> Network {
    let mut network = Network::new(net(from));
    let rules = Lockout::default();
    for _ in 0..times {
        network.fail(1, &rules.network, later(at));
    }
    network
}

#[test]
fn failures_of_accounts_networks_and_refusals_come_together() {
    let accounts = [
        guessed(&[("203.0.113.7", Kind::Password, 0), ("203.0.113.7", Kind::Password, 5)]),
        guessed(&[("203.0.113.7", Kind::Factor, 9), ("2001:db8::1", Kind::Password, 3)]),
    ];
    let mut refusals: Vec<Record> = [
        refusal("203.0.113.7", Reason::Trap, later(20)),
        refusal("198.51.100.1", Reason::BadCredential, later(7)),
        refusal("198.51.100.1", Reason::SessionEnded, later(8)),
    ]
    .into();
    refusals.retain(is_attempt);
    let mut old = refusal("192.0.2.9", Reason::Trap, NOW);
    old.shorten(later(200_000));
    refusals.push(old);
    let counts = [counted("203.0.113.7", 3, 9)];
    let all = by_network(&counts, accounts.iter(), &refusals, &Lockout::default(), later(30));
    let shown: Vec<_> = all.iter().map(|seen| (seen.network.to_string(), seen.counts.parts())).collect();
    assert_eq!(
        shown,
        [
            ("203.0.113.7/32".into(), [2, 1, 0, 1]),
            ("198.51.100.1/32".into(), [0, 0, 1, 0]),
            ("2001:db8::/64".into(), [1, 0, 0, 0]),
        ],
        "the last first; a session that has ended is no attempt, and an address that was shortened is nobody's"
    );
    assert_eq!((all[0].since, all[0].last, all[0].towards), (NOW, later(20), Some((3, later(9)))));
    assert_eq!((all[1].since, all[1].last, all[1].towards), (later(7), later(7), None));
}

#[test]
fn a_network_that_was_banned_says_so_and_starts_counting_again() {
    let all = by_network(&[counted("203.0.113.7", 50, 0)], [].iter(), &[], &Lockout::default(), later(1));
    assert_eq!((all[0].bans, all[0].towards), (1, None));
}

#[test]
fn a_slash_48_is_listed_with_the_sum_of_its_networks_and_counted_once_by_country() {
    let in_site = |own: u32| format!("2001:db8:7:{own:x}::1");
    let accounts: Vec<Account> = (1..=3).map(|n| guessed(&[(&in_site(n), Kind::Password, 1)])).collect();
    let mut site = Network::new(net(&in_site(1)).wider().unwrap());
    site.fail(3, &Lockout::default().network, later(1));
    let alone = Network::new(net("2001:db8:8::1").wider().unwrap());
    let counts = [counted(&in_site(1), 1, 1), counted("2001:db8:8::1", 1, 1), site, alone];
    let all = by_network(&counts, accounts.iter(), &[], &Lockout::default(), later(2));
    let wider: Vec<_> = all.iter().filter(|seen| seen.is_wider()).collect();
    let shown: Vec<_> = wider.iter().map(|seen| (seen.network.to_string(), seen.counts.sum())).collect();
    assert_eq!(shown, [("2001:db8:7::/48".into(), 3)], "one that stands for a single network is not");
    assert_eq!(wider[0].towards, Some((3, later(1))));
    let places = by_country(&all, &Places::default());
    assert_eq!((places[0].networks, places[0].counts.sum()), (4, 3));
}

#[test]
fn an_account_sums_strangers_and_its_own_networks_once() {
    let rules = Lockout::default();
    let account = guessed(&[
        ("203.0.113.7", Kind::Password, 0),
        ("203.0.113.8", Kind::Password, 1),
        ("203.0.113.8", Kind::Factor, 2),
    ]);
    let (counts, last, networks) = at_account(&account, &rules, later(3));
    assert_eq!((counts.parts(), last), ([2, 1, 0, 0], later(2)));
    assert_eq!(networks, [net("203.0.113.8").0, net("203.0.113.7").0]);
    let month = Duration::from_secs(31 * 86_400);
    assert_eq!(at_account(&account, &rules, NOW.plus(month)).0.sum(), 0, "after 30 days nothing is left");
}

#[test]
fn what_is_nowhere_is_gathered_as_unknown() {
    let all = by_network(&[counted("203.0.113.7", 1, 0)], [].iter(), &[], &Lockout::default(), later(1));
    let places = by_country(&all, &Places::default());
    assert_eq!((places.len(), places[0].whom, places[0].networks), (1, None, 1));
}
