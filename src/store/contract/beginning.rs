//! What a gate begins with, and goes on from.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::StreamExt;

use super::{START, identity, kept, later, populate, session};
use crate::{
    rules::identity::UserId,
    rules::session::{EndReason, Session, Sid},
    store::{Beginning, Change, Store, Which},
};

async fn all(beginning: &mut Beginning) -> BTreeMap<Sid, Arc<Session>> {
    let mut sessions = BTreeMap::new();
    while let Some(piece) = beginning.sessions.next().await {
        let piece = piece.unwrap();
        assert!(piece.unreadable.is_empty());
        sessions.extend(piece.sessions.into_iter().map(|session| (session.sid, session)));
    }
    sessions
}

/// However late the sessions are read, they are those of the position that the stream is followed from.
pub(super) async fn sessions_that_are_read_late_fit_the_stream(store: Arc<dyn Store>) {
    populate(&store, 1, &[1, 2, 3]).await;
    let (fresh, template) = (UserId([9; 16]), session(4, 9));
    store.open_external(identity("claim", "carol"), fresh, template).await.unwrap();
    let before = store.everything().await.unwrap();
    let mut beginning = store.begin().await.unwrap();
    assert_eq!(beginning.rest.cursor, before.cursor);
    assert_eq!((&beginning.rest.users, beginning.rest.sessions.len()), (&before.users, 0));
    store.end(Which::One(Sid([1; 32])), EndReason::Revoked, later(1)).await.unwrap();
    store.open_session(session(5, 1)).await.unwrap();
    store.purge(later(1_000_000), 10).await.unwrap();
    let end = store.open_session(session(6, 1)).await.unwrap().cursor;
    let mut mirror = all(&mut beginning).await;
    assert_eq!(mirror.values().cloned().collect::<Vec<_>>(), before.sessions, "as they were");
    let mut stream = store.changes(beginning.rest.cursor).await.unwrap();
    while let Some((at, change)) = stream.next().await {
        if let Change::Session(session) = change {
            mirror.insert(session.sid, session);
        } else if let Change::SessionGone(sid) = change {
            mirror.remove(&sid);
        }
        if at == end {
            break;
        }
    }
    assert_eq!(mirror.into_values().collect::<Vec<_>>(), store.everything().await.unwrap().sessions);
}

/// More than fit into one piece.
pub(super) async fn every_one_of_many_sessions_is_read_once(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    let mut sids: Vec<Sid> = (0..1300_u32)
        .map(|n| {
            let mut sid = [7; 32];
            sid[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
            Sid(sid)
        })
        .collect();
    let opened = sids.iter().map(|sid| store.open_session(Session { sid: *sid, ..session(1, 1) }));
    futures_util::future::try_join_all(opened).await.unwrap();
    let mut beginning = store.begin().await.unwrap();
    let mut read = Vec::new();
    while let Some(piece) = beginning.sessions.next().await {
        read.extend(piece.unwrap().sessions.iter().map(|session| session.sid));
    }
    sids.sort();
    assert_eq!(read, sids);
}

pub(super) async fn a_session_is_found_with_the_position_that_it_is_of(store: Arc<dyn Store>) {
    populate(&store, 1, &[1]).await;
    let written = store.touch(vec![(Sid([1; 32]), later(9))]).await.unwrap();
    let found = store.session_at(&Sid([1; 32])).await.unwrap();
    assert_eq!((found.value, found.cursor), (Some(kept(&store, 1).await), written.cursor));
    assert_eq!(store.session_at(&Sid([2; 32])).await.unwrap().value, None);
    assert!(kept(&store, 1).await.seen > START);
}

pub(super) async fn the_rest_is_everything_but_the_sessions(store: Arc<dyn Store>) {
    populate(&store, 1, &[1, 2]).await;
    store.set_high_security(false).await.unwrap();
    let (all, rest) = (store.everything().await.unwrap(), store.rest().await.unwrap());
    assert_eq!((all.sessions.len(), rest.sessions.len()), (2, 0));
    assert_eq!((rest.cursor, rest.users, rest.high_security), (all.cursor, all.users, Some(false)));
}
