//! Records that cannot be written when a writer ends, and writers that are killed.

use std::{
    fs,
    io::{Seek, SeekFrom, Write},
    path::Path,
    time::Duration,
};

use super::{check, looked_at, open, signer, write};
use crate::{
    clock::Wall,
    rules::trail::{Fields, Kind, LOST, Query, RECOVERED, line, read},
    telemetry::trail::{
        Desk, HEAD, Trail, files, head::head_text_before, head_text, newest, spool::SPOOL, verify,
    },
};

const AT: Wall = Wall::from_secs(1_800_000_000);

/// The next file is on a disk that is full: `/dev/full` refuses every write.
fn fill(folder: &Path, next: u64) -> std::path::PathBuf {
    let file = folder.join(format!("trail-{next:012}.jsonl"));
    std::os::unix::fs::symlink("/dev/full", &file).unwrap();
    file
}

fn named(folder: &Path, event: &str) -> Vec<crate::rules::trail::Record> {
    newest(folder, &Query { event: Some(event.into()), ..Query::default() }, 100).unwrap()
}

fn add(trail: &Trail, user: &str) {
    let mut fields = Fields::new();
    fields.insert("user".into(), user.into());
    trail.write(AT, "user-added".into(), fields);
}

/// A trail that was ended with a full disk while a record waited.
fn ended_full() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let trail = open(folder.path(), 1);
    write(&trail, 1);
    let full = fill(folder.path(), 3);
    add(&trail, "held-back");
    drop(trail);
    fs::remove_file(full).unwrap();
    folder
}

#[test]
fn r29_records_held_back_when_the_process_ended_are_written_by_the_next() {
    let folder = ended_full();
    assert_eq!(looked_at(folder.path()), (2, vec![]));
    for _ in 0..2 {
        drop(open(folder.path(), 1 << 20));
        let found = named(folder.path(), "user-added");
        assert_eq!(found.len(), 2, "once: {found:?}");
        assert_eq!(
            (found[0].text("user").as_deref(), &*found[0].at),
            (Some("held-back"), "2027-01-15T08:00:00.000Z")
        );
        assert_eq!((looked_at(folder.path()).1, named(folder.path(), LOST).len()), (vec![], 0));
    }
}

#[test]
fn r29_what_waits_is_taken_from_nobody_else() {
    let folder = ended_full();
    let mut file = fs::OpenOptions::new().write(true).open(folder.path().join(SPOOL)).unwrap();
    file.seek(SeekFrom::Start(530)).unwrap();
    file.write_all(b"x").unwrap();
    drop(open(folder.path(), 1 << 20));
    assert_eq!(named(folder.path(), "user-added").len(), 1);
    let lost = named(folder.path(), LOST);
    assert!(lost.len() == 1 && lost[0].text("why").unwrap().contains("damaged or not ours"), "{lost:?}");
    // What was written once is not written again.
    let (folder, other) = (ended_full(), ended_full());
    let held = fs::read(folder.path().join(SPOOL)).unwrap();
    drop(open(folder.path(), 1 << 20));
    fs::write(folder.path().join(SPOOL), held).unwrap();
    drop(open(folder.path(), 1 << 20));
    assert_eq!(named(folder.path(), "user-added").len(), 2);
    drop(Trail::open(other.path(), signer(2)).unwrap());
    assert_eq!(named(other.path(), "user-added").len(), 1, "another key");
}

#[test]
fn r29_what_finds_no_room_when_the_process_ends_is_admitted() {
    let folder = tempfile::tempdir().unwrap();
    let trail = open(folder.path(), 1);
    write(&trail, 1);
    let full = fill(folder.path(), 3);
    for _ in 0..20 {
        add(&trail, &"x".repeat(20_000));
    }
    drop(trail);
    fs::remove_file(full).unwrap();
    drop(open(folder.path(), 1 << 20));
    let (written, lost) = (named(folder.path(), "user-added").len() - 1, named(folder.path(), LOST));
    assert!(written > 10 && lost.len() == 1, "{written} {lost:?}");
    assert_eq!(lost[0].text("records"), Some((20 - written).to_string()));
}

/// Twice: what the first could not write is not written over by the second.
#[test]
fn r29_records_of_a_process_that_never_could_open_the_trail_are_written_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    write(&open(folder.path(), 1 << 20), 2);
    let file = files(folder.path()).unwrap().remove(0);
    let renamed = folder.path().join("trail-000000000900.jsonl");
    fs::rename(&file, &renamed).unwrap();
    for user in ["first", "second"] {
        let trail = open(folder.path(), 1 << 20);
        assert!(!trail.is_open());
        add(&trail, user);
    }
    fs::rename(&renamed, &file).unwrap();
    drop(open(folder.path(), 1 << 20));
    let found = named(folder.path(), "user-added");
    let users: Vec<_> = found.iter().filter_map(|record| record.text("user")).collect();
    assert_eq!(users[..2], ["second", "first"], "{users:?}");
    assert_eq!(looked_at(folder.path()).1, []);
}

#[test]
fn r29_a_writer_that_was_killed_before_the_head_followed_raises_no_alarm() {
    for there in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        write(&open(folder.path(), 1 << 20), 2);
        let file = files(folder.path()).unwrap().remove(0);
        let text = fs::read_to_string(&file).unwrap();
        let last = read(text.lines().last().unwrap().as_bytes()).unwrap().link();
        let mut next = last;
        let more = line(&mut next, AT, "user-added", &Fields::new()) + "\n";
        fs::write(folder.path().join(HEAD), head_text_before(last, next, &signer(1))).unwrap();
        if there {
            fs::write(&file, text.clone() + &more).unwrap();
        }
        let found = verify(folder.path(), &check(), |_| ()).unwrap();
        assert_eq!((found.found.findings, found.head), (vec![], Some(if there { next } else { last })));
        drop(open(folder.path(), 1 << 20));
        assert_eq!(looked_at(folder.path()).1, []);
        // Somebody else's is not what was on its way.
        let mut other = last;
        let theirs = line(&mut other, AT, "user-removed", &Fields::new()) + "\n";
        fs::write(folder.path().join(HEAD), head_text_before(last, next, &signer(1))).unwrap();
        fs::write(&file, text.clone() + &theirs).unwrap();
        assert_eq!(looked_at(folder.path()).1, [Kind::Behind(4, 4)]);
        fs::write(folder.path().join(HEAD), head_text_before(last, next, &signer(2))).unwrap();
        fs::write(&file, text + &more).unwrap();
        assert!(!looked_at(folder.path()).1.is_empty(), "signed by somebody else");
        let mixed = head_text(last, &signer(1)).lines().next().unwrap().to_owned()
            + "\n"
            + head_text_before(last, next, &signer(2)).lines().last().unwrap()
            + "\n";
        fs::write(folder.path().join(HEAD), mixed).unwrap();
        assert!(!looked_at(folder.path()).1.is_empty(), "half signed by somebody else");
    }
}

/// A full disk and a line that was cut off: it begins all the same, and goes on by itself when there is room.
#[tokio::test]
async fn r29_a_start_on_a_full_disk_with_a_torn_end_waits_for_room() {
    let folder = tempfile::tempdir().unwrap();
    write(&open(folder.path(), 1 << 20), 2);
    let file = files(folder.path()).unwrap().remove(0);
    let mut torn = fs::read(&file).unwrap();
    torn.extend(b"{\"seq\":4,\"at");
    fs::write(&file, torn).unwrap();
    // A folder that takes nothing new, and a file that cannot be written.
    let whole = fs::read(&file).unwrap();
    fs::remove_file(folder.path().join(SPOOL)).unwrap();
    fs::create_dir(folder.path().join(SPOOL)).unwrap();
    let desk = Desk::new(folder.path(), signer(1));
    let trail = desk.reopen().unwrap();
    assert!(!trail.is_open());
    assert_eq!(fs::read(&file).unwrap(), whole, "nothing is half done");
    add(&trail, "waits");
    fs::remove_dir(folder.path().join(SPOOL)).unwrap();
    let mut problem = trail.problem();
    tokio::time::timeout(Duration::from_secs(10), problem.wait_for(Option::is_none)).await.unwrap().unwrap();
    assert!(trail.flush());
    drop(trail);
    assert_eq!((named(folder.path(), "user-added").len(), named(folder.path(), RECOVERED).len()), (3, 1));
    assert_eq!(looked_at(folder.path()).1, []);
}

/// A pipe in the place of the file must not hold the trail up for ever.
#[tokio::test]
async fn r29_a_pipe_in_the_place_of_what_is_held_closes_the_trail_until_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let trail = open(folder.path(), 1 << 20);
    write(&trail, 1);
    let held = folder.path().join(SPOOL);
    fs::remove_file(&held).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&held).status().unwrap();
    assert!(made.success());
    let mut problem = trail.problem();
    let noticed = tokio::time::timeout(Duration::from_secs(10), problem.wait_for(Option::is_some)).await;
    assert!(noticed.is_ok(), "nobody noticed");
    fs::remove_file(&held).unwrap();
    let ticket = trail.write(AT, "user-added".into(), Fields::new());
    assert!(trail.durable(ticket, Duration::from_secs(10)).await);
}

/// What waits is not taken for written because somebody added a record behind the end.
#[test]
fn r29_what_is_held_does_not_vanish_behind_a_forged_record() {
    let folder = ended_full();
    let file = files(folder.path()).unwrap().pop().unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let mut last = read(text.lines().last().unwrap().as_bytes()).unwrap().link();
    fs::write(&file, text + &line(&mut last, AT, "user-added", &Fields::new()) + "\n").unwrap();
    drop(open(folder.path(), 1 << 20));
    assert_eq!(named(folder.path(), LOST).len(), 1);
}
