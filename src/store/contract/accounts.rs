//! Accounts, factors and what they do to sessions.

use std::sync::Arc;

use super::{START, kept, later, populate, session, user};
use crate::{
    rules::{
        identity::{Totp, User, UserId},
        session::{EndReason, Ended, Sid},
    },
    secret::SecretBytes,
    store::{Store, UserChange},
};

pub(super) async fn a_name_is_taken_once(store: Arc<dyn Store>) {
    assert!(store.add_user(user(1)).await.unwrap().value);
    let mut namesake = user(2);
    namesake.name = user(1).name;
    assert!(!store.add_user(namesake).await.unwrap().value);
    assert_eq!(store.user_by_name(&user(1).name).await.unwrap(), Some(user(1)));
    assert_eq!(store.everything().await.unwrap().users, [user(1)]);
}

pub(super) async fn only_what_is_some_changes(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    let change = UserChange { role: Some("root".into()), ..UserChange::default() };
    assert!(store.change_user(UserId([1; 16]), change, START).await.unwrap().value);
    let changed = store.user_by_name(&user(1).name).await.unwrap().unwrap();
    assert_eq!(changed, User { role: "root".into(), ..user(1) });
    assert!(!store.change_user(UserId([9; 16]), UserChange::default(), START).await.unwrap().value);
}

pub(super) async fn removing_the_app_drops_the_backup_codes(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    let change = UserChange { totp: Some(None), ..UserChange::default() };
    store.change_user(UserId([1; 16]), change, START).await.unwrap();
    let changed = store.user_by_name(&user(1).name).await.unwrap().unwrap();
    assert_eq!((changed.totp, changed.backup_codes), (None, vec![]));
    let change =
        UserChange { totp: Some(user(1).totp), backup_codes: Some(vec![[7; 32]]), ..UserChange::default() };
    store.change_user(UserId([1; 16]), change, START).await.unwrap();
    let enrolled = store.user_by_name(&user(1).name).await.unwrap().unwrap();
    assert_eq!((enrolled.totp, enrolled.backup_codes), (user(1).totp, vec![[7; 32]]));
}

pub(super) async fn a_removed_account_frees_its_name_and_ends_its_sessions(store: Arc<dyn Store>) {
    populate(&store, 1, &[1]).await;
    assert!(store.remove_user(UserId([1; 16]), later(1)).await.unwrap().value);
    assert!(!store.remove_user(UserId([1; 16]), later(1)).await.unwrap().value);
    assert_eq!(kept(&store, 1).await.ended, Some(Ended { at: later(1), why: EndReason::AccountDisabled }));
    let mut successor = user(2);
    successor.name = user(1).name;
    assert!(store.add_user(successor).await.unwrap().value);
}

pub(super) async fn r14_of_200_parallel_consumers_of_one_step_exactly_one_is_told_true(
    store: Arc<dyn Store>,
) {
    populate(&store, 1, &[]).await;
    let attempts = (0..200).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.consume_totp(UserId([1; 16]), 101).await.unwrap().value })
    });
    let told = futures_util::future::join_all(attempts).await;
    assert_eq!(told.into_iter().filter(|told| *told.as_ref().unwrap()).count(), 1);
}

pub(super) async fn r14_a_step_that_is_not_later_is_refused(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    for (step, accepted) in [(100, false), (99, false), (102, true), (101, false), (102, false), (103, true)]
    {
        let told = store.consume_totp(UserId([1; 16]), step).await.unwrap().value;
        assert_eq!(told, accepted, "step {step}");
    }
    assert!(!store.consume_totp(UserId([9; 16]), 500).await.unwrap().value, "no such account");
}

pub(super) async fn a_backup_code_is_taken_by_exactly_one(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    let attempts = (0..50).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.consume_backup_code(UserId([1; 16]), [2; 32]).await.unwrap().value })
    });
    let told = futures_util::future::join_all(attempts).await;
    let taken: Vec<_> = told.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(taken, [2], "one was told, and two codes remain");
    assert_eq!(store.consume_backup_code(UserId([1; 16]), [9; 32]).await.unwrap().value, None);
}

pub(super) async fn r12_disabling_ends_every_session(store: Arc<dyn Store>) {
    populate(&store, 1, &[1, 2]).await;
    populate(&store, 2, &[3]).await;
    let keep = Some(Sid([1; 32]));
    let change = UserChange { disabled: Some(true), keep, ..UserChange::default() };
    store.change_user(UserId([1; 16]), change, later(5)).await.unwrap();
    let ended = Some(Ended { at: later(5), why: EndReason::AccountDisabled });
    assert_eq!((kept(&store, 1).await.ended, kept(&store, 2).await.ended), (ended, ended));
    assert_eq!(kept(&store, 3).await.ended, None, "somebody else's");
    let change = UserChange { disabled: Some(false), ..UserChange::default() };
    store.change_user(UserId([1; 16]), change, later(6)).await.unwrap();
    assert_eq!(kept(&store, 1).await.ended, ended, "enabling revives nothing");
}

pub(super) async fn a_new_password_ends_every_session_but_the_kept_one(store: Arc<dyn Store>) {
    populate(&store, 1, &[1, 2, 3]).await;
    let password = Some("new".to_owned());
    let change = UserChange { password, keep: Some(Sid([2; 32])), ..UserChange::default() };
    store.change_user(UserId([1; 16]), change, later(5)).await.unwrap();
    let ended = Some(Ended { at: later(5), why: EndReason::PasswordChanged });
    assert_eq!((kept(&store, 1).await.ended, kept(&store, 3).await.ended), (ended, ended));
    assert_eq!(kept(&store, 2).await.ended, None);
    let change = UserChange { password: Some("newer".into()), ..UserChange::default() };
    store.change_user(UserId([1; 16]), change, later(6)).await.unwrap();
    assert_eq!(kept(&store, 2).await.ended.unwrap().why, EndReason::PasswordChanged, "none is kept");
}

pub(super) async fn a_session_opened_for_a_disabled_or_unknown_account_is_born_ended(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    let change = UserChange { disabled: Some(true), ..UserChange::default() };
    store.change_user(UserId([1; 16]), change, START).await.unwrap();
    for (n, owner) in [(1, 1), (2, 9)] {
        store.open_session(session(n, owner)).await.unwrap();
        assert_eq!(kept(&store, n).await.ended.unwrap().why, EndReason::AccountDisabled);
    }
}

pub(super) async fn of_200_parallel_enrolments_exactly_one_is_told_true(store: Arc<dyn Store>) {
    let id = UserId([1; 16]);
    let app = |n: u8| Totp { sealed_secret: SecretBytes::new([n; 40]), last_step: 1 };
    store.add_user(User { totp: None, backup_codes: Vec::new(), ..user(1) }).await.unwrap();
    let enrolled = async |replaces: Option<Totp>| {
        let attempts = (0..200).map(|n| {
            let (store, replaces) = (Arc::clone(&store), replaces.clone().map(|totp| totp.sealed_secret));
            let attempt = async move {
                store.enrol(id, app(n), vec![[n; 32]], replaces).await.unwrap().value.then_some(n)
            };
            tokio::spawn(attempt)
        });
        let told = futures_util::future::join_all(attempts).await;
        let winners: Vec<u8> = told.into_iter().filter_map(Result::unwrap).collect();
        let now = store.user_by_name(&user(1).name).await.unwrap().unwrap();
        let [winner] = winners.as_slice() else { panic!("{winners:?} were told true") };
        assert_eq!((now.totp, now.backup_codes), (Some(app(*winner)), vec![[*winner; 32]]));
        app(*winner)
    };
    let first = enrolled(None).await;
    let other = Some(app(250).sealed_secret);
    assert!(!store.enrol(id, app(251), Vec::new(), None).await.unwrap().value, "it has one already");
    assert!(!store.enrol(id, app(251), Vec::new(), other).await.unwrap().value, "it has another one");
    let change = UserChange { totp: Some(Some(app(252))), ..UserChange::default() };
    store.change_user(id, change, START).await.unwrap();
    let replaced = Some(first.sealed_secret);
    assert!(
        !store.enrol(id, app(251), Vec::new(), replaced).await.unwrap().value,
        "it was changed meanwhile"
    );
}
