//! The trail is removed, moved or replaced while it is written to.

use std::{fs, path::Path, time::Duration};

use super::{looked_at, open, write};
use crate::{
    clock::Wall,
    rules::trail::{Fields, Kind, Query, REOPENED},
    telemetry::trail::{HEAD, Trail, newest},
};

const FIRST: &str = "trail-000000000001.jsonl";
const PATIENCE: Duration = Duration::from_secs(10);

async fn is_written(trail: &Trail) -> bool {
    let ticket = trail.write(Wall::from_secs(1_800_000_000), "user-added".into(), Fields::new());
    trail.durable(ticket, PATIENCE).await
}

fn events(folder: &Path, event: &str) -> usize {
    newest(folder, &Query { event: Some(event.into()), ..Query::default() }, 100).unwrap().len()
}

#[tokio::test]
async fn r29_a_file_replaced_by_its_copy_gets_what_comes_next() {
    let folder = tempfile::tempdir().unwrap();
    let trail = open(folder.path(), 1 << 20);
    for name in [FIRST, HEAD] {
        write(&trail, 2);
        let (file, copy) = (folder.path().join(name), folder.path().join("copy"));
        fs::copy(&file, &copy).unwrap();
        fs::rename(&copy, &file).unwrap();
        assert!(is_written(&trail).await, "{name}");
    }
    drop(trail);
    assert_eq!(events(folder.path(), "user-added"), 6, "in what others read");
    assert_eq!(events(folder.path(), REOPENED), 2);
    assert_eq!(looked_at(folder.path()).1, [], "nothing is missing");
}

#[tokio::test]
async fn r29_after_a_file_was_removed_records_go_on_behind_the_gap_and_the_gap_shows() {
    let folder = tempfile::tempdir().unwrap();
    let trail = open(folder.path(), 1 << 20);
    write(&trail, 3);
    fs::remove_file(folder.path().join(FIRST)).unwrap();
    assert!(is_written(&trail).await);
    assert!(folder.path().join("trail-000000000004.jsonl").exists());
    assert_eq!(looked_at(folder.path()).1, [Kind::NoStart(3)]);
    drop(trail);
    write(&open(folder.path(), 1 << 20), 1);
    assert_eq!(looked_at(folder.path()).1, [Kind::NoStart(3)]);
}

#[tokio::test]
async fn r29_after_the_folder_was_moved_or_a_link_kept_the_orphan_records_go_where_they_are_looked_for() {
    for linked in [false, true] {
        let home = tempfile::tempdir().unwrap();
        let (folder, aside) = (home.path().join("audit"), home.path().join("aside"));
        let trail = open(&folder, 1 << 20);
        write(&trail, 3);
        if linked {
            fs::hard_link(folder.join(FIRST), &aside).unwrap();
            fs::remove_file(folder.join(FIRST)).unwrap();
        } else {
            fs::rename(&folder, &aside).unwrap();
        }
        assert!(is_written(&trail).await);
        assert_eq!((events(&folder, "user-added"), looked_at(&folder).1), (1, vec![Kind::NoStart(3)]));
    }
}

/// Nobody has to write for it to be seen.
#[tokio::test]
async fn r29_a_trail_whose_place_is_gone_and_cannot_be_had_again_is_closed_within_a_second() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("audit");
    let trail = open(&folder, 1 << 20);
    write(&trail, 3);
    fs::rename(&folder, home.path().join("aside")).unwrap();
    fs::write(&folder, "no folder").unwrap();
    let mut problem = trail.problem();
    tokio::time::timeout(PATIENCE, problem.wait_for(Option::is_some)).await.unwrap().unwrap();
    assert!(!trail.is_open());
    let ticket = trail.write(Wall::from_secs(1_800_000_000), "user-added".into(), Fields::new());
    fs::remove_file(&folder).unwrap();
    assert!(trail.durable(ticket, PATIENCE).await, "it waits until there is a place again");
    tokio::time::timeout(PATIENCE, problem.wait_for(Option::is_none)).await.unwrap().unwrap();
}

#[test]
fn an_empty_file_with_a_high_number_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    write(&open(folder.path(), 1 << 20), 3);
    let planted = folder.path().join("trail-999999999999.jsonl");
    fs::write(&planted, "").unwrap();
    assert_eq!(looked_at(folder.path()).1, [Kind::Misnamed(5)]);
    write(&open(folder.path(), 300), 3);
    assert_eq!(fs::metadata(&planted).unwrap().len(), 0);
    fs::remove_file(&planted).unwrap();
    assert_eq!(looked_at(folder.path()).1, []);
}

#[test]
fn a_renamed_file_shows_and_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    write(&open(folder.path(), 1 << 20), 3);
    let renamed = folder.path().join("trail-000000000900.jsonl");
    fs::rename(folder.path().join(FIRST), &renamed).unwrap();
    assert_eq!(looked_at(folder.path()).1, [Kind::Misnamed(1)]);
    let trail = open(folder.path(), 1 << 20);
    assert!(!trail.is_open());
    let why = trail.problem().borrow().clone().unwrap();
    assert!(why.contains("is not named after its first record"), "{why}");
    fs::rename(&renamed, folder.path().join(FIRST)).unwrap();
    write(&trail, 1);
    assert_eq!(looked_at(folder.path()).1, []);
}

/// As by logrotate's `copytruncate`: what comes next would stand behind a hole.
#[tokio::test]
async fn r29_a_file_that_was_cut_short_while_it_was_written_to_gets_no_hole_and_the_loss_shows() {
    let folder = tempfile::tempdir().unwrap();
    let trail = open(folder.path(), 1 << 20);
    write(&trail, 3);
    fs::File::options().write(true).open(folder.path().join(FIRST)).unwrap().set_len(0).unwrap();
    assert!(is_written(&trail).await);
    assert_eq!((events(folder.path(), "user-added"), events(folder.path(), REOPENED)), (1, 1));
    assert_eq!(looked_at(folder.path()).1, [Kind::NoStart(3)]);
}
