//! What a start, or a record that nobody signed, must not make good.

use std::fs;

use super::{check, looked_at, open, signer, tampering, write};
use crate::{
    clock::Wall,
    rules::trail::{ARCHIVED, Fields, Kind, line, read},
    telemetry::trail::{Check, HEAD, Trail, archivable, copy_away, files, is_within, verify},
};

/// Six records and a checkpoint, in one file: the folder, the file, and its lines.
fn stopped() -> (tempfile::TempDir, std::path::PathBuf, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    write(&open(folder.path(), 1 << 20), 6);
    let file = files(folder.path()).unwrap().remove(0);
    let text = fs::read_to_string(&file).unwrap();
    (folder, file, text.split_inclusive('\n').map(str::to_owned).collect())
}

#[test]
fn r29_deleted_records_do_not_pass_with_an_unsigned_trail_archived_behind_the_head() {
    let (folder, file, mut lines) = stopped();
    let of = |line: &String| read(line.trim_end().as_bytes()).unwrap().link();
    let (to, mut last) = (of(&lines[2]), of(&lines[6]));
    let mut fields = Fields::new();
    fields.insert("to".into(), to.seq.into());
    fields.insert("to_hash".into(), data_encoding::HEXLOWER.encode(&to.hash).into());
    lines.push(line(&mut last, Wall::from_secs(1_800_000_000), ARCHIVED, &fields) + "\n");
    fs::write(&file, lines[3..].concat()).unwrap();
    assert_eq!(looked_at(folder.path()).1, [Kind::NoStart(3), Kind::Behind(8, 8)]);
    drop(open(folder.path(), 1 << 20));
    assert_eq!(looked_at(folder.path()).1, [Kind::NoStart(3), Kind::Unvouched(9, 8, 8)]);
    // Nor does it pass when somebody has accepted it with the rest.
    let accepting = Check { accepted: vec![9], ..check() };
    let found = verify(folder.path(), &accepting, |_| ()).unwrap().found;
    let kinds: Vec<Kind> = found.findings.into_iter().map(|finding| finding.kind).collect();
    assert_eq!((kinds, found.accepted), (vec![Kind::NoStart(3)], vec![(9, 8, 8)]));
}

#[test]
fn r29_a_start_without_a_head_does_not_make_a_trail_good_that_was_cut_or_written_anew() {
    for what in ["removed", "garbled"] {
        for anew in [false, true] {
            let (folder, file, lines) = stopped();
            let left = if anew { tampering::anew(&lines[..6], 0) } else { lines[..4].to_vec() };
            fs::write(&file, left.concat()).unwrap();
            match what {
                "removed" => fs::remove_file(folder.path().join(HEAD)).unwrap(),
                _ => fs::write(folder.path().join(HEAD), "garbled\n").unwrap(),
            }
            let count = left.len() as u64;
            for _ in 0..2 {
                write(&open(folder.path(), 1 << 20), 2);
                let kinds = looked_at(folder.path()).1;
                assert_eq!(kinds, [Kind::Unvouched(count + 1, 1, count)], "{what}, {anew}");
            }
        }
    }
}

#[test]
fn r29_a_start_with_empty_files_and_no_head_says_so() {
    let (folder, file, _) = stopped();
    fs::write(&file, "").unwrap();
    fs::remove_file(folder.path().join(HEAD)).unwrap();
    write(&open(folder.path(), 1 << 20), 1);
    assert_eq!(looked_at(folder.path()).1, [Kind::Unvouched(1, 1, 0)]);
}

#[test]
fn r29_a_new_key_beside_an_old_trail_does_not_make_it_good() {
    let (folder, ..) = stopped();
    drop(Trail::open(folder.path(), signer(2)).unwrap());
    let with = |seeds: &[u8]| -> Vec<Kind> {
        let keys = seeds.iter().map(|seed| signer(*seed).public()).collect();
        let found = verify(folder.path(), &Check { keys, ..Check::default() }, |_| ()).unwrap().found;
        found.findings.into_iter().map(|finding| finding.kind).collect()
    };
    assert_eq!(with(&[2]), [Kind::Unsigned(7), Kind::Unvouched(8, 1, 7)]);
    assert_eq!(with(&[1, 2]), [Kind::Unvouched(8, 8, 7)], "the old key vouches for what it signed");
}

#[test]
fn r29_without_the_key_a_trail_is_not_intact() {
    let (folder, ..) = stopped();
    let kinds = || -> Vec<Kind> {
        let found = verify(folder.path(), &Check::default(), |_| ()).unwrap().found;
        found.findings.into_iter().map(|finding| finding.kind).collect()
    };
    assert_eq!(kinds(), [Kind::NoKey]);
    fs::remove_file(folder.path().join(HEAD)).unwrap();
    assert_eq!(kinds(), [Kind::NoKey]);
}

#[test]
fn r29_an_archive_without_its_first_file_is_not_intact_unless_somebody_vouches_for_what_was_before() {
    let folder = tempfile::tempdir().unwrap();
    let trail = open(folder.path(), 300);
    for _ in 0..4 {
        write(&trail, 2);
    }
    drop(trail);
    let first = files(folder.path()).unwrap().remove(0);
    let text = fs::read_to_string(&first).unwrap();
    let last = read(text.lines().last().unwrap().as_bytes()).unwrap().link();
    fs::remove_file(first).unwrap();
    let apart = Check { apart: true, ..check() };
    let found = verify(folder.path(), &apart, |_| ()).unwrap().found;
    assert!(matches!(found.findings[..], [ref one] if one.kind == Kind::NoStart(last.seq)), "{found:?}");
    let found = verify(folder.path(), &Check { against: vec![last], ..apart }, |_| ()).unwrap().found;
    assert_eq!((found.findings, found.first, found.gone), (vec![], last.seq + 1, last.seq));
}

/// What is moved away is not looked at here any more, so nothing may be moved that is not whole.
#[test]
fn r29_archive_does_not_make_a_missing_or_damaged_past_good() {
    let late = Wall::from_secs(2_000_000_000);
    let damage: [fn(&[std::path::PathBuf]); 4] = [
        |files| fs::remove_file(&files[0]).unwrap(),
        |files| fs::remove_file(&files[1]).unwrap(),
        |files| {
            let text = fs::read_to_string(&files[0]).unwrap();
            fs::write(&files[0], text.replacen("user-0", "user-9", 1)).unwrap();
        },
        |files| {
            let text = fs::read_to_string(&files[1]).unwrap();
            fs::write(&files[1], text.split_inclusive('\n').take(1).collect::<String>()).unwrap();
        },
    ];
    for (number, damage) in damage.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let trail = open(folder.path(), 300);
        (0..6).for_each(|_| write(&trail, 2));
        let whole = archivable(folder.path(), late, &check()).unwrap();
        assert_eq!((whole.findings, whole.after.seq, whole.files.len() > 2), (vec![], 0, true));
        damage(&files(folder.path()).unwrap());
        let found = archivable(folder.path(), late, &check()).unwrap();
        assert!(found.files.is_empty() && !found.findings.is_empty(), "{number}: {found:?}");
    }
}

#[test]
fn r29_archive_goes_on_where_the_last_one_ended_and_says_so_by_what_is_signed() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let trail = open(folder.path(), 300);
    let late = Wall::from_secs(2_000_000_000);
    let mut ends = Vec::new();
    for _ in 0..2 {
        (0..3).for_each(|_| write(&trail, 2));
        let found = archivable(folder.path(), late, &check()).unwrap();
        assert_eq!(found.findings, []);
        ends.push((found.after, found.to));
        let mut fields = Fields::new();
        fields.insert("to".into(), found.to.seq.into());
        fields.insert("to_hash".into(), data_encoding::HEXLOWER.encode(&found.to.hash).into());
        trail.write(late, ARCHIVED.into(), fields);
        assert!(trail.flush());
        for file in &found.files {
            copy_away(file, elsewhere.path()).unwrap();
            fs::remove_file(file).unwrap();
        }
    }
    assert_eq!(ends[1].0, ends[0].1);
    // Without what was moved by hand, only who knows the record before may go on.
    drop(trail);
    let first = files(folder.path()).unwrap().remove(0);
    let text = fs::read_to_string(&first).unwrap();
    let last = read(text.lines().last().unwrap().as_bytes()).unwrap().link();
    fs::remove_file(first).unwrap();
    assert!(!archivable(folder.path(), late, &check()).unwrap().findings.is_empty());
    let knowing = Check { against: vec![last], ..check() };
    assert_eq!(archivable(folder.path(), late, &knowing).unwrap().findings, []);
}

/// Who vouches for the records before the last checkpoint is known, whoever took the head away.
#[test]
fn r29_what_is_accepted_is_only_what_no_checkpoint_vouches_for() {
    let (folder, file, lines) = stopped();
    let of = |line: &String| read(line.trim_end().as_bytes()).unwrap().link();
    let mut last = of(&lines[6]);
    let more = line(&mut last, Wall::from_secs(1_800_000_000), "user-added", &Fields::new()) + "\n";
    fs::write(&file, lines.concat() + &more).unwrap();
    fs::remove_file(folder.path().join(HEAD)).unwrap();
    drop(open(folder.path(), 1 << 20));
    assert_eq!(looked_at(folder.path()).1, [Kind::Unvouched(9, 8, 8)]);
    let accepting = Check { accepted: vec![9, 3], ..check() };
    let found = verify(folder.path(), &accepting, |_| ()).unwrap().found;
    assert_eq!((found.findings, found.accepted), (vec![], vec![(9, 8, 8)]));
}

/// The head lags behind by a moment: that is no finding while somebody writes.
#[test]
fn a_trail_that_is_being_written_has_no_findings() {
    let folder = tempfile::tempdir().unwrap();
    let trail = open(folder.path(), 4_000);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| (0..100).for_each(|_| write(&trail, 3)));
        while !writing.is_finished() {
            assert_eq!(looked_at(folder.path()).1, []);
        }
    });
}

/// What is there already is not copied, so that what is removed afterwards would be all there is.
#[test]
fn r29_nothing_is_archived_into_the_folder_of_the_trail_itself() {
    let home = tempfile::tempdir().unwrap();
    let (folder, elsewhere) = (home.path().join("audit"), home.path().join("elsewhere"));
    write(&open(&folder, 1 << 20), 1);
    let link = home.path().join("link");
    std::os::unix::fs::symlink(&folder, &link).unwrap();
    for within in [&folder, &link, &folder.join("old"), &link.join("old/older"), &folder.join("../audit")] {
        assert!(is_within(within, &folder).unwrap(), "{}", within.display());
    }
    assert!(!is_within(&elsewhere, &folder).unwrap());
    let file = files(&folder).unwrap().remove(0);
    for _ in 0..2 {
        copy_away(&file, &elsewhere).unwrap();
        assert!(file.exists(), "whoever copies removes nothing");
    }
    fs::write(elsewhere.join(file.file_name().unwrap()), "another").unwrap();
    assert!(copy_away(&file, &elsewhere).is_err());
}
