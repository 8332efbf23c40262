//! The file is lent to another process; here, to another store of this one.

use std::{os::unix::net::UnixStream, path::PathBuf, time::Duration};

use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::{
    rules::identity::User,
    store::{Change, Cursor, RedbStore, Store, StoreError, Written, contract::user},
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

#[tokio::test(flavor = "multi_thread")]
async fn once_it_is_given_away_the_heir_does_what_waited_and_what_still_comes() {
    let (_folder, file) = place();
    let store = RedbStore::open(&file).unwrap();
    let cursor = store.add_user(user(1)).await.unwrap().cursor;
    let mut changes = store.changes(cursor).await.unwrap();
    let lent = store.lend().await.unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { (store.add_user(user(2)).await, store.user_by_name(&user(1).name).await) }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    let new = RedbStore::open(&file).unwrap();
    let (line, theirs) = UnixStream::pair().unwrap();
    new.serve_predecessor(theirs).unwrap();
    let heir = lent.give(line);
    let (written, read) = waiting.await.unwrap();
    assert_eq!(
        (written.unwrap(), read.unwrap()),
        (Written { value: true, cursor: Cursor(2) }, Some(user(1)))
    );
    assert!(!store.add_user(user(2)).await.unwrap().value, "the name is taken");
    assert!(new.add_user(user(4)).await.unwrap().value);
    assert_eq!(store.add_user(user(3)).await.unwrap().cursor, Cursor(4), "positions go on");
    assert_eq!(store.everything().await.unwrap().users, new.everything().await.unwrap().users);
    // The heir's own stream shows what it did for another.
    let mut theirs = new.changes(cursor).await.unwrap();
    for n in [2, 4, 3] {
        let (at, change) = theirs.next().await.unwrap();
        heir.tell(at, change);
        assert_eq!(named(changes.next().await), user(n));
    }
    new.close().await.unwrap();
    assert!(matches!(store.add_user(user(5)).await, Err(StoreError::HandedOver)));
    assert!(matches!(store.everything().await, Err(StoreError::HandedOver)));
    drop(heir);
    assert!(changes.next().await.is_none(), "nobody may believe what is not told any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_process_that_stands_still_within_an_operation_holds_the_heir_up_for_a_moment_only() {
    let (_folder, file) = place();
    let store = RedbStore::open(&file).unwrap();
    let (line, theirs) = UnixStream::pair().unwrap();
    store.serve_predecessor(theirs).unwrap();
    // "Begin", and nothing after it.
    std::io::Write::write_all(&mut &line, &[0, 0, 0, 1, 0]).unwrap();
    let mut begun = [0; 5];
    std::io::Read::read_exact(&mut &line, &mut begun).unwrap();
    let written = timeout(Duration::from_secs(10), store.add_user(user(1))).await;
    assert!(written.expect("it stands still as well").unwrap().value);
    let mut rest = vec![];
    assert_eq!(
        std::io::Read::read_to_end(&mut &line, &mut rest).unwrap(),
        0,
        "it is not listened to any more"
    );
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_heir_that_dies_is_not_waited_for() {
    let (_folder, file) = place();
    let store = RedbStore::open(&file).unwrap();
    let lent = store.lend().await.unwrap();
    let (line, theirs) = UnixStream::pair().unwrap();
    let _heir = lent.give(line);
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.add_user(user(1)).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(theirs);
    let outcome = timeout(Duration::from_secs(5), waiting).await.expect("it waits").unwrap();
    assert!(matches!(outcome, Err(StoreError::HandedOver)), "{outcome:?}");
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
