//! Files that are not what we left behind.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt;

use super::{Dice, state};
use crate::rules::{
    address::NetworkKey,
    failures::{Failure, Kind, Lockout, Subject},
    identity::UserId,
    session::{EndReason, Presented, Sid},
};
use crate::store::{
    Everything, RedbStore, Store, StoreError, UserChange, Which,
    contract::{START, later, session, user},
    records::Writing,
    redb::{
        file::builder,
        transaction::{Pending, begin},
    },
    tables::{Table, Tables},
};

struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    Place { _folder: folder, path }
}

/// A file with some records in it.
async fn filled(path: &Path) -> Everything {
    let store: Arc<dyn Store> = Arc::new(RedbStore::open(path).unwrap());
    for n in 1..=20 {
        store.add_user(user(n)).await.unwrap();
        store.open_session(session(n, n)).await.unwrap();
    }
    let everything = store.everything().await.unwrap();
    store.close().await.unwrap();
    everything
}

async fn reopened(path: &Path) -> Result<Everything, StoreError> {
    let store = RedbStore::open(path)?;
    let everything = store.everything().await;
    store.close().await?;
    everything
}

/// Changes a closed file behind our back.
fn tamper(path: &Path, change: impl FnOnce(&mut dyn Tables)) {
    let database = builder().open(path).unwrap();
    let transaction = begin(&database).unwrap();
    change(&mut Pending::over(&transaction).unwrap());
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_closed_store_opens_again_with_everything_in_it() {
    let place = place();
    let before = filled(&place.path).await;
    assert_eq!(state(reopened(&place.path).await.unwrap()), state(before));
}

#[tokio::test]
async fn cursors_go_on_after_a_restart() {
    let place = place();
    let before = filled(&place.path).await.cursor;
    let store = RedbStore::open(&place.path).unwrap();
    let after = store.add_user(user(99)).await.unwrap().cursor;
    assert_eq!(after.0, before.0 + 1);
}

#[tokio::test]
async fn the_file_is_for_its_owner_alone_and_no_draft_is_left() {
    let place = place();
    RedbStore::open(&place.path).unwrap().close().await.unwrap();
    assert_eq!(fs::metadata(&place.path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(place.path.parent().unwrap()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_draft_of_a_killed_start_is_no_hindrance() {
    let place = place();
    fs::write(format!("{}.{}.new", place.path.display(), std::process::id()), "half").unwrap();
    RedbStore::open(&place.path).unwrap().close().await.unwrap();
}

#[tokio::test]
async fn files_and_folders_that_others_reach_are_refused_with_the_mend() {
    let place = place();
    filled(&place.path).await;
    let refused = |mend: &str| {
        let error = RedbStore::open(&place.path).err().expect("opened").to_string();
        assert!(error.contains(mend), "{error}");
    };
    fs::set_permissions(&place.path, fs::Permissions::from_mode(0o640)).unwrap();
    refused("chmod 600");
    fs::set_permissions(&place.path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(place.path.parent().unwrap(), fs::Permissions::from_mode(0o777)).unwrap();
    refused("chmod 700");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let error = RedbStore::open(Path::new("/nowhere/at/all/store.redb")).err().unwrap().to_string();
    assert!(error.contains("`/nowhere/at/all`"), "{error}");
}

#[tokio::test]
async fn a_second_opener_is_told_that_it_is_locked() {
    let place = place();
    let store = RedbStore::open(&place.path).unwrap();
    assert!(matches!(RedbStore::open(&place.path).err(), Some(StoreError::Locked)));
    store.close().await.unwrap();
    RedbStore::open(&place.path).unwrap();
}

#[tokio::test]
async fn another_schema_is_refused_with_both_numbers() {
    let place = place();
    filled(&place.path).await;
    tamper(&place.path, |tables| Writing::new(tables).put_schema(7).unwrap());
    let error = RedbStore::open(&place.path).err();
    assert!(matches!(error, Some(StoreError::Schema { found: 7, wanted: 6 })), "{error:?}");
}

#[tokio::test]
async fn a_file_of_the_schema_before_gets_the_tables_that_it_lacks_and_keeps_what_it_has() {
    let place = place();
    let before = filled(&place.path).await;
    {
        let database = builder().open(&place.path).unwrap();
        let transaction = begin(&database).unwrap();
        for name in ["failures", "failures_by_network"] {
            let table = ::redb::TableDefinition::<&[u8], &[u8]>::new(name);
            assert!(transaction.delete_table(table).unwrap(), "{name}");
        }
        let mut meta = transaction.open_table(::redb::TableDefinition::<&[u8], &[u8]>::new("meta")).unwrap();
        meta.insert(&b"schema"[..], &3_u32.to_be_bytes()[..]).unwrap();
        drop(meta);
        transaction.commit().unwrap();
    }
    assert_eq!(state(reopened(&place.path).await.unwrap()), state(before));
}

#[tokio::test]
async fn r16_failures_are_still_there_after_a_restart() {
    let place = place();
    filled(&place.path).await;
    let store = RedbStore::open(&place.path).unwrap();
    let failure = Failure {
        guessed: Some((Subject::Account(UserId([1; 16])), Kind::Password)),
        network: NetworkKey::of(std::net::Ipv4Addr::LOCALHOST.into()),
        bannable: true,
        count: 1,
        at: START,
    };
    for _ in 0..5 {
        store.fail(failure, Arc::default()).await.unwrap();
    }
    let before = store.everything().await.unwrap().failures;
    store.close().await.unwrap();
    let after = reopened(&place.path).await.unwrap().failures;
    assert_eq!(after, before);
    let (_, account) = after.first().unwrap();
    assert!(account.standing(&Lockout::default(), START).worst().is_some(), "it is still locked");
}

#[tokio::test]
async fn a_record_that_is_not_ours_is_damage() {
    let forgeries: [(Table, &[u8], &[u8]); 6] = [
        (Table::Users, &[1; 16], &[]),
        (Table::Users, &[1; 16], &[2, 0, 0]),
        (Table::Users, &[1; 16], &[1, 0, 0]),
        (Table::Users, &[77; 16], &[1; 400]),
        (Table::Meta, b"schema", b"xx"),
        (Table::Meta, b"cursor", b"xx"),
    ];
    for (table, key, value) in forgeries {
        let place = place();
        filled(&place.path).await;
        tamper(&place.path, |tables| tables.put(table, key, value).unwrap());
        let error = RedbStore::open(&place.path).err();
        assert!(matches!(error, Some(StoreError::Damaged(_))), "{table:?} {value:?}: {error:?}");
    }
}

/// A start does not wait for the sessions, so one of them that is not ours is found later: it is refused and named, and
/// keeps nothing from the others.
#[tokio::test]
async fn a_session_that_is_not_ours_is_refused_and_named_and_the_others_are_not() {
    let place = place();
    filled(&place.path).await;
    tamper(&place.path, |tables| {
        tables.put(Table::Sessions, &[1; 32], &[0xff; 200]).unwrap();
        let other = tables.get(Table::Sessions, &[2; 32]).unwrap().unwrap();
        tables.put(Table::Sessions, &[3; 32], &other).unwrap();
    });
    let store = RedbStore::open(&place.path).unwrap();
    let bad = [Sid([1; 32]), Sid([3; 32])];
    for sid in &bad {
        assert!(matches!(store.session(sid).await, Err(StoreError::Damaged(_))));
        assert!(matches!(store.session_at(sid).await, Err(StoreError::Damaged(_))));
        let presented = Presented { sid: *sid, generation: 1, at: START, grace: Duration::ZERO };
        assert!(matches!(store.rotate(presented).await, Err(StoreError::Damaged(_))));
        let ended = store.end(Which::One(*sid), EndReason::Revoked, START).await;
        assert!(matches!(ended, Err(StoreError::Damaged(_))), "nobody is told that it has ended");
    }
    let everything = store.everything().await.unwrap();
    assert_eq!((everything.sessions.len(), everything.unreadable.len()), (18, 2));
    for (sid, what) in bad.iter().zip(&everything.unreadable) {
        assert!(what.starts_with(&sid.public().to_string()), "{what}");
    }
    let mut beginning = store.begin().await.unwrap();
    let piece = beginning.sessions.next().await.unwrap().unwrap();
    assert_eq!((piece.sessions.len(), piece.unreadable), (18, everything.unreadable));
    let mut told = |_| std::ops::ControlFlow::Continue(());
    let copy = store.freeze().unwrap().copy_into(tempfile::tempfile().unwrap(), &mut told);
    assert!(matches!(copy, Err(StoreError::Damaged(_))), "a copy that cannot be restored is none: {copy:?}");
}

#[tokio::test]
async fn a_session_that_cannot_be_read_keeps_no_account_from_being_closed_and_nothing_from_being_purged() {
    let place = place();
    filled(&place.path).await;
    let store = RedbStore::open(&place.path).unwrap();
    store.open_session(session(101, 1)).await.unwrap();
    store.close().await.unwrap();
    tamper(&place.path, |tables| tables.put(Table::Sessions, &[1; 32], &[0xff; 200]).unwrap());
    let store = RedbStore::open(&place.path).unwrap();
    let change = UserChange { disabled: Some(true), totp: Some(None), ..UserChange::default() };
    assert!(store.change_user(UserId([1; 16]), change, START).await.unwrap().value);
    assert!(store.session(&Sid([101; 32])).await.unwrap().unwrap().ended.is_some());
    assert_eq!(store.purge(later(1_000_000), 100).await.unwrap().value, 20, "all but the one");
    assert_eq!(store.purge(later(1_000_000), 100).await.unwrap().value, 0);
    let everything = store.everything().await.unwrap();
    assert_eq!((everything.sessions.len(), everything.unreadable.len()), (0, 1), "its record stays");
}

#[tokio::test]
async fn a_record_under_another_key_is_damage() {
    let place = place();
    filled(&place.path).await;
    tamper(&place.path, |tables| {
        let stolen = tables.get(Table::Users, &[1; 16]).unwrap().unwrap();
        tables.put(Table::Users, &[2; 16], &stolen).unwrap();
    });
    assert!(matches!(RedbStore::open(&place.path).err(), Some(StoreError::Damaged(_))));
}

#[tokio::test]
async fn a_database_of_somebody_else_is_damage() {
    let place = place();
    let database = builder().create(&place.path).unwrap();
    let transaction = begin(&database).unwrap();
    transaction.open_table(::redb::TableDefinition::<u32, u32>::new("theirs")).unwrap();
    transaction.commit().unwrap();
    drop(database);
    fs::set_permissions(&place.path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(RedbStore::open(&place.path).err(), Some(StoreError::Damaged(_))));
}

#[tokio::test]
async fn an_empty_a_foreign_and_a_truncated_file_are_damage_and_stay_as_they_are() {
    let place = place();
    filled(&place.path).await;
    let whole = fs::read(&place.path).unwrap();
    let mut images = vec![vec![], b"not a database at all".to_vec(), vec![0xa5; 100_000]];
    images.extend((1..whole.len()).step_by(1500).map(|length| whole[..length].to_vec()));
    for image in images {
        fs::write(&place.path, &image).unwrap();
        let error = RedbStore::open(&place.path).err();
        assert!(matches!(error, Some(StoreError::Damaged(_))), "{} bytes: {error:?}", image.len());
        assert_eq!(fs::read(&place.path).unwrap(), image, "evidence was overwritten");
    }
}

/// R33: a torn or altered file is refused or gives back every acknowledged write; it never gives back less.
#[tokio::test]
async fn a_file_with_flipped_or_overwritten_bytes_is_refused_or_whole() {
    let place = place();
    let acknowledged = state(filled(&place.path).await);
    let whole = fs::read(&place.path).unwrap();
    let mut dice = Dice(1);
    let mut refused = 0;
    for round in 0..300 {
        let mut image = whole.clone();
        let start = if round % 3 == 0 { dice.roll(4096) } else { dice.roll(image.len()) };
        let length = [1, 16, 512, 4096][dice.roll(4)];
        for byte in image.iter_mut().skip(start).take(length) {
            *byte = u8::try_from(dice.roll(256)).unwrap();
        }
        fs::write(&place.path, &image).unwrap();
        match reopened(&place.path).await {
            Ok(everything) => assert_eq!(state(everything), acknowledged, "round {round}: {start}+{length}"),
            Err(StoreError::Damaged(_)) => refused += 1,
            Err(other) => panic!("round {round}: {start}+{length}: {other:?}"),
        }
    }
    assert!(refused > 30, "only {refused} of 300 hit anything: the rest fell on free pages");
}
