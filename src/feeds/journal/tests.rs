use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    ops::ControlFlow,
    os::unix::fs::PermissionsExt,
    time::Duration,
};

use super::*;
use crate::rules::{
    outcome::DecisionId,
    record::{Missing, Said, tests::sample},
};

const START: Wall = Wall::from_secs(1_795_608_000);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn limits(size: u64) -> Limits {
    Limits { size, keep: 7 * DAY, allowed: Allowed::All }
}

fn record(number: u32, at: Wall) -> Record {
    let [a, b, c, d] = number.to_be_bytes();
    Record { decision: DecisionId([a, b, c, d, 1]), at, ..sample("GET", "/users/7") }
}

fn stranger(number: u32, at: Wall) -> Record {
    Record { who: None, ..record(number, at) }
}

fn id(number: u32) -> DecisionId {
    record(number, START).decision
}

fn all(folder: &Path, now: Wall) -> Vec<Record> {
    let mut found = Vec::new();
    Reader::new(folder).since(Wall::default(), now, |record| {
        found.push(record);
        ControlFlow::Continue(())
    });
    found
}

#[test]
fn what_was_written_is_found_again_by_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("journal");
    let mut journal = Journal::open(&folder, limits(1 << 20)).unwrap();
    let batch = [record(1, START), stranger(2, START), record(3, START)];
    assert_eq!(journal.append(&batch, START), Written { records: 3, lost: 0 });
    assert_eq!(Reader::new(&folder).find(id(2), START), [stranger(2, START)]);
    assert_eq!(Reader::new(&folder).find(id(9), START), []);
    // A second process, and the first goes on.
    let mut second = Journal::open(&folder, limits(1 << 20)).unwrap();
    second.append(&[record(4, START)], START);
    journal.append(&[record(5, START)], START);
    assert_eq!(all(&folder, START).len(), 5);
    for file in fs::read_dir(&folder).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_torn_end_hides_nothing_that_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), limits(1 << 20)).unwrap();
    journal.append(&[record(1, START), record(2, START), record(3, START)], START);
    let path = segments(folder.path()).remove(0).path;
    let whole = fs::read(&path).unwrap();
    let third = whole.len() - (whole.len() - 8) / 3;
    for cut in (8..whole.len()).rev() {
        File::create(&path).unwrap().write_all(whole.get(..cut).unwrap()).unwrap();
        let kept = all(folder.path(), START).len();
        assert_eq!(kept, if cut >= third { 2 } else { kept.min(1) }, "cut at {cut}");
    }
    // A damaged byte ends the file there.
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(&path, damaged).unwrap();
    assert_eq!(all(folder.path(), START).len(), 2);
    // Whoever comes next writes a file of his own.
    let mut next = Journal::open(folder.path(), limits(1 << 20)).unwrap();
    next.append(&[record(4, START)], START);
    assert_eq!(Reader::new(folder.path()).find(id(4), START).len(), 1);
}

#[test]
fn a_flood_of_strangers_pushes_out_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let size = 256 * 1024;
    let mut journal = Journal::open(folder.path(), limits(size)).unwrap();
    journal.append(&[record(1, START)], START);
    for round in 0..200 {
        let batch: Vec<Record> = (0..50).map(|n| stranger(100 + round * 50 + n, START)).collect();
        journal.append(&batch, START);
        assert!(journal.bytes() <= size, "{}", journal.bytes());
    }
    assert_eq!(Reader::new(folder.path()).find(id(1), START).len(), 1);
    assert_eq!(Reader::new(folder.path()).find(id(100), START), [], "the oldest stranger");
    assert_eq!(Reader::new(folder.path()).find(id(100 + 199 * 50 + 49), START).len(), 1, "the newest");
}

#[test]
fn age_shortens_addresses_after_a_day_and_removes_after_seven() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), limits(1 << 20)).unwrap();
    journal.append(&[record(1, START)], START);
    let path = segments(folder.path()).remove(0).path;
    let address = || {
        let file = fs::read(&path).unwrap();
        frame::frames(&file).next().unwrap().record().unwrap().client.ip.to_string()
    };
    assert_eq!(journal.tend(START.plus(23 * HOUR)).unwrap(), Tended::default());
    assert_eq!(address(), "203.0.113.77");
    // A reader does not wait for the one who tends.
    let found = Reader::new(folder.path()).find(id(1), START.plus(DAY));
    assert_eq!(found.first().map(|record| record.client.ip.to_string()).as_deref(), Some("203.0.113.0"));
    let tended = journal.tend(START.plus(DAY)).unwrap();
    assert_eq!(tended, Tended { expired: 0, shortened: 1 });
    assert_eq!(address(), "203.0.113.0");
    assert_eq!(journal.tend(START.plus(DAY)).unwrap(), Tended::default(), "once is enough");
    assert_eq!(journal.tend(START.plus(7 * DAY)).unwrap(), Tended { expired: 1, shortened: 0 });
    assert_eq!(all(folder.path(), START.plus(7 * DAY)), []);
}

#[test]
fn what_is_missing_is_admitted() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), limits(1 << 20)).unwrap();
    let gap = Gap { since: START, until: START.plus(HOUR), missing: 7, why: Missing::Busy };
    journal.append(&[record(1, START)], START);
    journal.admit(gap).unwrap();
    let span = Reader::new(folder.path()).span();
    assert_eq!((span.refused, span.allowed, span.gaps), (Some(START), None, vec![gap]));
}

#[test]
fn a_disk_that_takes_nothing_loses_records_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), limits(1 << 20)).unwrap();
    journal.append(&[record(1, START)], START);
    fs::remove_dir_all(folder.path()).unwrap();
    assert_eq!(journal.append(&[record(2, START)], START), Written { records: 0, lost: 1 });
    fs::create_dir(folder.path()).unwrap();
    assert_eq!(journal.append(&[record(3, START)], START), Written { records: 1, lost: 0 });
}

#[test]
fn the_latest_refusals_come_first_whoever_was_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), limits(1 << 20)).unwrap();
    let at = |minute: u32| START.plus(Duration::from_secs(60) * minute);
    let mut allowed = record(9, at(9));
    allowed.reply.said = Said::Allow;
    journal.append(&[record(1, at(1)), stranger(2, at(2)), record(3, at(3)), allowed], at(9));
    let ids = |records: Vec<Record>| records.iter().map(|record| record.decision).collect::<Vec<_>>();
    let reader = Reader::new(folder.path());
    assert_eq!(ids(reader.latest(2, at(9), |_| true)), [id(3), id(2)]);
    assert_eq!(ids(reader.latest(9, at(9), |record| record.who.is_none())), [id(2)]);
}

#[test]
fn which_allowed_requests_are_kept_is_for_the_operator_to_say() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), limits(1 << 20)).unwrap();
    let mut read = record(1, START);
    read.reply.said = Said::Allow;
    let mut write = read.clone();
    write.reply.needs = Some(crate::rules::outcome::Access::Full);
    for (allowed, wanted) in
        [(Allowed::All, [true, true]), (Allowed::Writes, [false, true]), (Allowed::None, [false, false])]
    {
        journal.set_limits(Limits { allowed, ..limits(1 << 20) });
        assert_eq!([journal.wants(&read), journal.wants(&write)], wanted, "{allowed:?}");
        assert!(journal.wants(&record(2, START)), "refusals always");
    }
}

#[test]
fn rubbish_in_the_folder_is_no_journal() {
    let folder = tempfile::tempdir().unwrap();
    for name in
        ["refused-x-0.journal", "other-0000000000000001-0.journal", "refused-0000000000000001-0.journal"]
    {
        let mut file = OpenOptions::new().create(true).append(true).open(folder.path().join(name)).unwrap();
        file.write_all(b"PGJRNL1\n\xff\xff\xff\xff\0\0\0\0rubbish").unwrap();
    }
    assert_eq!(all(folder.path(), START), []);
    assert_eq!(Reader::new(folder.path()).span().refused, None);
}
