//! Disks that stop working, and what a loss of power leaves of them.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use ::redb::StorageBackend;

use super::{Dice, state};
use crate::{
    clock::Wall,
    rules::{
        identity::UserId,
        session::{Elevation, EndReason, Factor, Presented, Sid},
    },
    store::{
        Cursor, MemoryStore, RedbStore, Store, StoreError, UserChange, Which,
        contract::{START, session, user},
        engine::Job,
        records::Writing,
        redb::{
            Order,
            file::{builder, initialise},
        },
    },
};

/// A disk that keeps apart what was synced and what a loss of power may take or tear.
#[derive(Debug)]
pub(super) struct Disk {
    image: Mutex<Image>,
    /// Operations until it fails for good.
    left: AtomicUsize,
    syncs: AtomicUsize,
}

#[derive(Clone, Debug, Default)]
struct Image {
    now: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Effect>,
}

#[derive(Clone, Debug)]
enum Effect {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Effect {
    fn on(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Write(offset, data) => {
                let end = offset + data.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*offset..end].copy_from_slice(data);
            }
        }
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self::holding(Vec::new())
    }
}

impl Disk {
    fn holding(bytes: Vec<u8>) -> Self {
        let image = Image { now: bytes.clone(), synced: bytes, unsynced: vec![] };
        Self { image: Mutex::new(image), left: AtomicUsize::new(usize::MAX), syncs: AtomicUsize::new(0) }
    }

    fn fail_after(&self, operations: usize) {
        self.left.store(operations, Ordering::SeqCst);
    }

    pub(super) fn syncs(&self) -> usize {
        self.syncs.load(Ordering::SeqCst)
    }

    fn use_one(&self) -> io::Result<()> {
        let took = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        took.map(drop).map_err(|_| io::Error::other("the disk is gone"))
    }

    /// What is on the disk when the power is back: any part of what was not synced, in any order, perhaps torn.
    fn after_power_loss(&self, dice: &mut Dice) -> Vec<u8> {
        let image = self.image.lock().unwrap();
        let mut bytes = image.synced.clone();
        for effect in &image.unsynced {
            match (dice.roll(3), effect) {
                (0, _) => {}
                (1, Effect::Write(offset, data)) => {
                    Effect::Write(*offset, data[..dice.roll(data.len() + 1)].to_vec()).on(&mut bytes);
                }
                (_, whole) => whole.on(&mut bytes),
            }
        }
        bytes
    }
}

#[derive(Debug)]
pub(super) struct Faulty(pub(super) Arc<Disk>);

impl Faulty {
    fn change(&self, effect: Effect) -> io::Result<()> {
        self.0.use_one()?;
        let mut image = self.0.image.lock().unwrap();
        effect.on(&mut image.now);
        image.unsynced.push(effect);
        Ok(())
    }
}

impl StorageBackend for Faulty {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.image.lock().unwrap().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.use_one()?;
        let image = self.0.image.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        let bytes = image.now.get(start..start + out.len());
        out.copy_from_slice(bytes.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(Effect::Length(usize::try_from(length).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.use_one()?;
        self.0.syncs.fetch_add(1, Ordering::SeqCst);
        let mut image = self.0.image.lock().unwrap();
        image.synced = image.now.clone();
        image.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Effect::Write(usize::try_from(offset).unwrap(), data.to_vec()))
    }
}

const STEPS: usize = 14;

fn at(secs: u64) -> Wall {
    START.plus(std::time::Duration::from_secs(secs))
}

/// The story that each run tells until the disk fails.
async fn step(store: &dyn Store, n: usize) -> Result<(), StoreError> {
    let (first, second) = (UserId([1; 16]), UserId([2; 16]));
    let grace = std::time::Duration::from_secs(10);
    let presented = |generation| Presented { sid: Sid([1; 32]), generation, at: at(2), grace };
    match n {
        0 => store.add_user(user(1)).await.map(drop),
        1 => store.add_user(user(2)).await.map(drop),
        2 => store.open_session(session(1, 1)).await.map(drop),
        3 => store.open_session(session(2, 1)).await.map(drop),
        4 => store.open_session(session(3, 2)).await.map(drop),
        5 => store.open_session(session(4, 2)).await.map(drop),
        6 => store.consume_totp(first, 101).await.map(drop),
        7 => store.elevate(Sid([1; 32]), Elevation { at: at(1), by: Factor::Totp }).await.map(drop),
        8 => store.rotate(presented(1)).await.map(drop),
        9 => store.end(Which::One(Sid([2; 32])), EndReason::Revoked, at(3)).await.map(drop),
        10 => {
            let change = UserChange { disabled: Some(true), ..UserChange::default() };
            store.change_user(second, change, at(4)).await.map(drop)
        }
        11 => store.consume_backup_code(first, [2; 32]).await.map(drop),
        12 => store.purge(at(100_000), 10).await.map(drop),
        _ => store.remove_user(second, at(5)).await.map(drop),
    }
}

type State = (u64, Vec<Arc<crate::rules::session::Session>>, Vec<crate::rules::identity::User>);

async fn state_of(store: &dyn Store) -> State {
    state(store.everything().await.unwrap())
}

/// The states after 0, 1, 2 … steps, as a store that cannot fail has them.
async fn truth() -> Vec<State> {
    let store = MemoryStore::new();
    let mut states = vec![state_of(&store).await];
    for n in 0..STEPS {
        step(&store, n).await.unwrap();
        states.push(state_of(&store).await);
    }
    states
}

fn fresh(disk: &Arc<Disk>) -> RedbStore {
    let database = builder().create_with_backend(Faulty(Arc::clone(disk))).unwrap();
    initialise(&database).unwrap();
    RedbStore::over(database).unwrap()
}

/// R33: wherever the disk fails and however it tears, every acknowledged write is there afterwards, and the one that
/// was answered with an error is there as a whole or not at all.
#[tokio::test]
async fn a_disk_that_fails_anywhere_loses_no_acknowledged_write_and_halves_none() {
    let truth = truth().await;
    let mut dice = Dice(7);
    let mut finished = false;
    let mut operations = 0;
    while !finished {
        let disk = Arc::new(Disk::default());
        let store = fresh(&disk);
        disk.fail_after(operations);
        let mut acknowledged = 0;
        while acknowledged < STEPS && step(&store, acknowledged).await.is_ok() {
            acknowledged += 1;
        }
        finished = acknowledged == STEPS;
        if !finished {
            refuses_everything(&store).await;
        }
        let unknown = (acknowledged + 1).min(STEPS);
        for _ in 0..3 {
            let found = after_power_loss(&disk, &mut dice).await;
            assert!(
                found == truth[acknowledged] || found == truth[unknown],
                "failed after {operations} operations with {acknowledged} acknowledged: {found:?}",
            );
        }
        operations += 1;
    }
    assert!(operations > 50, "the disk was hardly used: {operations}");
}

async fn after_power_loss(disk: &Disk, dice: &mut Dice) -> State {
    let survivor = Arc::new(Disk::holding(disk.after_power_loss(dice)));
    let database = builder().create_with_backend(Faulty(survivor)).unwrap();
    state_of(&RedbStore::over(database).unwrap()).await
}

/// A store whose commit failed does not know what its file holds.
async fn refuses_everything(store: &RedbStore) {
    let write = store.consume_totp(UserId([1; 16]), 999).await.err();
    let read = store.session(&Sid([1; 32])).await.err();
    for refusal in [write, read] {
        assert!(matches!(refusal, Some(StoreError::Unavailable(_))), "{refusal:?}");
    }
}

#[tokio::test]
async fn all_writes_that_wait_for_a_failed_commit_are_told() {
    let disk = Arc::new(Disk::default());
    let store = fresh(&disk);
    store.add_user(user(1)).await.unwrap();
    disk.fail_after(0);
    let writes = (0..50).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.consume_totp(UserId([1; 16]), 200 + n).await })
    });
    for told in futures_util::future::join_all(writes).await {
        assert!(matches!(told.unwrap(), Err(StoreError::Unavailable(_))));
    }
    assert!(store.changes(Cursor::default()).await.is_err());
}

struct Asks(tokio::sync::oneshot::Sender<Result<Cursor, StoreError>>);

impl Job for Asks {
    fn run(&mut self, _: &mut Writing<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<Cursor, StoreError>) {
        let _ = self.0.send(outcome);
    }
}

/// A queue that is dropped keeps what is put into it in that very moment.
#[tokio::test]
async fn a_write_that_comes_just_as_the_store_fails_is_told() {
    let disk = Arc::new(Disk::default());
    let store = fresh(&disk);
    store.add_user(user(1)).await.unwrap();
    let place = store.orders.reserve().await.unwrap();
    disk.fail_after(0);
    assert!(store.consume_totp(UserId([1; 16]), 200).await.is_err());
    // Until the writer has noticed.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let (reply, told) = tokio::sync::oneshot::channel();
    place.send(Order::Write(Box::new(Asks(reply))));
    let told = tokio::time::timeout(std::time::Duration::from_secs(10), told).await;
    assert!(matches!(told.expect("it still waits"), Ok(Err(StoreError::Unavailable(_)))));
}

#[tokio::test]
async fn followers_of_a_store_that_failed_are_not_left_waiting() {
    let disk = Arc::new(Disk::default());
    let store = fresh(&disk);
    let mut stream = store.changes(Cursor::default()).await.unwrap();
    disk.fail_after(0);
    assert!(store.add_user(user(1)).await.is_err());
    assert!(futures_util::StreamExt::next(&mut stream).await.is_none());
}
