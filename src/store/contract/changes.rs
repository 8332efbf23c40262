//! The change stream.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::StreamExt;

use super::{START, later, populate, presented, session, user};
use crate::{
    rules::{
        identity::UserId,
        session::{EndReason, Session, Sid},
    },
    store::{Change, Cursor, Store, StoreError, UserChange, Which},
};

/// What a change is about, without the record.
fn kind(change: &Change) -> String {
    match change {
        Change::Session(session) => format!("session {} {}", session.sid.0[0], session.family.generation),
        Change::SessionGone(sid) => format!("session {} gone", sid.0[0]),
        Change::User(user) => format!("user {}", user.name),
        Change::UserGone(id) => format!("user {} gone", id.0[0]),
        Change::Key(key) => format!("key {}", key.name),
        Change::KeyGone(id) => format!("key {} gone", id.0[0]),
        Change::Ban(ban) => format!("ban {}", ban.whom),
        Change::BanGone(whom) => format!("ban {whom} gone"),
        Change::Everything(_) => "everything".to_owned(),
        Change::Failures(subject, account) => format!("failures {subject:?} {}", account.is_some()),
        Change::HighSecurity(on) => format!("high security {on}"),
    }
}

async fn next(
    stream: &mut (impl futures_util::Stream<Item = (Cursor, Change)> + Unpin),
) -> Option<(Cursor, Change)> {
    tokio::time::timeout(Duration::from_secs(10), stream.next()).await.expect("no change came")
}

pub(super) async fn every_write_shows_in_order_and_before_its_answer(store: Arc<dyn Store>) {
    let mut stream = store.changes(Cursor::default()).await.unwrap();
    populate(&store, 1, &[1]).await;
    let rotated = store.rotate(presented(1, 1, later(1))).await.unwrap().cursor;
    store.end(Which::AllOf(UserId([1; 16])), EndReason::Revoked, later(1)).await.unwrap();
    store.purge(later(1_000_000), 10).await.unwrap();
    let last = store.remove_user(UserId([1; 16]), later(2)).await.unwrap().cursor;
    let mut seen = vec![];
    while seen.last().is_none_or(|(cursor, _)| *cursor < last) {
        let (cursor, change) = next(&mut stream).await.unwrap();
        seen.push((cursor, kind(&change)));
    }
    let kinds: Vec<_> = seen.iter().map(|(_, kind)| kind.as_str()).collect();
    let expected =
        ["user user-1", "session 1 1", "session 1 2", "session 1 2", "session 1 gone", "user 1 gone"];
    assert_eq!(kinds, expected);
    assert!(seen.is_sorted_by(|a, b| a.0 < b.0));
    assert_eq!(seen[2].0, rotated, "a write's cursor is that of its change");
}

pub(super) async fn one_write_of_many_changes_has_a_position_for_each(store: Arc<dyn Store>) {
    populate(&store, 1, &[1, 2, 3]).await;
    let before = store.everything().await.unwrap().cursor;
    let mut stream = store.changes(before).await.unwrap();
    let ended = store.end(Which::AllOf(UserId([1; 16])), EndReason::Revoked, later(1)).await.unwrap();
    let last = store.add_user(user(2)).await.unwrap();
    let mut positions = vec![];
    for _ in 0..4 {
        positions.push(next(&mut stream).await.unwrap().0.0);
    }
    assert_eq!(positions, (before.0 + 1..=before.0 + 4).collect::<Vec<_>>());
    assert_eq!((ended.cursor.0, last.cursor.0), (before.0 + 3, before.0 + 4));
}

/// Writers, a late follower and a reload at the same time: base plus stream is the final state.
pub(super) async fn everything_and_the_stream_fit_together(store: Arc<dyn Store>) {
    populate(&store, 1, &[1, 2, 3, 4]).await;
    let writers = (1..=4_u8).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for generation in 1..=50 {
                store.rotate(presented(n, generation, later(generation))).await.unwrap();
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    tokio::task::yield_now().await;
    let base = store.everything().await.unwrap();
    let mut stream = store.changes(base.cursor).await.unwrap();
    futures_util::future::join_all(writers).await;
    let end = store.touch(vec![(Sid([1; 32]), later(999))]).await.unwrap().cursor;
    let mut mirror: BTreeMap<Sid, Arc<Session>> = base.sessions.into_iter().map(|s| (s.sid, s)).collect();
    loop {
        let (cursor, change) = next(&mut stream).await.unwrap();
        if let Change::Session(session) = change {
            mirror.insert(session.sid, session);
        }
        if cursor == end {
            break;
        }
    }
    let truth = store.everything().await.unwrap();
    assert_eq!(mirror.into_values().collect::<Vec<_>>(), truth.sessions);
    assert_eq!(truth.cursor, end);
}

pub(super) async fn a_follower_that_fell_behind_is_told_everything_again(store: Arc<dyn Store>) {
    populate(&store, 1, &[1, 2]).await;
    let mut stream = store.changes(Cursor::default()).await.unwrap();
    assert_eq!(kind(&next(&mut stream).await.unwrap().1), "user user-1");
    for round in 1..=1100 {
        let uses = (0..4).map(|n| (Sid([1; 32]), later(4 * round + n))).collect();
        store.touch(uses).await.unwrap();
    }
    store.rotate(presented(2, 1, later(5000))).await.unwrap();
    let end = store.everything().await.unwrap().cursor;
    let mut latest = BTreeMap::new();
    let mut count = 0;
    loop {
        let (cursor, change) = next(&mut stream).await.unwrap();
        if let Change::Session(session) = &change {
            latest.insert(session.sid, Arc::clone(session));
        }
        if let Change::Everything(all) = &change {
            latest = all.sessions.iter().map(|session| (session.sid, Arc::clone(session))).collect();
        }
        count += 1;
        if cursor == end {
            break;
        }
        assert!(cursor <= Cursor(3), "whoever stops half-way through would skip the rest");
    }
    assert_eq!(latest.into_values().collect::<Vec<_>>(), store.everything().await.unwrap().sessions);
    assert!(count < 4000, "everything again is shorter than {count} changes");
}

pub(super) async fn a_position_from_the_future_starts_over(store: Arc<dyn Store>) {
    populate(&store, 1, &[1]).await;
    let mut stream = store.changes(Cursor(1_000_000)).await.unwrap();
    assert_eq!(kind(&next(&mut stream).await.unwrap().1), "user user-1");
    assert_eq!(kind(&next(&mut stream).await.unwrap().1), "session 1 1");
}

pub(super) async fn a_write_that_changes_nothing_moves_nothing(store: Arc<dyn Store>) {
    populate(&store, 1, &[1]).await;
    let before = store.everything().await.unwrap().cursor;
    store.open_session(session(1, 1)).await.unwrap();
    store.touch(vec![(Sid([1; 32]), START)]).await.unwrap();
    store.mark_seen(Sid([1; 32]), 7, START).await.unwrap();
    let unknown = store.change_user(UserId([9; 16]), UserChange::default(), START).await.unwrap();
    assert!(!store.add_user(user(1)).await.unwrap().value);
    assert_eq!(unknown.cursor, before, "whoever waits for it need not wait");
    assert_eq!(store.everything().await.unwrap().cursor, before);
}

pub(super) async fn followers_end_when_the_store_is_closed(store: Arc<dyn Store>) {
    let mut early = store.changes(Cursor::default()).await.unwrap();
    let mut other = store.changes(Cursor::default()).await.unwrap();
    populate(&store, 1, &[]).await;
    store.close().await.unwrap();
    for stream in [&mut early, &mut other] {
        assert!(next(stream).await.is_some(), "what was published is still delivered");
        assert!(next(stream).await.is_none());
    }
    assert!(matches!(store.changes(Cursor::default()).await.err(), Some(StoreError::Unavailable(_))));
}
