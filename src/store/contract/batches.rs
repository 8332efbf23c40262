//! Imports, and sealing again.

use std::sync::Arc;

use super::{START, populate, session, user};
use crate::{
    rules::{
        identity::{User, UserId, UserSource},
        session::{Enrolment, PanelLogin, Rotation, SessionChange, Sid},
    },
    secret::SecretBytes,
    store::{Import, Reseal, Restored, Sealed, Store, UserChange},
};

fn import(n: u8, change: UserChange) -> Import {
    Import { fresh: user(n), change }
}

fn new_hash(hash: &str) -> UserChange {
    UserChange { password: Some(hash.into()), ..UserChange::default() }
}

pub(super) async fn accounts_are_imported_all_or_none(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    let both = || vec![import(2, UserChange::default()), import(1, UserChange::default())];
    let taken = store.import(both(), false, START).await.unwrap().value;
    assert_eq!(taken, Err(vec![user(1).name]));
    assert_eq!(store.everything().await.unwrap().users, [user(1)], "nothing is half done");
    let twice = vec![import(2, UserChange::default()), import(2, UserChange::default())];
    assert_eq!(store.import(twice, true, START).await.unwrap().value, Err(vec![user(2).name]));
    assert_eq!(store.import(both(), true, START).await.unwrap().value, Ok(()));
    assert_eq!(store.everything().await.unwrap().users, [user(1), user(2)]);
}

pub(super) async fn an_import_changes_what_it_says_and_signs_out_only_for_a_new_password(
    store: Arc<dyn Store>,
) {
    populate(&store, 1, &[1]).await;
    let alive = async || store.session(&Sid([1; 32])).await.unwrap().unwrap().ended.is_none();
    let same = UserChange { email: Some("n@x".into()), ..new_hash("hash") };
    store.import(vec![import(1, same)], true, START).await.unwrap().value.unwrap();
    assert!(alive().await, "the same hash again is no new password");
    let now = store.user_by_name(&user(1).name).await.unwrap().unwrap();
    assert_eq!(now, User { email: "n@x".into(), ..user(1) });
    store.import(vec![import(1, new_hash("other"))], true, START).await.unwrap().value.unwrap();
    assert!(!alive().await);
}

pub(super) async fn accounts_of_others_are_not_imported_over(store: Arc<dyn Store>) {
    for source in [UserSource::Issuer("i".into()), UserSource::Login("l".into())] {
        let n = if matches!(source, UserSource::Issuer(_)) { 1 } else { 2 };
        assert!(store.add_user(User { source, ..user(n) }).await.unwrap().value);
        let over = store.import(vec![import(n, new_hash("mine"))], true, START).await.unwrap().value;
        assert_eq!(over, Err(vec![user(n).name]));
    }
}

pub(super) async fn what_is_sealed_is_replaced_unless_it_has_changed_meanwhile(store: Arc<dyn Store>) {
    populate(&store, 1, &[]).await;
    let sealed = |n: u8| SecretBytes::new([n; 4]);
    let mut session = session(1, 1);
    session.panel = Some(Box::new(PanelLogin { sealed: sealed(1), at: START }));
    store.open_session(session).await.unwrap();
    let enrolment = Some(Some(Enrolment { sealed_secret: sealed(2), until: START, replaces: None }));
    let change = SessionChange { enrolment, ..SessionChange::default() };
    store.change_session(Sid([1; 32]), change, START).await.unwrap();
    store.consume_totp(UserId([1; 16]), 200).await.unwrap();

    let app = SecretBytes::new([1; 40]);
    let all = |old: [SecretBytes; 3], new: u8| {
        let places =
            [Sealed::Totp(UserId([1; 16])), Sealed::Panel(Sid([1; 32])), Sealed::Enrolment(Sid([1; 32]))];
        let values = places.into_iter().zip(old);
        values.map(|(of, old)| Reseal { of, old, new: sealed(new) }).collect::<Vec<_>>()
    };
    let first = all([app.clone(), sealed(1), sealed(2)], 7);
    assert_eq!(store.reseal(first.clone()).await.unwrap().value, 3);
    assert_eq!(store.reseal(first).await.unwrap().value, 0, "what was read is not there any more");
    let totp = store.user_by_name(&user(1).name).await.unwrap().unwrap().totp.unwrap();
    assert_eq!((totp.sealed_secret, totp.last_step), (sealed(7), 200), "R14: used codes stay used");
    let session = store.session(&Sid([1; 32])).await.unwrap().unwrap();
    assert_eq!(
        (session.panel.unwrap().sealed, session.enrolment.unwrap().sealed_secret),
        (sealed(7), sealed(7))
    );
}

/// R14, and what was revoked since the store was put away does not come back to life.
pub(super) async fn a_store_from_an_earlier_time_ends_its_sessions_and_spends_codes(store: Arc<dyn Store>) {
    populate(&store, 1, &[1, 2]).await;
    populate(&store, 2, &[3]).await;
    store.consume_totp(UserId([2; 16]), 900).await.unwrap();
    let last_steps = async || {
        let users = store.everything().await.unwrap().users;
        users.iter().map(|user| user.totp.as_ref().unwrap().last_step).collect::<Vec<_>>()
    };
    let kept = store.restored(false, 500, START).await.unwrap().value;
    assert_eq!(kept, Restored { ended: 0, raised: 1 });
    assert_eq!(last_steps().await, [500, 900], "never backwards");
    assert!(!store.consume_totp(UserId([1; 16]), 500).await.unwrap().value);
    let done = store.restored(true, 500, START).await.unwrap().value;
    assert_eq!(done, Restored { ended: 3, raised: 0 });
    for n in 1..=3 {
        assert!(super::kept(&store, n).await.ended.is_some());
        let rotation = store.rotate(super::presented(n, 1, START)).await.unwrap().value.unwrap();
        assert!(matches!(rotation, Rotation::Dead(_)), "{rotation:?}");
    }
}
