//! Reading the trail, while somebody may be writing it.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    head::{HEAD, Head},
    is_held, spool,
};
use crate::rules::trail::{
    Chain, Finding, Followed, HeadFault, Kind, Link, Mark, PublicKey, Query, Record, Unreadable, altered,
    read,
};

/// What is looked at beside the chain itself.
#[derive(Clone, Debug, Default)]
pub struct Check {
    /// Who may have signed; that there is none is a finding.
    pub keys: Vec<PublicKey>,
    /// Records that were noted elsewhere.
    pub against: Vec<Link>,
    /// The first files are elsewhere: whatever record comes first, the trail begins with it.
    pub archived: bool,
    /// These are files that were moved away: nothing names the last record but the checkpoint that it is.
    pub apart: bool,
    /// The records [`crate::rules::trail::UNSIGNED`] that somebody has accepted, by number.
    pub accepted: Vec<u64>,
    /// Only whether the chain holds together, not who vouches for it.
    pub chain_only: bool,
}

/// How long records of a writer may stand behind the head: as long as the disk may take for them.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);
/// How often a head that is nobody's is read while somebody writes.
const TRIES: u32 = 3;

/// What a look at the whole trail found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many files.
    pub files: usize,
    /// What was found in them.
    pub found: Followed,
    /// The record that the signed head names, if it was looked at.
    pub head: Option<Link>,
    /// Whether records that could not be written wait for the next start.
    pub waiting: bool,
}

/// The files of the trail, oldest first.
///
/// # Errors
/// When the folder cannot be read.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
        if stem.is_some_and(|stem| stem.starts_with("trail-")) {
            found.push(folder.join(name));
        }
    }
    found.sort();
    Ok(found)
}

/// Follows the chain through all files. `seen` is told how many bytes were read.
///
/// # Errors
/// When a file cannot be read.
pub fn verify(folder: &Path, check: &Check, seen: impl Fn(u64)) -> io::Result<Verdict> {
    let verdict = look(folder, check, &seen)?;
    let begins_late = verdict.found.findings.iter().any(|finding| matches!(finding.kind, Kind::NoStart(_)));
    // What was archived meanwhile is signed by now.
    if begins_late && verdict.head.is_some() && head(folder, &check.keys)?.ok() != verdict.head {
        return look(folder, check, &seen);
    }
    Ok(verdict)
}

fn look(folder: &Path, check: &Check, seen: &dyn Fn(u64)) -> io::Result<Verdict> {
    // The end before the records: a record that is written meanwhile is not missing.
    let head = if check.apart { Err(None) } else { head(folder, &check.keys)? };
    let files = files(folder)?;
    let mut chain = Chain::default();
    if let Some(before) = files.first().filter(|_| check.archived).and_then(|file| link_before(file)) {
        chain = Chain::after(before);
    }
    chain = chain.signed_by(&check.keys).accepting(&check.accepted);
    if let Ok(head) = head {
        chain = chain.knowing(head, Mark::Head);
    }
    chain = check.against.iter().fold(chain, |chain, link| chain.knowing(*link, Mark::Noted));
    for file in &files {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        chain.begin_file(&name, number(file));
        let mut lines = BufReader::new(File::open(file)?);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let length = lines.read_until(b'\n', &mut line)?;
            if length == 0 {
                break;
            }
            chain.feed(&name, number, &line);
            seen(length as u64);
        }
    }
    let mut found = chain.finish();
    if check.chain_only {
        found.findings.retain(|finding| !matches!(finding.kind, Kind::Unvouched(..)));
    } else {
        look_at_end(folder, check, head, &mut found)?;
    }
    Ok(Verdict { files: files.len(), found, head: head.ok(), waiting: spool::is_waiting(folder) })
}

/// Who vouches for the end.
fn look_at_end(
    folder: &Path,
    check: &Check,
    head: Result<Link, Option<HeadFault>>,
    found: &mut Followed,
) -> io::Result<()> {
    let end = |kind| Finding { place: (HEAD.to_owned(), 0), kind };
    let nowhere = |kind| Finding { place: (String::new(), 0), kind };
    if check.keys.is_empty() {
        if found.records > 0 || head.is_ok() {
            found.findings.push(nowhere(Kind::NoKey));
        }
        return Ok(());
    }
    match head {
        Err(Some(fault)) => found.findings.push(end(Kind::Head(fault))),
        // A checkpoint that was written meanwhile is in the head by now.
        Ok(link) if found.vouched > link.seq && is_left(folder, check, |head| head.seq >= found.vouched)? => {
            found.findings.push(end(Kind::Head(HeadFault::Old)));
        }
        Ok(_) | Err(None) => {}
    }
    let (vouched, last) = (found.vouched.max(found.gone), found.last);
    match head {
        Err(_) if found.vouched < found.last.seq => {
            found.findings.push(nowhere(Kind::Open(vouched + 1, found.last.seq)));
        }
        Ok(link)
            if vouched.max(link.seq) < found.last.seq
                && is_left(folder, check, |head| head.seq > last.seq || head == last)? =>
        {
            found.findings.push(nowhere(Kind::Behind(vouched.max(link.seq) + 1, found.last.seq)));
        }
        Ok(_) | Err(_) => {}
    }
    Ok(())
}

/// Whether the head stays where it is: nobody is about to write it.
fn is_left(folder: &Path, check: &Check, caught_up: impl Fn(Link) -> bool) -> io::Result<bool> {
    let mut waited = Duration::ZERO;
    loop {
        let held = is_held(folder)?;
        // Whoever lets go of the lock has written the head before.
        if head(folder, &check.keys)?.is_ok_and(&caught_up) {
            return Ok(false);
        }
        if !held || waited >= PATIENCE {
            return Ok(true);
        }
        // There is no runtime here.
        std::thread::park_timeout(LOOK);
        waited += LOOK;
    }
}

/// What the head vouches for, or what is wrong with it. Without keys only what it says is looked at.
fn head(folder: &Path, keys: &[PublicKey]) -> io::Result<Result<Link, Option<HeadFault>>> {
    let mut tries = TRIES;
    loop {
        let said = Head::read(folder)?.vouches(folder, keys)?;
        tries -= 1;
        // Whoever writes it may be half-way.
        if said != Err(HeadFault::Forged) || tries == 0 || !is_held(folder)? {
            return Ok(said.map_err(|fault| Some(fault).filter(|_| !keys.is_empty())));
        }
        std::thread::park_timeout(LOOK);
    }
}

/// The last record that the head vouches for and that is there, if there is one.
///
/// # Errors
/// When a file cannot be read.
pub fn vouched(folder: &Path, keys: &[PublicKey]) -> io::Result<Option<Link>> {
    let Ok(link) = head(folder, keys)? else { return Ok(None) };
    let hash = files(folder)?.iter().rev().find_map(|file| hash_of(file, link.seq));
    Ok(Some(link).filter(|_| !keys.is_empty() && hash == Some(link.hash)))
}

/// A file of the trail, as far as its records are whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The file.
    pub path: PathBuf,
    /// How many bytes of it.
    pub bytes: u64,
}

/// The trail up to the record that its head names, and what the head says: for a copy that can be gone on from. What is
/// written meanwhile is not in it.
///
/// # Errors
/// When a file cannot be read.
pub fn pieces(folder: &Path) -> io::Result<(Vec<Piece>, Link, Vec<u8>)> {
    if !folder.try_exists()? {
        return Ok((vec![], Link::default(), vec![]));
    }
    let text = fs::read(folder.join(HEAD))?;
    let Ok(last) = Head::parse(&text).vouches(folder, &[])? else {
        let what = "does not say which record is the last: see `panelgate audit verify`";
        return Err(io::Error::other(format!("{} {what}", folder.join(HEAD).display())));
    };
    let mut pieces = Vec::new();
    for path in files(folder)? {
        let bytes = fs::read(&path)?;
        let whole = up_to(&bytes, last.seq);
        pieces.push(Piece { path, bytes: whole });
        if whole < bytes.len() as u64 {
            break;
        }
    }
    Ok((pieces, last, text))
}

/// How many bytes there are up to the end of the record of this number; all if it is a later one.
fn up_to(bytes: &[u8], seq: u64) -> u64 {
    let mut at = 0;
    for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
        match piece.strip_suffix(b"\n").map(read) {
            Some(Ok(record)) if record.seq > seq => break,
            // Not whole yet, so that it is a later one.
            None => break,
            Some(Ok(_) | Err(_)) => at += piece.len() as u64,
        }
    }
    at
}

/// The last whole record, and how many bytes there are up to its end.
pub(super) fn last_record(bytes: &[u8]) -> Option<(Record, usize)> {
    let mut found = None;
    let mut at = 0;
    for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
        at += piece.len();
        if let Some(Ok(record)) = piece.strip_suffix(b"\n").map(read) {
            found = Some((record, at));
        }
    }
    found
}

/// The highest number that a record has.
pub(super) fn newest_of(bytes: &[u8]) -> Option<u64> {
    let records = bytes.split(|byte| *byte == b'\n').filter_map(|line| read(line).ok());
    records.map(|record| record.seq).max()
}

/// The number in the name of a file: that of its first record.
pub(super) fn number(file: &Path) -> Option<u64> {
    let number = file.file_name()?.to_str()?.strip_prefix("trail-")?.strip_suffix(".jsonl")?;
    number.parse().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The hash of the record of this number, if the file has it.
pub(super) fn hash_of(file: &Path, seq: u64) -> Option<[u8; 32]> {
    let records = read_file(file).ok()?;
    records.iter().find(|record| record.seq == seq).map(|record| record.hash)
}

/// The newest records that match, newest first, at most `limit`.
///
/// # Errors
/// When a file cannot be read.
pub fn newest(folder: &Path, query: &Query, limit: usize) -> io::Result<Vec<Record>> {
    let mut found = Vec::new();
    for file in files(folder)?.iter().rev() {
        let records = read_shown(file)?;
        found.extend(
            records.into_iter().rev().filter(|record| query.matches(record)).take(limit - found.len()),
        );
        if found.len() >= limit {
            break;
        }
    }
    Ok(found)
}

/// The records of one file, in their order; lines that are none are left out.
///
/// # Errors
/// When it cannot be read.
pub fn read_file(file: &Path) -> io::Result<Vec<Record>> {
    let bytes = fs::read(file)?;
    Ok(bytes.split(|byte| *byte == b'\n').filter_map(|line| read(line).ok()).collect())
}

/// The same, with what is shown instead of a line that was changed ([`crate::rules::trail::ALTERED`]).
///
/// # Errors
/// When it cannot be read.
pub fn read_shown(file: &Path) -> io::Result<Vec<Record>> {
    let bytes = fs::read(file)?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut shown: Vec<Record> = Vec::new();
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
        match read(line) {
            Ok(record) => shown.push(record),
            Err(Unreadable::Hash) => {
                let (seq, at) = shown.last().map_or((0, ""), |record| (record.seq, &*record.at));
                shown.push(altered(seq + 1, at, (&name, number)));
            }
            Err(Unreadable::Form) => {}
        }
    }
    Ok(shown)
}

/// What the first record of a file says of the one before it.
fn link_before(file: &Path) -> Option<Link> {
    let first = read_file(file).ok()?.into_iter().next()?;
    Some(Link { seq: first.seq.checked_sub(1)?, hash: first.prev })
}
