//! Reading the trail, while somebody may be writing it.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;

use crate::rules::trail::{Chain, Finding, Link, Query, Record, read};

/// What a look at the whole trail found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many files.
    pub files: usize,
    /// How many records.
    pub records: u64,
    /// The last one.
    pub last: Link,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Whether the last line is not finished.
    pub cut_off: bool,
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

/// Follows the chain through all files. `archived`: the trail may begin later than its first record. `seen` is told how
/// many bytes were read.
///
/// # Errors
/// When a file cannot be read.
pub fn verify(folder: &Path, archived: bool, seen: impl Fn(u64)) -> io::Result<Verdict> {
    // The end before the records: a record that is written meanwhile is not missing.
    let head = head(folder);
    let files = files(folder)?;
    let mut chain = Chain::default();
    if let Some(before) = files.first().filter(|_| archived).and_then(|file| link_before(file)) {
        chain = Chain::after(before);
    }
    for file in &files {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
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
    let (records, last) = (chain.records(), chain.last());
    let (findings, cut_off) = chain.finish(head);
    Ok(Verdict { files: files.len(), records, last, findings, cut_off })
}

/// The newest records that match, newest first, at most `limit`.
///
/// # Errors
/// When a file cannot be read.
pub fn newest(folder: &Path, query: &Query, limit: usize) -> io::Result<Vec<Record>> {
    let mut found = Vec::new();
    for file in files(folder)?.iter().rev() {
        let records = read_file(file)?;
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

/// The last record that was on the disk, as the writer noted it.
pub(super) fn head(folder: &Path) -> Option<Link> {
    let text = fs::read_to_string(folder.join("head")).ok()?;
    let (seq, hash) = text.trim().split_once(' ')?;
    Some(Link { seq: seq.parse().ok()?, hash: HEXLOWER.decode(hash.as_bytes()).ok()?.try_into().ok()? })
}

/// What the first record of a file says of the one before it.
fn link_before(file: &Path) -> Option<Link> {
    let first = read_file(file).ok()?.into_iter().next()?;
    Some(Link { seq: first.seq.checked_sub(1)?, hash: first.prev })
}
