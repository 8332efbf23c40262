//! R29: what is written stays written, and what is done to it shows.

mod held;
mod laundering;
mod moved;
mod tampering;

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use super::{Check, HEAD, Trail, archivable, copy_away, files, newest, pieces, verify};
use crate::{
    clock::Wall,
    rules::{
        token::AccessKey,
        trail::{ARCHIVED, CHECKPOINT, Fields, HeadFault, Kind, Query, RECOVERED, Signer, UNSIGNED},
    },
};

fn signer(seed: u8) -> Signer {
    Signer::new(&AccessKey::from_seed("audit".into(), [seed; 32]).pkcs8).unwrap()
}

fn check() -> Check {
    Check { keys: vec![signer(1).public()], ..Check::default() }
}

fn open(folder: &Path, rotate: u64) -> Trail {
    Trail::rotating(folder, signer(1), rotate).unwrap()
}

fn write(trail: &Trail, count: usize) {
    for n in 0..count {
        let mut fields = Fields::new();
        fields.insert("user".into(), format!("user-{n}").into());
        trail.write(Wall::from_secs(1_800_000_000), "user-added".into(), fields);
    }
    assert!(trail.flush());
}

fn looked_at(folder: &Path) -> (u64, Vec<Kind>) {
    let found = verify(folder, &check(), |_| ()).unwrap().found;
    (found.records, found.findings.into_iter().map(|finding| finding.kind).collect())
}

#[test]
fn r29_the_chain_goes_on_over_files_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let trail = open(folder.path(), 1_000);
        for _ in 0..4 {
            write(&trail, 5);
        }
    }
    let verdict = verify(folder.path(), &check(), |_| ()).unwrap();
    let (records, checkpoints) = (verdict.found.records, verdict.found.checkpoints);
    assert_eq!((verdict.found.findings, records - checkpoints), (vec![], 60));
    assert_eq!(verdict.found.vouched, verdict.found.last.seq, "the end is vouched for");
    let written = files(folder.path()).unwrap();
    assert!(written.len() > 3, "{written:?}");
    for file in &written {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let found = newest(folder.path(), &Query { user: Some("user-3".into()), ..Query::default() }, 7).unwrap();
    assert_eq!(found.len(), 7);
    assert!(found.is_sorted_by(|a, b| a.seq > b.seq), "{found:?}");
}

#[test]
fn only_one_writes_and_the_lock_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let trail = Trail::open(folder.path(), signer(1)).unwrap();
    let error = Trail::open(folder.path(), signer(1)).err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}");
    drop(trail);
    drop(open(folder.path(), 1_000));
}

#[test]
fn a_line_that_was_cut_off_is_closed_and_the_trail_verifies() {
    let folder = tempfile::tempdir().unwrap();
    write(&open(folder.path(), 1 << 20), 3);
    let file = files(folder.path()).unwrap().remove(0);
    for torn in [&b"{\"seq\":5,\"at\":\"20"[..], b"\0\0\0\n\0\0", b"{\"seq\":6}\n"] {
        OpenOptions::new().append(true).open(&file).unwrap().write_all(torn).unwrap();
        write(&open(folder.path(), 1 << 20), 1);
    }
    // Three records, then thrice one and what closes the line; a checkpoint after each.
    assert_eq!(looked_at(folder.path()), (13, vec![]));
    let notes = Query { event: Some(RECOVERED.into()), ..Query::default() };
    assert_eq!(newest(folder.path(), &notes, 10).unwrap().len(), 3);
}

#[test]
fn r29_an_end_that_was_taken_away_goes_on_showing_after_more_was_written() {
    let folder = tempfile::tempdir().unwrap();
    write(&open(folder.path(), 1 << 20), 6);
    let file = files(folder.path()).unwrap().remove(0);
    let text = fs::read_to_string(&file).unwrap();
    let kept: String = text.split_inclusive('\n').take(4).collect();
    fs::write(&file, kept).unwrap();
    assert_eq!(looked_at(folder.path()), (4, vec![Kind::Truncated(5, 7)]));
    write(&open(folder.path(), 1 << 20), 4);
    assert_eq!(looked_at(folder.path()), (9, vec![Kind::Missing(5, 7)]));
}

/// Somebody without the key writes another end; the next start must not sign it.
#[test]
fn r29_an_end_that_was_written_anew_goes_on_showing_after_more_was_written() {
    let folder = tempfile::tempdir().unwrap();
    write(&open(folder.path(), 1 << 20), 6);
    let file = files(folder.path()).unwrap().remove(0);
    let lines: Vec<String> =
        fs::read_to_string(&file).unwrap().split_inclusive('\n').map(str::to_owned).collect();
    fs::write(&file, tampering::anew(&lines, 4).concat()).unwrap();
    assert!(!looked_at(folder.path()).1.is_empty());
    write(&open(folder.path(), 1 << 20), 2);
    let kinds = looked_at(folder.path()).1;
    assert!(kinds.contains(&Kind::Unlinked(8)), "{kinds:?}");
}

#[test]
fn r29_records_behind_the_signed_head_are_named_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let trail = open(folder.path(), 1 << 20);
    write(&trail, 2);
    let head = fs::read(folder.path().join(HEAD)).unwrap();
    write(&trail, 2);
    let (bytes, file) = {
        let file = files(folder.path()).unwrap().remove(0);
        (fs::read(&file).unwrap(), file)
    };
    drop(trail);
    // As if the power had failed before the head reached the disk.
    fs::write(&file, bytes).unwrap();
    fs::write(folder.path().join(HEAD), &head).unwrap();
    let verdict = verify(folder.path(), &check(), |_| ()).unwrap();
    let kinds: Vec<_> = verdict.found.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!((kinds, verdict.head.unwrap().seq), (vec![Kind::Behind(3, 4)], 2));
    drop(open(folder.path(), 1 << 20));
    let notes = Query { event: Some(UNSIGNED.into()), ..Query::default() };
    let found = newest(folder.path(), &notes, 10).unwrap();
    let named = |name: &str| found[0].text(name);
    assert_eq!((named("first").as_deref(), named("last").as_deref()), (Some("3"), Some("4")));
    assert_eq!(looked_at(folder.path()).1, [Kind::Unvouched(5, 3, 4)], "until somebody accepts it");
    let accepting = Check { accepted: vec![5], ..check() };
    assert_eq!(verify(folder.path(), &accepting, |_| ()).unwrap().found.findings, []);
}

#[test]
fn r29_an_older_head_that_was_put_back_is_found() {
    let folder = tempfile::tempdir().unwrap();
    write(&open(folder.path(), 1 << 20), 2);
    let head = fs::read(folder.path().join(HEAD)).unwrap();
    write(&open(folder.path(), 1 << 20), 2);
    fs::write(folder.path().join(HEAD), head).unwrap();
    assert_eq!(looked_at(folder.path()).1, [Kind::Head(HeadFault::Old)]);
}

#[test]
fn r29_a_file_that_is_gone_shows_unless_it_was_the_first_and_archived() {
    let folder = tempfile::tempdir().unwrap();
    let trail = open(folder.path(), 300);
    for _ in 0..6 {
        write(&trail, 2);
    }
    let all = files(folder.path()).unwrap();
    fs::remove_file(&all[0]).unwrap();
    assert!(matches!(looked_at(folder.path()).1[..], [Kind::NoStart(_)]));
    let archived = Check { archived: true, ..check() };
    assert_eq!(verify(folder.path(), &archived, |_| ()).unwrap().found.findings, []);
    fs::remove_file(&all[2]).unwrap();
    let findings = verify(folder.path(), &archived, |_| ()).unwrap().found.findings;
    assert!(matches!(findings[..], [ref one] if matches!(one.kind, Kind::Missing(..))), "{findings:?}");
}

#[test]
fn r29_what_was_moved_away_verifies_there_and_here() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let trail = open(folder.path(), 300);
    for _ in 0..6 {
        write(&trail, 2);
    }
    let found = archivable(folder.path(), Wall::from_secs(2_000_000_000), &check()).unwrap();
    assert_eq!(archivable(folder.path(), Wall::from_secs(1_700_000_000), &check()).unwrap().files.len(), 0);
    assert_eq!(found.files.len() + 1, files(folder.path()).unwrap().len(), "the newest stays");
    let mut fields = Fields::new();
    fields.insert("to".into(), found.to.seq.into());
    fields.insert("to_hash".into(), data_encoding::HEXLOWER.encode(&found.to.hash).into());
    trail.write(Wall::from_secs(1_800_000_000), ARCHIVED.into(), fields);
    assert!(trail.flush());
    for file in &found.files {
        copy_away(file, elsewhere.path()).unwrap();
        fs::remove_file(file).unwrap();
    }
    let here = verify(folder.path(), &check(), |_| ()).unwrap().found;
    assert_eq!((here.findings, here.gone), (vec![], found.to.seq));
    let apart = Check { apart: true, ..check() };
    let there = verify(elsewhere.path(), &apart, |_| ()).unwrap().found;
    assert_eq!((there.findings.len(), there.last.seq, there.vouched), (0, found.to.seq, found.to.seq));
    // An archive that lost its end says so.
    let last = files(elsewhere.path()).unwrap().pop().unwrap();
    fs::remove_file(&last).unwrap();
    let there =
        verify(elsewhere.path(), &Check { against: vec![there.last], ..apart.clone() }, |_| ()).unwrap();
    assert!(matches!(there.found.findings[..], [ref one] if matches!(one.kind, Kind::Truncated(..))));
    let last = files(elsewhere.path()).unwrap().pop().unwrap();
    let text = fs::read_to_string(&last).unwrap();
    let kept = text.lines().count() - 1;
    fs::write(&last, text.split_inclusive('\n').take(kept).collect::<String>()).unwrap();
    let findings = verify(elsewhere.path(), &apart, |_| ()).unwrap().found.findings;
    assert!(matches!(findings[..], [ref one] if matches!(one.kind, Kind::Open(..))), "{findings:?}");
}

#[test]
fn a_copy_ends_with_the_record_that_its_head_names() {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let trail = open(folder.path(), 1 << 20);
    write(&trail, 5);
    let head = fs::read(folder.path().join(HEAD)).unwrap();
    write(&trail, 5);
    fs::write(folder.path().join(HEAD), head).unwrap();
    let (pieces, last, text) = pieces(folder.path()).unwrap();
    assert_eq!((pieces.len(), last.seq), (1, 5));
    let bytes = fs::read(&pieces[0].path).unwrap();
    let name = pieces[0].path.file_name().unwrap();
    fs::write(copy.path().join(name), &bytes[..usize::try_from(pieces[0].bytes).unwrap()]).unwrap();
    fs::write(copy.path().join(HEAD), text).unwrap();
    assert_eq!(looked_at(copy.path()), (5, vec![]));
}

#[tokio::test]
async fn a_ticket_is_durable_once_its_record_is_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let trail = open(folder.path(), 1 << 20);
    let patience = std::time::Duration::from_secs(10);
    for number in 1..=20_u64 {
        let ticket = trail.write(Wall::from_secs(1_800_000_000), "user-added".into(), Fields::new());
        assert_eq!(ticket, number);
        assert!(trail.durable(ticket, patience).await);
        let found = newest(folder.path(), &Query::default(), 1).unwrap();
        assert_eq!(found[0].seq, number, "it is there when the ticket says so");
    }
    trail.close();
    let late = trail.write(Wall::from_secs(1_800_000_000), "user-added".into(), Fields::new());
    assert!(!trail.durable(late, patience).await, "what is never written is never durable");
}

/// `/dev/full` refuses every write as a full disk does.
#[tokio::test]
async fn r29_a_full_disk_closes_the_trail_and_room_opens_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let trail = open(folder.path(), 1);
    write(&trail, 1);
    assert!(trail.is_open());
    let second = folder.path().join("trail-000000000003.jsonl");
    std::os::unix::fs::symlink("/dev/full", &second).unwrap();
    let mut problem = trail.problem();
    let ticket = trail.write(Wall::from_secs(1_800_000_000), "user-added".into(), Fields::new());
    problem.wait_for(Option::is_some).await.unwrap();
    assert!(!trail.is_open());
    assert!(!trail.durable(ticket, std::time::Duration::from_millis(100)).await);
    drop(trail);
    fs::remove_file(&second).unwrap();
    assert_eq!(looked_at(folder.path()), (2, vec![]));
    let found =
        newest(folder.path(), &Query { event: Some(CHECKPOINT.into()), ..Query::default() }, 5).unwrap();
    assert_eq!(found.len(), 1);
}
