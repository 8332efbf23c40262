//! Bans.

use std::sync::Arc;

use futures_util::StreamExt;

use super::{START, later};
use crate::{
    rules::ban::{Ban, SHOWN_AFTER, Whom, parse},
    store::{Change, Store},
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
