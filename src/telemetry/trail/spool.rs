//! What could not be written when the last writer ended: it waits beside the trail for the next one.
//!
//! The room is taken while there is some, so that a full disk takes nothing from it. All is signed for the record behind
//! which it belongs, so that nobody without the key can put something in, or have it written twice.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

use data_encoding::HEXLOWER;
use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};
use serde::{Deserialize, Serialize};

use super::{
    Entry,
    file::regular,
    reading::{files, read_file},
};
use crate::{
    clock::Wall,
    rules::trail::{Fields, Link, Signer},
};

/// The file.
pub(super) const SPOOL: &str = "held";
/// What is taken of the disk.
const ROOM: u64 = 256 << 10;
/// The records begin here.
const BODY: u64 = 512;

/// What an earlier writer has left.
#[derive(Default)]
pub(super) struct Left {
    pub(super) entries: Vec<Entry>,
    /// How many records there was no room for.
    pub(super) lost: u64,
    /// Nobody can say what it was.
    pub(super) damaged: bool,
}

#[derive(Serialize, Deserialize)]
struct Line<'e> {
    at: Wall,
    event: std::borrow::Cow<'e, str>,
    fields: std::borrow::Cow<'e, Fields>,
}

/// Takes the room.
pub(super) fn reserve(folder: &Path) -> io::Result<()> {
    let file = open(folder)?;
    if file.metadata()?.len() >= ROOM {
        return Ok(());
    }
    match fallocate(&file, FallocateFlags::empty(), 0, ROOM) {
        // Not every file system can; there it has to be tried when it is needed.
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Leaves records for whoever writes next behind `last`; how many had to be lost, as there is no room for them.
pub(super) fn leave(
    folder: &Path,
    signer: &Signer,
    last: Link,
    entries: &[Entry],
    lost: u64,
) -> io::Result<u64> {
    let mut body = Vec::new();
    let mut kept = 0;
    for entry in entries {
        let line = Line {
            at: entry.at,
            event: (&entry.event).into(),
            fields: std::borrow::Cow::Borrowed(&entry.fields),
        };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        if (body.len() + text.len()) as u64 > ROOM - BODY {
            break;
        }
        body.extend(text);
        kept += 1;
    }
    let lost = lost + (entries.len() - kept) as u64;
    let signature = signer.held(last, lost, &body);
    let hash = HEXLOWER.encode(&last.hash);
    let head = format!("{:020} {hash} {lost:020} {:020} {signature}\n", last.seq, body.len());
    let file = open(folder)?;
    // What is half of it vouches for nothing.
    wipe(&file)?;
    file.write_all_at(&body, BODY)?;
    file.write_all_at(head.as_bytes(), 0)?;
    file.sync_all()?;
    Ok(lost)
}

/// What waits to be written behind `last`.
pub(super) fn find(folder: &Path, signer: &Signer, last: Link) -> io::Result<Left> {
    let mut bytes = Vec::new();
    match regular(OpenOptions::new().read(true), &folder.join(SPOOL)) {
        Ok(file) => _ = file.take(2 * ROOM).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Left::default()),
        Err(error) => return Err(error),
    }
    if bytes.iter().take(512).all(|byte| *byte == 0) {
        return Ok(Left::default());
    }
    Ok(match parse(&bytes, signer) {
        Some((of, left)) if of == last => left,
        // It was written already, and whoever did that was interrupted before it was wiped.
        Some((of, left)) if of.seq < last.seq && is_written(folder, of, &left)? => Left::default(),
        Some(_) | None => Left { damaged: true, ..Left::default() },
    })
}

/// Whether the trail has it behind `of`: that it is longer is no proof, since anybody can add a line.
fn is_written(folder: &Path, of: Link, left: &Left) -> io::Result<bool> {
    let Some(last) = left.entries.last() else { return Ok(true) };
    for file in files(folder)?.iter().rev() {
        let records = read_file(file)?;
        let mut behind = records.iter().filter(|record| record.seq > of.seq);
        if behind.any(|record| record.event == last.event && record.fields == last.fields) {
            return Ok(true);
        }
        if records.first().is_some_and(|first| first.seq <= of.seq) {
            break;
        }
    }
    Ok(false)
}

/// Whether anything waits there, whoever has signed it.
pub(super) fn is_waiting(folder: &Path) -> bool {
    let mut first = [0];
    let file = regular(OpenOptions::new().read(true), &folder.join(SPOOL));
    file.and_then(|mut file| file.read_exact(&mut first)).is_ok() && first != [0]
}

/// All of it is in the trail.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    let file = open(folder)?;
    wipe(&file)?;
    file.sync_data()
}

fn parse(bytes: &[u8], signer: &Signer) -> Option<(Link, Left)> {
    let head = bytes.split(|byte| *byte == b'\n').next()?;
    let mut words = std::str::from_utf8(head).ok()?.split(' ');
    let seq = words.next()?.parse().ok()?;
    let hash = HEXLOWER.decode(words.next()?.as_bytes()).ok()?.try_into().ok()?;
    let (lost, length): (u64, usize) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let (signature, last) = (words.next()?, Link { seq, hash });
    let body = usize::try_from(BODY).ok()?;
    let body = bytes.get(body..body.checked_add(length)?)?;
    if !signer.public().signed_held(last, lost, body, signature) {
        return None;
    }
    let entry = |line: &[u8]| {
        let Line { at, event, fields } = serde_json::from_slice(line).ok()?;
        Some(Entry { ticket: 0, at, event: event.into_owned(), fields: fields.into_owned() })
    };
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let entries = lines.map(entry).collect::<Option<Vec<_>>>()?;
    Some((last, Left { entries, lost, damaged: false }))
}

fn wipe(file: &File) -> io::Result<()> {
    let zeros = [0; 512];
    file.write_all_at(&zeros, 0)
}

fn open(folder: &Path) -> io::Result<File> {
    regular(OpenOptions::new().write(true).create(true).truncate(false).mode(0o600), &folder.join(SPOOL))
}
