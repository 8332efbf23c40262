//! R29: what is written stays written, and what is done to it shows.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use super::{Trail, files, newest, verify};
use crate::{
    clock::Wall,
    rules::trail::{Fields, Kind, Query, RECOVERED},
};

fn write(trail: &Trail, count: usize) {
    for n in 0..count {
        let mut fields = Fields::new();
        fields.insert("user".into(), format!("user-{n}").into());
        trail.write(Wall::from_secs(1_800_000_000), "user-added".into(), fields);
    }
    assert!(trail.flush());
}

fn looked_at(folder: &Path) -> (u64, Vec<Kind>) {
    let verdict = verify(folder, false, |_| ()).unwrap();
    (verdict.records, verdict.findings.into_iter().map(|finding| finding.kind).collect())
}

/// The writer is another thread; who waits for the lock waits for its end.
fn reopened(folder: &Path, rotate: u64) -> Trail {
    for _ in 0..200 {
        match Trail::rotating(folder, rotate) {
            Ok(trail) => return trail,
            Err(_) => std::thread::park_timeout(std::time::Duration::from_millis(10)),
        }
    }
    panic!("the lock is still held")
}

#[test]
fn r29_the_chain_goes_on_over_files_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let trail = reopened(folder.path(), 1_000);
        for _ in 0..4 {
            write(&trail, 5);
        }
    }
    assert_eq!(looked_at(folder.path()), (60, vec![]));
    let written = files(folder.path()).unwrap();
    assert!(written.len() > 3, "{written:?}");
    for file in &written {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let found = newest(folder.path(), &Query { user: Some("user-3".into()), ..Query::default() }, 7).unwrap();
    assert_eq!(found.len(), 7);
    assert!(found.is_sorted_by(|a, b| a.seq > b.seq) && found[0].seq == 59, "{found:?}");
}

#[test]
fn only_one_writes_and_the_lock_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let trail = Trail::open(folder.path()).unwrap();
    let error = Trail::open(folder.path()).err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}");
    drop(trail);
    drop(reopened(folder.path(), 1_000));
}

#[test]
fn a_line_that_was_cut_off_is_closed_and_the_trail_verifies() {
    let folder = tempfile::tempdir().unwrap();
    write(&Trail::open(folder.path()).unwrap(), 3);
    let file = files(folder.path()).unwrap().remove(0);
    for torn in [&b"{\"seq\":4,\"at\":\"20"[..], b"\0\0\0\n\0\0", b"{\"seq\":6}\n"] {
        OpenOptions::new().append(true).open(&file).unwrap().write_all(torn).unwrap();
        write(&reopened(folder.path(), 1 << 20), 1);
    }
    assert_eq!(looked_at(folder.path()), (9, vec![]));
    let notes = Query { event: Some(RECOVERED.into()), ..Query::default() };
    assert_eq!(newest(folder.path(), &notes, 10).unwrap().len(), 3);
}

#[test]
fn r29_an_end_that_was_taken_away_goes_on_showing_after_more_was_written() {
    let folder = tempfile::tempdir().unwrap();
    write(&Trail::open(folder.path()).unwrap(), 6);
    let file = files(folder.path()).unwrap().remove(0);
    drop(reopened(folder.path(), 1 << 20));
    let text = fs::read_to_string(&file).unwrap();
    let kept: String = text.split_inclusive('\n').take(4).collect();
    fs::write(&file, kept).unwrap();
    assert_eq!(looked_at(folder.path()), (4, vec![Kind::Truncated(5, 6)]));
    write(&reopened(folder.path(), 1 << 20), 4);
    assert_eq!(looked_at(folder.path()), (8, vec![Kind::Missing(5, 6)]));
}

#[test]
fn r29_a_file_that_is_gone_shows_unless_it_was_the_first_and_archived() {
    let folder = tempfile::tempdir().unwrap();
    let trail = Trail::rotating(folder.path(), 300).unwrap();
    for _ in 0..6 {
        write(&trail, 2);
    }
    let all = files(folder.path()).unwrap();
    fs::remove_file(&all[0]).unwrap();
    assert!(matches!(looked_at(folder.path()).1[..], [Kind::NoStart(_)]));
    assert_eq!(verify(folder.path(), true, |_| ()).unwrap().findings, []);
    fs::remove_file(&all[2]).unwrap();
    let findings = verify(folder.path(), true, |_| ()).unwrap().findings;
    assert!(matches!(findings[..], [ref one] if matches!(one.kind, Kind::Missing(..))), "{findings:?}");
}
