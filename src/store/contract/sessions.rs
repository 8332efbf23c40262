//! Sessions: opening, rotation, ends, external ones, purging.

use std::sync::Arc;

use super::{IDLE, LIFE, START, identity, kept, later, populate, presented, session, user};
use crate::{
    rules::{
        identity::{UserId, UserSource},
        session::{Elevation, EndReason, Factor, Rotation, Sid, Status},
    },
    store::{ExternalOpened, Store, StoreError, Which},
};

/// What the adapters add to the end of a session before they purge it.
const PURGE_GRACE_SECS: u64 = 3600;

pub(super) async fn opening_again_does_not_revive(store: Arc<dyn Store>) {
    populate(&store, 1, &[1]).await;
    store.end(Which::One(Sid([1; 32])), EndReason::Revoked, later(1)).await.unwrap();
    store.open_session(session(1, 1)).await.unwrap();
    assert_eq!(kept(&store, 1).await.ended.unwrap().why, EndReason::Revoked);
}

pub(super) async fn r13_of_20_parallel_rotations_one_rotates_and_the_rest_repeat(store: Arc<dyn Store>) {
    populate(&store, 1, &[1]).await;
    let attempts = (0..20).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.rotate(presented(1, 1, later(1))).await.unwrap().value.unwrap() })
    });
    let told = futures_util::future::join_all(attempts).await;
    let (first, rest): (Vec<_>, Vec<_>) = told
        .into_iter()
        .map(Result::unwrap)
        .partition(|rotation| matches!(rotation, Rotation::Rotated { generation: 2 }));
    assert_eq!(first.len(), 1);
    assert!(rest.iter().all(|rotation| *rotation == Rotation::Repeated { generation: 2 }), "{rest:?}");
}

pub(super) async fn r13_reuse_after_grace_ends_the_session_for_good(store: Arc<dyn Store>) {
    populate(&store, 1, &[1]).await;
    store.rotate(presented(1, 1, later(1))).await.unwrap();
    store.mark_seen(Sid([1; 32]), 2, later(2)).await.unwrap();
    let late = store.rotate(presented(1, 1, later(12))).await.unwrap().value;
    assert_eq!(late, Some(Rotation::Repeated { generation: 2 }), "10 s after it was seen");
    let later_still = store.rotate(presented(1, 1, later(13))).await.unwrap().value;
    assert_eq!(later_still, Some(Rotation::Reused));
    let honest = store.rotate(presented(1, 2, later(13))).await.unwrap().value;
    assert_eq!(honest, Some(Rotation::Dead(Status::Ended(EndReason::RefreshReuse))));
}

pub(super) async fn rotation_of_an_unknown_session_is_none(store: Arc<dyn Store>) {
    assert_eq!(store.rotate(presented(1, 1, START)).await.unwrap().value, None);
}

pub(super) async fn r15_elevation_needs_a_live_session(store: Arc<dyn Store>) {
    populate(&store, 1, &[1]).await;
    let proof = Elevation { at: later(1), by: Factor::Totp };
    assert!(store.elevate(Sid([1; 32]), proof).await.unwrap().value);
    assert_eq!(kept(&store, 1).await.elevation, Some(proof));
    store.end(Which::One(Sid([1; 32])), EndReason::SignedOut, later(2)).await.unwrap();
    let again = Elevation { at: later(3), by: Factor::Totp };
    assert!(!store.elevate(Sid([1; 32]), again).await.unwrap().value);
    assert!(!store.elevate(Sid([9; 32]), again).await.unwrap().value);
}

pub(super) async fn ending_counts_what_was_alive(store: Arc<dyn Store>) {
    populate(&store, 1, &[1, 2, 3]).await;
    populate(&store, 2, &[4]).await;
    let (user, kept_sid) = (UserId([1; 16]), Sid([3; 32]));
    let mut ended = vec![];
    for which in
        [Which::One(Sid([1; 32])), Which::OthersOf(user, kept_sid), Which::AllOf(user), Which::AllOf(user)]
    {
        ended.push(store.end(which, EndReason::Revoked, later(1)).await.unwrap().value);
    }
    assert_eq!(ended, [1, 1, 1, 0]);
    assert_eq!(kept(&store, 4).await.ended, None, "somebody else's");
}

pub(super) async fn touches_move_only_forwards(store: Arc<dyn Store>) {
    populate(&store, 1, &[1, 2]).await;
    let uses = vec![(Sid([1; 32]), later(9)), (Sid([1; 32]), later(5)), (Sid([8; 32]), later(9))];
    store.touch(uses).await.unwrap();
    assert_eq!((kept(&store, 1).await.seen, kept(&store, 2).await.seen), (later(9), START));
}

pub(super) async fn an_external_session_is_opened_once(store: Arc<dyn Store>) {
    let identity = identity("claim-1", "carol");
    let attempts = (1..20).map(|n| {
        let (store, identity) = (Arc::clone(&store), identity.clone());
        tokio::spawn(async move {
            let opened = store.open_external(identity, UserId([n; 16]), session(n, n)).await;
            opened.unwrap().value
        })
    });
    let told = futures_util::future::join_all(attempts).await;
    let (new, known): (Vec<_>, Vec<_>) =
        told.into_iter().map(Result::unwrap).partition(|opened| matches!(opened, ExternalOpened::New(_)));
    assert_eq!((new.len(), known.len()), (1, 18));
    let everything = store.everything().await.unwrap();
    assert_eq!((everything.users.len(), everything.sessions.len()), (1, 1));
    let ExternalOpened::New(session) = new[0].clone() else { unreachable!() };
    assert_eq!(store.external(&identity.key).await.unwrap(), Some(session.clone()));
    assert!(known.iter().all(|opened| *opened == ExternalOpened::Known(session.clone())));
    assert_eq!(everything.users[0].source, UserSource::Issuer("panel".into()));
    assert_eq!((&*everything.users[0].role, everything.users[0].id), ("reseller", session.user));
}

pub(super) async fn an_external_identity_joins_the_account_of_its_name(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    let identity = identity("claim-1", "user-1");
    store.open_external(identity.clone(), UserId([7; 16]), session(3, 7)).await.unwrap();
    assert_eq!(store.external(&identity.key).await.unwrap().unwrap().user, UserId([1; 16]));
    assert_eq!(store.everything().await.unwrap().users, [user(1)], "and changes nothing about it");
}

pub(super) async fn an_external_account_follows_its_issuers_role(store: Arc<dyn Store>) {
    for (n, (claim, role, expected)) in
        [("a", None, ""), ("b", Some("admin"), "admin"), ("c", None, "admin")].into_iter().enumerate()
    {
        let identity = crate::rules::session::ExternalIdentity {
            role: role.map(Into::into),
            ..identity(claim, "carol")
        };
        let n = u8::try_from(n).unwrap();
        store.open_external(identity.clone(), UserId([n; 16]), session(n, n)).await.unwrap();
        let account = store.user_by_name(&identity.name).await.unwrap().unwrap();
        assert_eq!((&*account.role, account.id), (expected, UserId([0; 16])));
    }
}

pub(super) async fn a_tombstone_of_an_external_session_stays_until_its_tokens_are_dead(
    store: Arc<dyn Store>,
) {
    let mut identity = identity("claim-1", "carol");
    store.open_external(identity.clone(), UserId([1; 16]), session(1, 1)).await.unwrap();
    store.end(Which::One(Sid([1; 32])), EndReason::Revoked, later(1)).await.unwrap();
    identity.expires = START.plus(LIFE * 2);
    let seen_again = store.open_external(identity.clone(), UserId([2; 16]), session(2, 2)).await.unwrap();
    assert!(matches!(seen_again.value, ExternalOpened::Known(ended) if ended.ended.is_some()));
    let dead = identity.expires.plus(std::time::Duration::from_secs(PURGE_GRACE_SECS));
    assert_eq!(store.purge(START.plus(LIFE * 2), 10).await.unwrap().value, 0);
    assert!(store.external(&identity.key).await.unwrap().is_some());
    assert_eq!(store.purge(dead, 10).await.unwrap().value, 1);
    assert_eq!(store.external(&identity.key).await.unwrap(), None);
}

pub(super) async fn a_tombstone_outlives_its_session_as_long_as_the_first_token_could(store: Arc<dyn Store>) {
    let mut identity = identity("claim-1", "carol");
    identity.expires = START.plus(LIFE * 3);
    store.open_external(identity.clone(), UserId([1; 16]), session(1, 1)).await.unwrap();
    store.end(Which::One(Sid([1; 32])), EndReason::Revoked, later(1)).await.unwrap();
    assert_eq!(store.purge(identity.expires, 10).await.unwrap().value, 0);
    let again = store.open_external(identity, UserId([2; 16]), session(2, 2)).await.unwrap();
    assert!(matches!(again.value, ExternalOpened::Known(ended) if ended.ended.is_some()));
}

pub(super) async fn purge_takes_only_what_nothing_can_name(store: Arc<dyn Store>) {
    populate(&store, 1, &[1, 2, 3]).await;
    store.touch(vec![(Sid([2; 32]), later(500))]).await.unwrap();
    store.end(Which::One(Sid([3; 32])), EndReason::Revoked, later(1)).await.unwrap();
    let idle = IDLE.as_secs() + PURGE_GRACE_SECS;
    assert_eq!(store.purge(later(idle - 1), 10).await.unwrap().value, 0);
    assert_eq!(store.purge(later(idle), 10).await.unwrap().value, 2, "the idle one and the tombstone");
    assert_eq!(store.purge(later(idle + 499), 10).await.unwrap().value, 0);
    assert_eq!(store.purge(later(idle + 500), 10).await.unwrap().value, 1, "the one that was used");
    assert!(store.everything().await.unwrap().sessions.is_empty());
    assert_eq!(store.end(Which::AllOf(UserId([1; 16])), EndReason::Revoked, START).await.unwrap().value, 0);
}

pub(super) async fn purge_is_bounded_and_oldest_first(store: Arc<dyn Store>) {
    populate(&store, 1, &[1, 2, 3]).await;
    store.touch(vec![(Sid([1; 32]), later(20)), (Sid([2; 32]), later(10))]).await.unwrap();
    let far = START.plus(LIFE * 10);
    assert_eq!(store.purge(far, 2).await.unwrap().value, 2);
    let left: Vec<_> = store.everything().await.unwrap().sessions.iter().map(|session| session.sid).collect();
    assert_eq!(left, [Sid([1; 32])]);
}

pub(super) async fn closed_means_closed(store: Arc<dyn Store>) {
    populate(&store, 1, &[1]).await;
    store.close().await.unwrap();
    let write = store.end(Which::One(Sid([1; 32])), EndReason::Revoked, START).await;
    assert!(matches!(write, Err(StoreError::Unavailable(_))), "{write:?}");
    let read = store.session(&Sid([1; 32])).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
}
