use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::rules::{
    failures::{Known, Success},
    identity::UserId,
};

const NOW: Wall = Wall::from_secs(1_800_000_000);
const SUBJECT: Subject = Subject::Account(UserId([1; 16]));

fn net(last: u8) -> NetworkKey {
    NetworkKey::of(IpAddr::V4(Ipv4Addr::new(203, 0, 113, last)))
}

fn begin(failures: &Failures, network: u8) -> Result<Try<'_>, Barred> {
    failures.begin((SUBJECT, Kind::Password), net(network), &Lockout::default(), NOW)
}

#[test]
fn of_many_tries_at_once_from_anywhere_five_are_made_and_each_that_ends_makes_room() {
    let failures = Failures::default();
    let mut held: Vec<_> = (0..5).map(|n| begin(&failures, n).ok().unwrap()).collect();
    assert_eq!(held.iter().map(|held| held.free).collect::<Vec<_>>(), [5, 4, 3, 2, 1]);
    assert!(begin(&failures, 9).is_err());
    assert!(
        failures.begin((SUBJECT, Kind::Factor), net(1), &Lockout::default(), NOW).is_ok(),
        "counted apart"
    );
    held.pop();
    assert!(begin(&failures, 9).is_ok());
    drop(held);
    assert!(failures.under_way.is_empty(), "nothing is left of tries that are over");
    assert_eq!(failures.barred(), 1);
}

#[test]
fn strangers_tries_take_none_from_a_known_network() {
    let failures = Failures::default();
    let mut account = Account::default();
    let success =
        Success { user: UserId([1; 16]), network: net(7), password: Some(Known::Yes), factor: None, at: NOW };
    account.succeed(&success, &Lockout::default());
    failures.put(SUBJECT, Some(Arc::new(account)));
    let held: Vec<_> = (0..5).map(|n| begin(&failures, n)).collect();
    assert!(held.iter().all(Result::is_ok) && begin(&failures, 8).is_err());
    assert_eq!(begin(&failures, 7).ok().map(|held| held.free), Some(5));
}

#[test]
fn what_is_gone_from_the_store_is_gone_here() {
    let failures = Failures::default();
    failures.put(SUBJECT, Some(Arc::default()));
    failures.put(Subject::Name([1; 16]), Some(Arc::default()));
    failures.load(vec![(SUBJECT, Account::default())]);
    assert!(failures.get(&SUBJECT).is_some() && failures.get(&Subject::Name([1; 16])).is_none());
    failures.put(SUBJECT, None);
    assert!(failures.get(&SUBJECT).is_none());
}
