//! Failures and what follows from them.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt;

use super::{START, later, populate};
use crate::{
    rules::{
        address::NetworkKey,
        ban::Ban,
        failures::{Account, Barred, Consequence, Failure, Kind, Known, Lockout, Subject, Success},
        identity::UserId,
    },
    store::{Change, Cursor, Store, UserChange},
};

const SUBJECT: Subject = Subject::Account(UserId([1; 16]));

fn net(n: u32) -> NetworkKey {
    NetworkKey::of(IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + n)))
}

fn rules() -> Arc<Lockout> {
    Arc::default()
}

fn failure(guessed: Option<(Subject, Kind)>, network: u32, secs: u64) -> Failure {
    Failure { guessed, network: net(network), bannable: true, count: 1, at: later(secs) }
}

async fn fail(store: &Arc<dyn Store>, subject: Subject, kind: Kind, network: u32) -> Consequence {
    store.fail(failure(Some((subject, kind)), network, 0), rules()).await.unwrap().value
}

async fn of(store: &Arc<dyn Store>, subject: Subject) -> Option<Account> {
    let all = store.everything().await.unwrap().failures;
    all.into_iter().find(|(whose, _)| *whose == subject).map(|(_, account)| account)
}

async fn barred(store: &Arc<dyn Store>, kind: Kind) -> bool {
    let account = of(store, SUBJECT).await.unwrap_or_default();
    account.permits(&net(99), kind, &rules(), START, 0).is_err()
}

pub(super) async fn r16_failures_are_counted_by_account_and_by_name_and_show_in_the_stream(
    store: Arc<dyn Store>,
) {
    populate(&store, 1, &[]).await;
    let name = Subject::Name([7; 16]);
    let mut stream = store.changes(Cursor::default()).await.unwrap();
    for left in (0..5).rev() {
        let one = fail(&store, SUBJECT, Kind::Password, left).await;
        let other = fail(&store, name, Kind::Password, left).await;
        assert_eq!((one.left, &one), (left, &other), "an account and a name that is none fare alike");
        assert_eq!(one.barred, (left == 0).then_some(Barred::For(Duration::from_secs(30))));
    }
    assert!(barred(&store, Kind::Password).await && !barred(&store, Kind::Factor).await);
    assert_eq!(of(&store, name).await, of(&store, SUBJECT).await);
    let _account_made = stream.next().await.unwrap();
    let (_, change) = stream.next().await.unwrap();
    assert!(matches!(change, Change::Failures(SUBJECT, Some(_))), "{change:?}");
    assert!(store.forgive(UserId([1; 16]), vec![Kind::Password]).await.unwrap().value);
    assert!(!barred(&store, Kind::Password).await);
    assert!(!store.forgive(UserId([1; 16]), vec![Kind::Password]).await.unwrap().value, "no news");
}

pub(super) async fn r16_of_200_parallel_failures_none_is_lost(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    let failing = (0..200).map(|n| {
        let store = Arc::clone(&store);
        async move { fail(&store, SUBJECT, Kind::Password, n).await }
    });
    futures_util::future::join_all(failing).await;
    let standing = of(&store, SUBJECT).await.unwrap().standing(&rules(), START);
    assert_eq!(standing.failures.of(Kind::Password), &200);
}

pub(super) async fn a_success_takes_back_its_own_and_writes_only_news(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    for network in [1, 1, 2] {
        fail(&store, SUBJECT, Kind::Password, network).await;
    }
    let success = |secs| Success {
        user: UserId([1; 16]),
        network: net(1),
        password: Some(Known::Yes),
        factor: None,
        at: later(secs),
    };
    let first = store.succeed(success(0), rules()).await.unwrap();
    let account = of(&store, SUBJECT).await.unwrap();
    assert_eq!(account.standing(&rules(), START).failures.of(Kind::Password), &1);
    assert!(account.lane(&net(1), Kind::Password, &rules(), START).is_some());
    assert_eq!(store.succeed(success(60), rules()).await.unwrap().cursor, first.cursor);
    assert_ne!(store.succeed(success(100_000), rules()).await.unwrap().cursor, first.cursor);
    let nobody = Success { user: UserId([9; 16]), ..success(0) };
    store.succeed(nobody, rules()).await.unwrap();
    assert_eq!(of(&store, Subject::Account(UserId([9; 16]))).await, None);
}

pub(super) async fn a_new_password_and_a_new_factor_forgive_their_own_kind(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    for kind in [Kind::Password, Kind::Factor] {
        for _ in 0..5 {
            fail(&store, SUBJECT, kind, 1).await;
        }
    }
    let change = UserChange { password: Some("new".into()), ..UserChange::default() };
    store.change_user(UserId([1; 16]), change, START).await.unwrap();
    assert!(!barred(&store, Kind::Password).await && barred(&store, Kind::Factor).await);
    let change = UserChange { totp: Some(None), ..UserChange::default() };
    store.change_user(UserId([1; 16]), change, START).await.unwrap();
    assert!(!barred(&store, Kind::Factor).await);
    fail(&store, SUBJECT, Kind::Password, 1).await;
    store.remove_user(UserId([1; 16]), START).await.unwrap();
    assert_eq!(of(&store, SUBJECT).await, None);
}

pub(super) async fn a_network_that_fails_too_often_is_banned_once_unless_it_is_spared(store: Arc<dyn Store>) {
    for n in 0..49 {
        let name = Subject::Name([n; 16]);
        assert_eq!(fail(&store, name, Kind::Password, 1).await.banned, []);
    }
    let ban = store.fail(failure(None, 1, 0), rules()).await.unwrap().value.banned.remove(0);
    assert_eq!((ban.whom, ban.until), (net(1).0.into(), Some(later(900))));
    assert_eq!(store.everything().await.unwrap().bans, [ban]);
    let spared = Failure { bannable: false, count: 500, ..failure(None, 2, 0) };
    assert_eq!(store.fail(spared, rules()).await.unwrap().value.banned, []);

    let by_hand =
        Ban { whom: net(3).0.into(), reason: String::new(), by: "uid 0".into(), since: START, until: None };
    store.ban(by_hand.clone()).await.unwrap();
    let many = Failure { count: 50, ..failure(None, 3, 0) };
    assert_eq!(store.fail(many, rules()).await.unwrap().value.banned, []);
    assert!(store.everything().await.unwrap().bans.contains(&by_hand), "what lasts longer stays");
}

/// An attacker who is given a /48 has 65 536 networks; each failure counts there, too.
pub(super) async fn r16_a_slash_48_is_banned_for_what_its_networks_do_together(store: Arc<dyn Store>) {
    let network = |n: u32| {
        let [site, own] = [n >> 16, n & 0xffff].map(|part| u16::try_from(part).unwrap());
        NetworkKey::of(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, site, own, 0, 0, 0, 1)))
    };
    let failing = |n, count| Failure { network: network(n), count, ..failure(None, 0, 0) };
    for n in 0..47 {
        assert_eq!(store.fail(failing(n, 17), rules()).await.unwrap().value.banned, [], "{n}");
    }
    let neighbour = store.fail(failing(1 << 16, 49), rules()).await.unwrap().value;
    assert_eq!(neighbour.banned, [], "the next /48 has a count of its own");
    let banned = store.fail(failing(47, 1), rules()).await.unwrap().value.banned;
    assert_eq!(banned.iter().map(|ban| ban.whom.to_string()).collect::<Vec<_>>(), ["2001:db8::/48"]);
    assert_eq!(banned[0].until, Some(later(900)));
    let both = store.fail(failing(2 << 16, 800), rules()).await.unwrap().value.banned;
    let both: Vec<_> = both.iter().map(|ban| ban.whom.to_string()).collect();
    assert_eq!(both, ["2001:db8:2::/64", "2001:db8:2::/48"]);
}

pub(super) async fn the_networks_that_failed_last_are_listed_first(store: Arc<dyn Store>) {
    for (n, secs) in [(1, 10), (2, 30), (3, 20)] {
        store.fail(failure(None, n, secs), rules()).await.unwrap();
    }
    store.fail(Failure { count: 48, ..failure(None, 1, 15) }, rules()).await.unwrap();
    let listed = store.networks(2).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.network).collect::<Vec<_>>(), [net(2), net(3)]);
    let all = store.networks(10).await.unwrap();
    let patience = &rules().network;
    assert_eq!((all.len(), all[2].counted(patience, later(20))), (3, Some((49, later(10)))));
    assert_eq!(all[2].counted(patience, later(10 + 3600)), None, "an hour later it starts over");
    assert_eq!((all[2].bans(later(20)), all[2].last()), (0, later(15)));
}

pub(super) async fn names_have_two_places_and_the_one_that_was_quiet_for_longest_goes(store: Arc<dyn Store>) {
    let name = |n: u8| {
        let mut digest = [n; 16];
        digest[..2].copy_from_slice(&[4, 2]);
        Subject::Name(digest)
    };
    for (n, secs) in [(1, 10), (2, 20), (1, 30), (3, 40)] {
        store.fail(failure(Some((name(n), Kind::Password)), 1, secs), rules()).await.unwrap();
    }
    assert!(of(&store, name(1)).await.is_some() && of(&store, name(3)).await.is_some());
    assert_eq!(of(&store, name(2)).await, None);
    let neighbour = Subject::Name([5; 16]);
    fail(&store, neighbour, Kind::Password, 1).await;
    assert!(of(&store, name(1)).await.is_some());
    // Within 256 minutes every part has been looked at.
    for minute in 0..256 {
        store.purge(later(31 * 86_400 + minute * 60), 10).await.unwrap();
    }
    assert_eq!(store.everything().await.unwrap().failures, []);
}
