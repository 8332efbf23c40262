//! Bans.

use std::sync::Arc;

use futures_util::StreamExt;

use super::{START, later};
use crate::{
    rules::ban::{Ban, SHOWN_AFTER, Whom, parse},
    store::{Change, ListBanned, Listed, Store},
};

fn net(text: &str) -> Whom {
    parse(text).unwrap()
}

fn ban(network: &str, until: Option<u64>) -> Ban {
    Ban {
        whom: net(network),
        reason: "a scanner".into(),
        by: "uid 0".into(),
        since: START,
        until: until.map(later),
    }
}

async fn banned(store: &Arc<dyn Store>) -> Vec<String> {
    store.everything().await.unwrap().bans.iter().map(|ban| ban.whom.to_string()).collect()
}

pub(super) async fn a_ban_lives_until_it_is_lifted_and_there_is_one_for_a_network(store: Arc<dyn Store>) {
    assert!(store.ban(ban("203.0.113.0/24", None)).await.unwrap().value);
    assert!(store.ban(ban("2001:db8::/64", Some(60))).await.unwrap().value);
    assert!(store.ban(ban("203.0.113.0/32", None)).await.unwrap().value, "another network");
    let again = Ban { reason: "worse".into(), ..ban("203.0.113.0/24", Some(60)) };
    assert!(!store.ban(again.clone()).await.unwrap().value, "no news");
    let all = store.everything().await.unwrap().bans;
    assert_eq!((all.len(), all.iter().find(|ban| ban.whom == net("203.0.113.0/24"))), (3, Some(&again)));

    assert!(store.lift_ban(net("203.0.113.0/32")).await.unwrap().value);
    assert!(!store.lift_ban(net("203.0.113.0/32")).await.unwrap().value);
    assert_eq!(banned(&store).await, ["203.0.113.0/24", "2001:db8::/64"]);
    let over = Ban { since: later(61), ..ban("203.0.113.0/24", None) };
    assert!(store.ban(over).await.unwrap().value, "the one before was over");
}

pub(super) async fn bans_that_have_long_been_over_are_forgotten(store: Arc<dyn Store>) {
    for (network, until) in
        [("203.0.113.1/32", Some(10)), ("203.0.113.2/32", Some(20)), ("203.0.113.3/32", None)]
    {
        store.ban(ban(network, until)).await.unwrap();
    }
    store.purge(later(15).plus(SHOWN_AFTER), 10).await.unwrap();
    assert_eq!(banned(&store).await, ["203.0.113.2/32", "203.0.113.3/32"]);
}

pub(super) async fn bans_show_in_the_stream(store: Arc<dyn Store>) {
    let mut stream = store.changes(crate::store::Cursor::default()).await.unwrap();
    store.ban(ban("203.0.113.1/32", None)).await.unwrap();
    let lifted = store.lift_ban(net("203.0.113.1/32")).await.unwrap().cursor;
    let (_, first) = stream.next().await.unwrap();
    assert!(matches!(first, Change::Ban(made) if *made == ban("203.0.113.1/32", None)));
    let (at, second) = stream.next().await.unwrap();
    assert!(matches!(second, Change::BanGone(whom) if whom == net("203.0.113.1/32")));
    assert_eq!(at, lifted);
}

pub(super) async fn countries_and_autonomous_systems_are_banned_like_networks(store: Arc<dyn Store>) {
    for whom in ["country:DE", "asn:64500", "203.0.113.1/32"] {
        assert!(store.ban(ban(whom, None)).await.unwrap().value, "{whom}");
    }
    assert_eq!(banned(&store).await, ["203.0.113.1/32", "asn:64500", "country:DE"]);
    assert!(store.lift_ban(net("country:DE")).await.unwrap().value);
    assert!(!store.lift_ban(net("country:SE")).await.unwrap().value);
    assert_eq!(banned(&store).await, ["203.0.113.1/32", "asn:64500"]);
}

pub(super) async fn a_list_is_banned_at_once_and_takes_nothing_from_others(store: Arc<dyn Store>) {
    let of = |whom: &str, until| Ban { by: "list x".into(), ..ban(whom, until) };
    let list = |bans: &[(&str, Option<u64>)]| Listed {
        by: "list x".into(),
        bans: bans.iter().map(|(whom, until)| of(whom, *until)).collect(),
    };
    store.ban(ban("203.0.113.1/32", None)).await.unwrap();
    store.ban(ban("203.0.113.2/32", Some(10))).await.unwrap();
    let first = list(&[
        ("203.0.113.1/32", Some(60)),
        ("203.0.113.2/32", Some(60)),
        ("203.0.113.3/32", Some(60)),
        ("country:DE", None),
    ]);
    let done = store.ban_list(first.clone(), true).await.unwrap().value;
    assert_eq!(done, ListBanned { added: 2, kept: 0, others: 2, lifted: 0 });
    let by = |store: Arc<dyn Store>| async move {
        let bans = store.everything().await.unwrap().bans;
        bans.iter().map(|ban| format!("{} {}", ban.whom, ban.by)).collect::<Vec<_>>()
    };
    let now = by(Arc::clone(&store)).await;
    assert_eq!(
        now,
        ["203.0.113.1/32 uid 0", "203.0.113.2/32 uid 0", "203.0.113.3/32 list x", "country:DE list x"],
        "what somebody banned stays his, for however long: it would go with the list"
    );
    let before = store.everything().await.unwrap();
    let again = store.ban_list(first, true).await.unwrap();
    assert_eq!(again.value, ListBanned { added: 0, kept: 2, others: 2, lifted: 0 });
    assert_eq!(
        store.everything().await.unwrap().cursor,
        before.cursor,
        "the same list again changes nothing"
    );

    let shorter = list(&[("203.0.113.3/32", Some(90))]);
    let done = store.ban_list(shorter.clone(), false).await.unwrap().value;
    assert_eq!((done.kept, done.lifted), (1, 0), "without `replace` nothing is lifted");
    let done = store.ban_list(shorter, true).await.unwrap().value;
    assert_eq!((done.kept, done.lifted), (1, 1));
    let left = ["203.0.113.1/32 uid 0", "203.0.113.2/32 uid 0", "203.0.113.3/32 list x"];
    assert_eq!(by(store).await, left, "what somebody banned outlives the list");
}
