//! Writes that share a transaction.

use std::sync::{Arc, mpsc};

use super::faults::{Disk, Faulty};
use crate::{
    rules::identity::UserId,
    store::{
        Cursor, RedbStore, Store, StoreError,
        contract::user,
        engine::{Engine, Job},
        records::Writing,
        redb::file::{builder, initialise},
    },
};

/// Keeps the writer busy until told to go on, so that everything that is queued meanwhile shares the next commit.
struct Blocker(mpsc::Receiver<()>);

impl Job for Blocker {
    fn run(&mut self, _: &mut Writing<'_>) -> Result<(), StoreError> {
        self.0.recv().unwrap();
        Ok(())
    }

    fn answer(self: Box<Self>, _: Result<Cursor, StoreError>) {}
}

/// Writes an account and fails then.
struct Spoiler(mpsc::Sender<Result<Cursor, StoreError>>);

impl Job for Spoiler {
    fn run(&mut self, to: &mut Writing<'_>) -> Result<(), StoreError> {
        to.put_user(user(66))?;
        Err(StoreError::Damaged("on purpose".into()))
    }

    fn answer(self: Box<Self>, outcome: Result<Cursor, StoreError>) {
        self.0.send(outcome).unwrap();
    }
}

fn store_on(disk: &Arc<Disk>) -> RedbStore {
    let database = builder().create_with_backend(Faulty(Arc::clone(disk))).unwrap();
    initialise(&database).unwrap();
    RedbStore::over(database).unwrap()
}

/// Holds the writer until the returned sender is used.
async fn hold(store: &RedbStore) -> mpsc::Sender<()> {
    let (go_on, blocked) = mpsc::channel();
    store.submit(Box::new(Blocker(blocked))).await.unwrap();
    go_on
}

#[tokio::test]
async fn what_is_queued_shares_one_commit() {
    let disk = Arc::new(Disk::default());
    let store = store_on(&disk);
    let before = disk.syncs();
    store.add_user(user(1)).await.unwrap();
    let one = disk.syncs() - before;
    let go_on = hold(&store).await;
    let writes = (0..100_u64).map(|step| {
        let store = store.clone();
        tokio::spawn(async move { store.consume_totp(UserId([1; 16]), 200 + step).await.unwrap() })
    });
    let writes: Vec<_> = writes.collect();
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    go_on.send(()).unwrap();
    futures_util::future::join_all(writes).await;
    let hundred = disk.syncs() - before - one;
    assert!(hundred <= 3 * one, "{hundred} syncs for 100 writes, {one} for one");
}

#[tokio::test]
async fn a_write_that_fails_leaves_no_trace_and_does_not_spoil_its_mates() {
    let store = store_on(&Arc::new(Disk::default()));
    let go_on = hold(&store).await;
    let mate = |n| {
        let store = store.clone();
        tokio::spawn(async move { store.add_user(user(n)).await.unwrap().value })
    };
    let first = mate(1);
    tokio::task::yield_now().await;
    let (outcome, told) = mpsc::channel();
    store.submit(Box::new(Spoiler(outcome))).await.unwrap();
    let last = mate(2);
    tokio::task::yield_now().await;
    go_on.send(()).unwrap();
    assert!(first.await.unwrap() && last.await.unwrap());
    assert!(matches!(told.recv().unwrap(), Err(StoreError::Damaged(_))));
    let everything = store.everything().await.unwrap();
    assert_eq!((everything.users, everything.cursor), (vec![user(1), user(2)], Cursor(2)));
}

#[tokio::test]
async fn the_stream_has_a_change_before_the_write_is_answered() {
    let store = store_on(&Arc::new(Disk::default()));
    let mut stream = store.changes(Cursor::default()).await.unwrap();
    for n in 1..=50 {
        let written = store.add_user(user(n)).await.unwrap();
        let ready = futures_util::FutureExt::now_or_never(futures_util::StreamExt::next(&mut stream));
        assert_eq!(ready.unwrap().unwrap().0, written.cursor);
    }
}
