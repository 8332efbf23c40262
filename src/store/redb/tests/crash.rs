//! kill -9, for real: a child process writes and notes each acknowledgement, and is killed in the middle of it.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::Dice;
use crate::{
    clock::Wall,
    rules::{
        identity::{UserId, UserName},
        session::{Elevation, EndReason, Factor, Presented, Rotation, Sid},
    },
    store::{
        RedbStore, Store, Which,
        contract::{START, session, user},
    },
};

const FOLDER: &str = "PANELGATE_TEST_CRASH_FOLDER";
const KILLS: usize = 30;
const WRITERS: u64 = 4;

/// Not a test: what the child runs. Without its variable it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let store: Arc<dyn Store> = Arc::new(RedbStore::open(&folder.join("store.redb")).unwrap());
    store.add_user(user(1)).await.unwrap();
    let round = fs::read_dir(&folder).unwrap().count() as u64;
    let writers = (0..WRITERS).map(|writer| {
        let (store, folder) = (Arc::clone(&store), folder.clone());
        tokio::spawn(async move { write_for_ever(&*store, &folder, round, writer).await })
    });
    futures_util::future::join_all(writers).await;
}

async fn write_for_ever(store: &dyn Store, folder: &Path, round: u64, writer: u64) {
    let notes = folder.join(format!("acknowledged.{round}.{writer}"));
    let mut notes = OpenOptions::new().create(true).append(true).open(notes).unwrap();
    for n in 0_u64.. {
        let number = (round * WRITERS + writer) * 1_000_000 + n;
        let sid = sid_of(number);
        // One write per line, so that a kill cannot tear it.
        let mut note = |what: &str| notes.write_all(format!("{number} {what}\n").as_bytes()).unwrap();
        store.open_session(crate::rules::session::Session { sid, ..session(1, 1) }).await.unwrap();
        note("opened");
        store.elevate(sid, Elevation { at: later(1), by: Factor::Totp }).await.unwrap();
        note("elevated");
        let grace = Duration::from_secs(10);
        let rotation = store.rotate(Presented { sid, generation: 1, at: later(2), grace }).await.unwrap();
        assert_eq!(rotation.value, Some(Rotation::Rotated { generation: 2 }));
        note("rotated");
        if store.consume_totp(UserId([1; 16]), 200 + number).await.unwrap().value {
            note("stepped");
        }
        store.end(Which::One(sid), EndReason::Revoked, later(3)).await.unwrap();
        note("ended");
    }
}

fn sid_of(number: u64) -> Sid {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Sid(bytes)
}

fn later(secs: u64) -> Wall {
    START.plus(Duration::from_secs(secs))
}

/// R33: kill -9 loses no acknowledged session, elevation, rotation, step or revocation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r33_kill_9_at_any_point_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice(std::process::id().into());
    let mut found = 0;
    for round in 0..KILLS {
        let wait_for = if round % 2 == 0 { found + 1 } else { 0 };
        run_child_and_kill_it(folder.path(), wait_for, dice.roll(200)).await;
        found = check(folder.path()).await;
    }
    assert!(found > KILLS, "only {found} acknowledgements: the children hardly got to write");
}

/// Kills the child some milliseconds after its start, or after there are `wait_for` acknowledgements: while it opens,
/// repairs or writes.
async fn run_child_and_kill_it(folder: &Path, wait_for: usize, millis: usize) {
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::redb::tests::crash::child_that_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let patience = tokio::time::timeout(Duration::from_secs(60), async {
        while acknowledgements(folder).len() < wait_for {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    patience.await.expect("the child acknowledged nothing");
    let lifetime = Duration::from_millis(millis.try_into().unwrap());
    let ended = tokio::time::timeout(lifetime, child.wait()).await;
    assert!(ended.is_err(), "the child ended by itself: {ended:?}");
    child.kill().await.unwrap();
}

/// Opens the store as the next process would; every acknowledgement must be true. How many there are.
async fn check(folder: &Path) -> usize {
    let store = RedbStore::open(&folder.join("store.redb")).unwrap();
    let everything = store.everything().await.unwrap();
    let sessions: BTreeMap<Sid, _> = everything.sessions.into_iter().map(|s| (s.sid, s)).collect();
    let step = store.user_by_name(&UserName::parse("user-1").unwrap()).await.unwrap();
    let step = step.and_then(|user| user.totp).map_or(0, |totp| totp.last_step);
    store.close().await.unwrap();
    let notes = acknowledgements(folder);
    for (number, what) in &notes {
        let session = sessions.get(&sid_of(*number)).unwrap_or_else(|| panic!("session {number} is lost"));
        let holds = match what.as_str() {
            "opened" => true,
            "elevated" => session.elevation.is_some(),
            "rotated" => session.family.generation == 2,
            "stepped" => step >= 200 + number,
            "ended" => session.ended.is_some(),
            other => panic!("{other}"),
        };
        assert!(holds, "session {number}: {what} was acknowledged and is lost");
    }
    notes.len()
}

fn acknowledgements(folder: &Path) -> Vec<(u64, String)> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let notes = files.filter(|path| path.to_string_lossy().contains("acknowledged"));
    let lines = notes.flat_map(|path| {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    lines
        .map(|line| {
            let (number, what) = line.split_once(' ').unwrap();
            (number.parse().unwrap(), what.to_owned())
        })
        .collect()
}
