//! The file that is being written.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};

use super::reading::{HEAD, Head, files, hash_of, last_record};
use crate::{
    clock::Wall,
    rules::trail::{CHECKPOINT, Fields, Link, RECOVERED, Record, Signer, UNSIGNED, line, moment, recovered},
};

/// Room that is reserved ahead, so that the trail knows of a full disk before a record does; what is under way then still
/// fits.
const ROOM: u64 = 1 << 20;
/// Whoever removed it has to answer for it: nothing goes on as if it were there.
const REMOVED: &str = "the file that it is written to was removed; find out why, restart panelgate, and see what `panelgate audit verify` says";
/// More is reserved when less than this is left.
const LOW: u64 = ROOM / 2;

/// The file that is being written, and where the chain stands.
pub(super) struct Current {
    folder: PathBuf,
    signer: Signer,
    rotate: u64,
    file: File,
    /// What is known to be whole.
    length: u64,
    /// Up to where the disk has promised room.
    reserved: u64,
    link: Link,
    /// How many records there are since the last checkpoint.
    unvouched: u64,
    head: File,
    /// What it says could not be written, and is behind.
    stale: bool,
}

impl Current {
    /// Goes on where the last writer stopped.
    pub(super) fn open(folder: &Path, signer: Signer, rotate: u64, now: Wall) -> io::Result<Self> {
        let known = match Head::read(folder)? {
            Head::Says(link, signature) if signer.public().signed_head(link, &signature) => Some(link),
            Head::Says(..) | Head::Unreadable | Head::Missing => None,
        };
        let head = create(&folder.join(HEAD))?;
        let existing = files(folder)?;
        let fresh = known.unwrap_or_default();
        let (path, bytes) = match existing.last() {
            Some(path) => (path.clone(), fs::read(path)?),
            None => (folder.join(name(fresh.seq + 1)), vec![]),
        };
        let (last, whole) = match last_record(&bytes) {
            Some((record, whole)) => (Some(record), whole),
            // Nothing was written into this file yet; the chain goes on from the file before it.
            None => (before(&existing)?, 0),
        };
        let link = last.as_ref().map_or(fresh, Record::link);
        let vouched = last.is_none_or(|last| last.event == CHECKPOINT);
        let file = create(&path)?;
        sync_folder(folder)?;
        let (folder, length) = (folder.to_owned(), bytes.len() as u64);
        let unvouched = u64::from(!vouched);
        let mut this =
            Self { folder, signer, rotate, file, length, reserved: 0, link, unvouched, head, stale: false };
        // Whoever took the end away or wrote another one shall not have it grow again: the chain goes on behind what was
        // signed.
        let other = known.filter(|known| known.seq > link.seq || is_another(&existing, *known));
        if let Some(known) = other {
            this.link = known;
        }
        let torn = bytes.get(whole..).unwrap_or_default();
        if !torn.is_empty() {
            this.close(torn, now)?;
        }
        // Without a head nobody knows what was there, even if nothing is left.
        let headless = known.is_none() && !existing.is_empty();
        if other.is_none() && (link.seq > fresh.seq || headless) {
            let mut fields = Fields::new();
            fields.insert("first".into(), (fresh.seq + 1).into());
            fields.insert("last".into(), link.seq.into());
            this.append(&[(now, UNSIGNED, &fields)])?;
        }
        this.note_head()?;
        // Another form may have been longer.
        this.head.set_len(head_text(this.link, &this.signer).len() as u64)?;
        this.head.sync_data()?;
        Ok(this)
    }

    /// Appends records; they are on the disk when it returns. After an error nothing has changed.
    pub(super) fn append(&mut self, records: &[(Wall, &str, &Fields)]) -> io::Result<()> {
        if self.length >= self.rotate
            && let Some((now, ..)) = records.first()
        {
            self.checkpoint(*now)?;
            self.turn()?;
        }
        self.put(records)?;
        self.unvouched += records.len() as u64;
        // They are written, whatever becomes of this; it is tried again.
        self.stale = self.note_head().is_err();
        Ok(())
    }

    /// Vouches for everything so far, unless that is done already.
    pub(super) fn checkpoint(&mut self, now: Wall) -> io::Result<()> {
        if self.unvouched == 0 {
            return Ok(());
        }
        let fields = self.signer.checkpoint(self.link, &moment(now));
        self.put(&[(now, CHECKPOINT, &fields)])?;
        self.unvouched = 0;
        self.note_head()?;
        // From here on it may not be older than this.
        self.head.sync_data()
    }

    /// How many records no checkpoint vouches for.
    pub(super) fn unvouched(&self) -> u64 {
        self.unvouched
    }

    /// Sees that there is room for what comes.
    pub(super) fn reserve(&mut self) -> io::Result<()> {
        if self.stale {
            self.note_head()?;
            self.stale = false;
        }
        if self.reserved >= self.length + LOW {
            return Ok(());
        }
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.length, ROOM) {
            Ok(()) => self.reserved = self.length + ROOM,
            // Not every file system can; there a write has to fail first.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => self.reserved = u64::MAX,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Gives back the room that nobody used.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)
    }

    fn put(&mut self, records: &[(Wall, &str, &Fields)]) -> io::Result<()> {
        let mut link = self.link;
        let mut text = String::new();
        for (at, event, fields) in records {
            text.push_str(&line(&mut link, *at, event, fields));
            text.push('\n');
        }
        if self.file.metadata()?.nlink() == 0 {
            // What is written into it would be gone with this process.
            return Err(io::Error::other(REMOVED));
        }
        // What an earlier attempt left behind is written over.
        self.file.write_all_at(text.as_bytes(), self.length)?;
        self.file.sync_data()?;
        self.length += text.len() as u64;
        self.link = link;
        Ok(())
    }

    /// Begins the next file.
    fn turn(&mut self) -> io::Result<()> {
        self.end()?;
        self.file = create(&self.folder.join(name(self.link.seq + 1)))?;
        (self.length, self.reserved) = (0, 0);
        sync_folder(&self.folder)
    }

    /// Ends what a crash cut off, and says which bytes that were.
    fn close(&mut self, torn: &[u8], now: Wall) -> io::Result<()> {
        let (bytes, end) = match torn.strip_suffix(b"\n") {
            Some(bytes) => (bytes, ""),
            None => (torn, "\n"),
        };
        self.file.write_all_at(end.as_bytes(), self.length)?;
        self.length += end.len() as u64;
        self.put(&[(now, RECOVERED, &recovered(bytes))])?;
        self.unvouched += 1;
        Ok(())
    }

    /// Always of the same length, and written after the records: it may lag behind, and never runs ahead.
    fn note_head(&mut self) -> io::Result<()> {
        self.head.write_all_at(head_text(self.link, &self.signer).as_bytes(), 0)
    }
}

/// Whether the record of this number is another one.
fn is_another(files: &[PathBuf], known: Link) -> bool {
    files.iter().rev().find_map(|file| hash_of(file, known.seq)).is_some_and(|hash| hash != known.hash)
}

/// What the file `head` says.
pub fn head_text(link: Link, signer: &Signer) -> String {
    format!("{:020} {} {}\n", link.seq, HEXLOWER.encode(&link.hash), signer.head(link))
}

/// The last record of the last file but one.
fn before(files: &[PathBuf]) -> io::Result<Option<Record>> {
    let Some(path) = files.iter().rev().nth(1) else { return Ok(None) };
    Ok(last_record(&fs::read(path)?).map(|(record, _)| record))
}

fn name(first: u64) -> String {
    format!("trail-{first:012}.jsonl")
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
