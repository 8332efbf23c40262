//! API keys, what sessions carry, enrolment, and High Security Mode.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use super::{START, kept, later, populate, session, user};
use crate::{
    rules::{
        api_key::{ApiKey, KeyId, KeyUse},
        identity::{Known, Standing, UserId},
        session::{Elevation, EndReason, Factor, Impersonation, SessionChange, Sid},
    },
    store::{MOST_KEYS, Store, UserChange, Which},
};

fn key(n: u8, owner: u8) -> ApiKey {
    ApiKey {
        id: KeyId([n; 32]),
        user: UserId([owner; 16]),
        site: "panel".into(),
        name: format!("key {n}"),
        scopes: vec!["users:read".into()],
        created: START,
        expires: None,
        used: None,
    }
}

async fn keys(store: &Arc<dyn Store>) -> Vec<u8> {
    store.everything().await.unwrap().keys.iter().map(|key| key.id.0[0]).collect()
}

pub(super) async fn a_key_lives_until_it_or_its_account_is_removed(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    populate(&store, 2, &[]).await;
    for (n, owner) in [(1, 1), (2, 1), (3, 2)] {
        assert!(store.add_key(key(n, owner)).await.unwrap().value);
    }
    assert!(!store.add_key(key(1, 2)).await.unwrap().value, "an id is taken once");
    assert!(!store.add_key(key(4, 9)).await.unwrap().value, "nobody's key");
    assert!(!store.remove_key(UserId([2; 16]), KeyId([1; 32])).await.unwrap().value, "somebody else's");
    assert!(store.remove_key(UserId([1; 16]), KeyId([1; 32])).await.unwrap().value);
    assert!(!store.remove_key(UserId([1; 16]), KeyId([1; 32])).await.unwrap().value);
    assert_eq!(keys(&store).await, [2, 3]);
    store.remove_user(UserId([1; 16]), later(1)).await.unwrap();
    assert_eq!(keys(&store).await, [3]);
}

pub(super) async fn an_account_has_so_many_keys_and_no_more(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    let most = u8::try_from(MOST_KEYS).unwrap();
    for n in 0..most {
        assert!(store.add_key(key(n, 1)).await.unwrap().value);
    }
    assert!(!store.add_key(key(most, 1)).await.unwrap().value);
}

pub(super) async fn uses_of_keys_move_only_forwards(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    store.add_key(key(1, 1)).await.unwrap();
    let used = |n| KeyUse { at: later(n), address: Ipv4Addr::LOCALHOST.into() };
    for n in [5, 3] {
        store.touch_keys(vec![(KeyId([1; 32]), used(n)), (KeyId([7; 32]), used(n))]).await.unwrap();
    }
    assert_eq!(store.everything().await.unwrap().keys, [ApiKey { used: Some(used(5)), ..key(1, 1) }]);
}

pub(super) async fn r14_of_parallel_enrolments_exactly_one_counts(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    let totp = user(1).totp.unwrap();
    let id = UserId([1; 16]);
    assert!(!store.enrol(id, totp.clone(), vec![[9; 32]], None).await.unwrap().value, "there is one already");
    store.change_user(id, UserChange { totp: Some(None), ..UserChange::default() }, START).await.unwrap();
    let tries = (0..50).map(|n| store.enrol(id, totp.clone(), vec![[n; 32]], None));
    let outcomes = futures_util::future::join_all(tries).await;
    let winners: Vec<usize> =
        outcomes.iter().enumerate().filter(|(_, one)| one.as_ref().unwrap().value).map(|(n, _)| n).collect();
    let [winner] = winners[..] else { panic!("{winners:?}") };
    let enrolled = store.user_by_name(&user(1).name).await.unwrap().unwrap();
    assert_eq!(enrolled.backup_codes, [[u8::try_from(winner).unwrap(); 32]]);
}

pub(super) async fn what_a_session_carries_needs_it_alive_and_dies_with_it(store: Arc<dyn Store>) {
    populate(&store, 1, &[1]).await;
    let (sid, since) = (Sid([1; 32]), later(1));
    let impersonation = Impersonation {
        user: UserId([2; 16]),
        reason: "ticket 7".into(),
        write: false,
        since,
        until: since.plus(Duration::from_secs(1800)),
    };
    let begin =
        || SessionChange { impersonation: Some(Some(impersonation.clone())), ..SessionChange::default() };
    assert!(store.change_session(sid, begin(), since).await.unwrap().value);
    assert!(!store.change_session(sid, begin(), later(2)).await.unwrap().value, "one level and no more");
    assert_eq!(kept(&store, 1).await.impersonation.as_deref(), Some(&impersonation));
    let leave = SessionChange { impersonation: Some(None), ..SessionChange::default() };
    assert!(store.change_session(sid, leave, later(3)).await.unwrap().value);
    assert!(store.change_session(sid, begin(), later(4)).await.unwrap().value);
    store.end(Which::One(sid), EndReason::SignedOut, later(5)).await.unwrap();
    assert_eq!(kept(&store, 1).await.impersonation, None);
    assert!(!store.change_session(sid, begin(), later(6)).await.unwrap().value);
    assert!(!store.change_session(Sid([9; 32]), begin(), later(6)).await.unwrap().value);
}

pub(super) async fn high_security_mode_is_remembered(store: Arc<dyn Store>) {
    assert_eq!(store.everything().await.unwrap().high_security, None);
    for on in [false, true] {
        store.set_high_security(on).await.unwrap();
        assert_eq!(store.everything().await.unwrap().high_security, Some(on));
    }
}

pub(super) async fn places_are_remembered_once_and_the_oldest_are_forgotten(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    let known = |n: usize| Known {
        device: format!("device {n}"),
        country: "SE".into(),
        first: later(1),
        standing: Standing::Familiar,
    };
    for n in [0, 0].into_iter().chain(1..=Known::LIMIT) {
        let change = UserChange { known: Some(known(n)), ..UserChange::default() };
        store.change_user(UserId([1; 16]), change, later(1)).await.unwrap();
    }
    let changed = store.user_by_name(&user(1).name).await.unwrap().unwrap();
    assert_eq!(changed.known, (1..=Known::LIMIT).map(known).collect::<Vec<_>>());
}

pub(super) async fn a_sign_in_with_a_password_that_was_changed_meanwhile_opens_nothing(
    store: Arc<dyn Store>,
) {
    populate(&store, 1, &[]).await;
    let id = UserId([1; 16]);
    assert!(store.sign_in(session(1, 1), None).await.unwrap().value);
    let change = UserChange { password: Some("new".into()), ..UserChange::default() };
    store.change_user(id, change, later(5)).await.unwrap();
    assert!(!store.sign_in(session(2, 1), None).await.unwrap().value);
    assert_eq!(store.session(&Sid([2; 32])).await.unwrap(), None);
    assert!(store.sign_in(session(3, 1), Some(later(5))).await.unwrap().value);
    assert!(!store.sign_in(session(4, 9), None).await.unwrap().value, "nobody's");
}

pub(super) async fn of_two_changes_of_one_password_the_first_counts(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    let id = UserId([1; 16]);
    let change = |was: Option<String>, to: &str| UserChange {
        password: Some(to.into()),
        password_was: was,
        ..UserChange::default()
    };
    store.change_user(id, change(None, "first"), later(1)).await.unwrap();
    assert!(store.change_user(id, change(Some("first".into()), "second"), later(2)).await.unwrap().value);
    assert!(!store.change_user(id, change(Some("first".into()), "third"), later(3)).await.unwrap().value);
    let changed = store.user_by_name(&user(1).name).await.unwrap().unwrap();
    assert_eq!((changed.password.as_deref(), changed.password_changed), (Some("second"), Some(later(2))));
}

pub(super) async fn elevation_ends_with_the_second_factor(store: Arc<dyn Store>) {
    populate(&store, 1, &[1]).await;
    let elevation = Elevation { at: later(1), by: Factor::Totp };
    assert!(store.elevate(Sid([1; 32]), elevation).await.unwrap().value);
    let change = UserChange { totp: Some(None), ..UserChange::default() };
    store.change_user(UserId([1; 16]), change, later(2)).await.unwrap();
    assert_eq!(kept(&store, 1).await.elevation, None);
}
