//! The file is lent to another process; here, to another store of this one.

use std::{path::PathBuf, time::Duration};

use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::{
    rules::identity::User,
    store::{Change, Cursor, RedbStore, Store, StoreError, contract::user},
};

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("panelgate.redb");
    (folder, file)
}

fn named(change: Option<(Cursor, Change)>) -> User {
    match change {
        Some((_, Change::User(user))) => (*user).clone(),
        other => panic!("no account: {other:?}"),
    }
}

#[tokio::test]
async fn while_the_file_is_lent_another_opens_it_and_writes_and_reads_wait_until_it_is_back() {
    let (_folder, file) = place();
    let store = RedbStore::open(&file).unwrap();
    store.add_user(user(1)).await.unwrap();
    assert!(matches!(RedbStore::open(&file), Err(StoreError::Locked)));
    let lent = store.lend().await.unwrap();
    let borrower = RedbStore::open(&file).unwrap();
    assert_eq!(borrower.everything().await.unwrap().users, [user(1)]);
    let writing = tokio::spawn({
        let store = store.clone();
        async move { store.add_user(user(2)).await }
    });
    let name = user(1).name;
    assert!(timeout(Duration::from_millis(100), store.user_by_name(&name)).await.is_err(), "it waits");
    assert!(!writing.is_finished());
    borrower.close().await.unwrap();
    lent.take_back(file).await.unwrap();
    assert!(writing.await.unwrap().unwrap().value);
    assert_eq!(store.user_by_name(&name).await.unwrap(), Some(user(1)));
    store.close().await.unwrap();
}

/// The borrower wrote something and died: whoever follows the changes must hear of it.
#[tokio::test]
async fn what_a_borrower_wrote_is_told_to_followers_once_the_file_is_back() {
    let (_folder, file) = place();
    let store = RedbStore::open(&file).unwrap();
    store.add_user(user(1)).await.unwrap();
    let mut changes = store.changes(Cursor::default()).await.unwrap();
    assert_eq!(named(changes.next().await), user(1));
    let lent = store.lend().await.unwrap();
    let borrower = RedbStore::open(&file).unwrap();
    borrower.add_user(user(2)).await.unwrap();
    borrower.close().await.unwrap();
    lent.take_back(file).await.unwrap();
    let Some((_, Change::Everything(everything))) = changes.next().await else { panic!("nothing told") };
    assert_eq!(everything.users.len(), 2);
    store.close().await.unwrap();
}

#[tokio::test]
async fn once_it_is_given_away_writes_fail_and_the_heirs_changes_come_through() {
    let (_folder, file) = place();
    let store = RedbStore::open(&file).unwrap();
    let cursor = store.add_user(user(1)).await.unwrap().cursor;
    let mut changes = store.changes(cursor).await.unwrap();
    let lent = store.lend().await.unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.add_user(user(2)).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let new = RedbStore::open(&file).unwrap();
    let heir = lent.give();
    assert!(matches!(waiting.await.unwrap(), Err(StoreError::HandedOver)));
    assert!(matches!(store.add_user(user(3)).await, Err(StoreError::HandedOver)));
    assert!(matches!(store.everything().await, Err(StoreError::HandedOver)));
    let mut theirs = new.changes(cursor).await.unwrap();
    new.add_user(user(4)).await.unwrap();
    let (at, change) = theirs.next().await.unwrap();
    heir.tell(at, change);
    assert_eq!(named(changes.next().await), user(4));
    drop(heir);
    assert!(changes.next().await.is_none(), "nobody may believe what is not told any more");
    new.close().await.unwrap();
}

/// A copy that is being made ends when the file is lent, and holds nobody up.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_ended_by_a_hand_over_and_does_not_delay_it() {
    let (_folder, file) = place();
    let store = RedbStore::open(&file).unwrap();
    for n in 0..10 {
        store.add_user(user(n)).await.unwrap();
    }
    let frozen = store.freeze().unwrap();
    let lent = timeout(Duration::from_secs(5), store.lend()).await.expect("nobody is waited for").unwrap();
    assert!(matches!(store.freeze(), Err(StoreError::HandedOver)));
    let mut told = |_| std::ops::ControlFlow::Continue(());
    let copied = frozen.copy_into(tempfile::tempfile().unwrap(), &mut told);
    assert!(matches!(copied, Err(StoreError::HandedOver)), "{copied:?}");
    let borrower = RedbStore::open(&file).expect("the file is free");
    borrower.close().await.unwrap();
    lent.take_back(file).await.unwrap();
    assert!(store.freeze().unwrap().copy_into(tempfile::tempfile().unwrap(), &mut told).is_ok());
    store.close().await.unwrap();
}
