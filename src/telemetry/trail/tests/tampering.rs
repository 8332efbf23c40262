//! The tamper test: a thousand times something is done to a trail of several files, and each time it is found, and what
//! it was done to is named.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{check, open, signer, write};
use crate::{
    clock::Wall,
    entropy::{Entropy, SeededEntropy},
    rules::trail::{ARCHIVED, Fields, Finding, Kind, Link, line, read},
    telemetry::trail::{Check, HEAD, Trail, files, head_text, verify},
};

const TIMES: usize = 1_000;

/// Random choices that are the same in every run.
struct Dice(SeededEntropy);

impl Dice {
    fn below(&self, end: usize) -> usize {
        let entropy: &dyn Entropy = &self.0;
        usize::try_from(u64::from_be_bytes(entropy.array()) % end.max(1) as u64).unwrap()
    }
}

/// A trail in memory.
#[derive(Clone, PartialEq)]
struct Copy {
    files: Vec<(PathBuf, Vec<u8>)>,
    head: Option<Vec<u8>>,
}

impl Copy {
    fn of(folder: &Path) -> Self {
        let files = files(folder).unwrap().into_iter().map(|path| (path.clone(), fs::read(path).unwrap()));
        Self { files: files.collect(), head: fs::read(folder.join(HEAD)).ok() }
    }

    fn put(&self, folder: &Path) {
        for path in files(folder).unwrap() {
            fs::remove_file(path).unwrap();
        }
        for (path, bytes) in &self.files {
            fs::write(path, bytes).unwrap();
        }
        // It may be gone already.
        let _ = fs::remove_file(folder.join(HEAD));
        if let Some(head) = &self.head {
            fs::write(folder.join(HEAD), head).unwrap();
        }
    }

    /// All lines, with the file that each is in.
    fn lines(&self) -> Vec<(usize, String)> {
        let of = |(at, (_, bytes)): (usize, &(PathBuf, Vec<u8>))| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            text.split_inclusive('\n').map(|line| (at, line.to_owned())).collect::<Vec<_>>()
        };
        self.files.iter().enumerate().flat_map(of).collect()
    }

    fn with(&self, lines: &[(usize, String)]) -> Self {
        let mut copy = self.clone();
        for (at, (_, bytes)) in copy.files.iter_mut().enumerate() {
            *bytes = lines.iter().filter(|(of, _)| *of == at).flat_map(|(_, line)| line.bytes()).collect();
        }
        copy
    }
}

/// The chain from a record on, written anew by somebody who can do everything but sign.
pub(super) fn anew(lines: &[String], from: usize) -> Vec<String> {
    let mut link = Link::default();
    let mut done = Vec::new();
    for (at, text) in lines.iter().enumerate() {
        let record = read(text.trim_end().as_bytes()).unwrap();
        if at < from {
            link = record.link();
            done.push(text.clone());
            continue;
        }
        let mut fields = record.fields;
        if at == from {
            fields.insert("user".into(), "mallory".into());
        }
        let time = jiff::Timestamp::as_millisecond(record.at.parse().unwrap());
        let wall = Wall::from_millis(u64::try_from(time).unwrap());
        done.push(line(&mut link, wall, &record.event, &fields) + "\n");
    }
    done
}

/// What was done, and to which records; none if it was done to the head.
fn tamper(whole: &Copy, old_head: &[u8], dice: &Dice) -> (&'static str, Copy, Option<(u64, u64)>) {
    let mut lines = whole.lines();
    let (count, all) = (lines.len(), lines.len() as u64);
    let at = dice.below(count);
    let seq = at as u64 + 1;
    match dice.below(12) {
        0 => {
            let file = dice.below(whole.files.len());
            let mut copy = whole.clone();
            let bytes = &mut copy.files[file].1;
            let byte = dice.below(bytes.len());
            let before: usize = whole.files[..file].iter().map(|(_, bytes)| count_lines(bytes)).sum();
            let seq = (before + count_lines(&bytes[..byte])) as u64 + 1;
            bytes[byte] ^= 1 << dice.below(8);
            ("a bit was flipped", copy, Some((seq, seq)))
        }
        1 => {
            let end = (at + 1 + dice.below(3)).min(count);
            lines.drain(at..end);
            ("records were deleted", whole.with(&lines), Some((seq, end as u64)))
        }
        2 => {
            let other = (at + 1 + dice.below(count - 1)) % count;
            let (one, two) = (lines[at].1.clone(), lines[other].1.clone());
            (lines[at].1, lines[other].1) = (two, one);
            let (low, high) = (at.min(other) as u64 + 1, at.max(other) as u64 + 1);
            ("two records were swapped", whole.with(&lines), Some((low, high)))
        }
        3 => {
            let file = dice.below(whole.files.len());
            let mut copy = whole.clone();
            let kept = dice.below(copy.files[file].1.len());
            copy.files[file].1.truncate(kept);
            copy.files.truncate(file + 1);
            ("the end was cut off", copy, Some((all, all)))
        }
        4 => {
            let mut copy = whole.clone();
            let file = dice.below(copy.files.len());
            copy.files.remove(file);
            let first =
                whole.files[..file].iter().map(|(_, bytes)| count_lines(bytes)).sum::<usize>() as u64 + 1;
            let last = first + count_lines(&whole.files[file].1) as u64 - 1;
            ("a file was removed", copy, Some((first, last)))
        }
        5 => {
            let other = dice.below(count);
            lines.insert(other, (lines[other].0, lines[at].1.clone()));
            ("a record was written twice", whole.with(&lines), Some((seq, seq)))
        }
        6 => ("the head was tampered with", with_other_head(whole, old_head, dice), None),
        7 | 8 => more(whole, dice),
        _ => {
            let texts: Vec<String> = lines.iter().map(|(_, text)| text.clone()).collect();
            let forged = anew(&texts, at);
            let last = read(forged[count - 1].trim_end().as_bytes()).unwrap().link();
            let lines: Vec<_> = lines.iter().map(|(file, _)| *file).zip(forged).collect();
            let mut copy = whole.with(&lines);
            match dice.below(3) {
                0 => copy.head = Some(head_text(last, &signer(2)).into_bytes()),
                1 => copy.head = None,
                _ => {}
            }
            ("the chain was written anew without the key", copy, Some((seq, all)))
        }
    }
}

/// What is done to the ends: the last record, or the first file.
fn more(whole: &Copy, dice: &Dice) -> (&'static str, Copy, Option<(u64, u64)>) {
    let mut lines = whole.lines();
    let (file, last) = lines.last().unwrap().clone();
    let mut link = read(last.trim_end().as_bytes()).unwrap().link();
    let at = Wall::from_secs(1_800_000_000);
    if dice.below(2) == 0 {
        lines.push((file, line(&mut link, at, "user-added", &Fields::new()) + "\n"));
        return ("a record was appended behind the head", whole.with(&lines), Some((link.seq, link.seq)));
    }
    let gone = 1 + dice.below(whole.files.len() - 1);
    let first = lines.iter().position(|(file, _)| *file == gone).unwrap();
    let to = read(lines[first - 1].1.trim_end().as_bytes()).unwrap().link();
    let mut fields = Fields::new();
    fields.insert("to".into(), to.seq.into());
    fields.insert("to_hash".into(), data_encoding::HEXLOWER.encode(&to.hash).into());
    lines.push((file, line(&mut link, at, ARCHIVED, &fields) + "\n"));
    let mut copy = whole.with(&lines);
    copy.files.drain(..gone);
    ("files were removed, and said to be archived", copy, Some((1, to.seq)))
}

fn with_other_head(whole: &Copy, old_head: &[u8], dice: &Dice) -> Copy {
    let mut copy = whole.clone();
    let last = read(whole.lines().last().unwrap().1.trim_end().as_bytes()).unwrap().link();
    copy.head = match dice.below(4) {
        0 => None,
        1 => Some(head_text(last, &signer(2)).into_bytes()),
        2 => Some(old_head.to_vec()),
        _ => {
            let mut head = whole.head.clone().unwrap();
            let byte = dice.below(head.len());
            head[byte] ^= 1 << dice.below(8);
            Some(head)
        }
    };
    copy
}

fn count_lines(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count() - 1
}

/// Whether a finding is about one of these records; of the head, about the head.
fn names(findings: &[Finding], records: Option<(u64, u64)>) -> bool {
    findings.iter().any(|finding| match (finding.kind.records(), records) {
        (Some((from, to)), Some((first, last))) => from <= last && first <= to,
        (None, None) => matches!(finding.kind, Kind::Head(_)),
        (Some(_), None) | (None, Some(_)) => false,
    })
}

/// The gate is started, perhaps with the key removed, and its trail goes on.
fn still_found(folder: &Path, what: &str, without_key: bool) {
    let seed = if without_key {
        let keyless = verify(folder, &Check::default(), |_| ()).unwrap().found.findings;
        assert!(keyless.iter().any(|finding| finding.kind == Kind::NoKey), "{what}: {keyless:?}");
        // One that nobody has signed with before.
        3
    } else {
        1
    };
    drop(Trail::rotating(folder, signer(seed), 2_000).unwrap());
    let keys = vec![signer(1).public(), signer(seed).public()];
    let findings = verify(folder, &Check { keys, ..Check::default() }, |_| ()).unwrap().found.findings;
    assert!(!findings.is_empty(), "after a start: {what}");
}

#[test]
fn r29_of_a_thousand_tamperings_each_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let trail = open(folder.path(), 2_000);
        for _ in 0..8 {
            write(&trail, 3);
        }
    }
    let old_head = {
        let last = files(folder.path()).unwrap();
        let text = fs::read_to_string(&last[0]).unwrap();
        head_text(read(text.lines().last().unwrap().as_bytes()).unwrap().link(), &signer(1))
    };
    let whole = Copy::of(folder.path());
    assert!(whole.files.len() >= 5, "{}", whole.files.len());
    assert_eq!(verify(folder.path(), &check(), |_| ()).unwrap().found.findings, []);
    let dice = Dice(SeededEntropy::new(29));
    let mut done = 0;
    while done < TIMES {
        let (what, copy, records) = tamper(&whole, old_head.as_bytes(), &dice);
        if copy == whole {
            continue;
        }
        copy.put(folder.path());
        let findings = verify(folder.path(), &check(), |_| ()).unwrap().found.findings;
        assert!(names(&findings, records), "{done}: {what} ({records:?}): {findings:?}");
        still_found(folder.path(), what, dice.below(4) == 0);
        done += 1;
    }
    whole.put(folder.path());
    assert_eq!(verify(folder.path(), &check(), |_| ()).unwrap().found.findings, []);
}
