//! The file that is being written.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;

use super::reading::{HEAD, files, head, last_record};
use crate::{
    clock::Wall,
    rules::trail::{Fields, Link, RECOVERED, line, recovered},
};

/// The file that is being written, and where the chain stands.
pub(super) struct Current {
    folder: PathBuf,
    rotate: u64,
    file: File,
    /// What is known to be whole.
    length: u64,
    link: Link,
    head: File,
}

impl Current {
    /// Goes on where the last writer stopped.
    pub(super) fn open(folder: &Path, rotate: u64, now: Wall) -> io::Result<Self> {
        // Whoever took the end away shall not have it grow again: the chain goes on behind what was known to be there.
        let known = head(folder).unwrap_or_default();
        let head = create(&folder.join(HEAD))?;
        let existing = files(folder)?;
        let Some(path) = existing.last() else {
            let file = create(&folder.join(name(known.seq + 1)))?;
            sync_folder(folder)?;
            return Ok(Self { folder: folder.to_owned(), rotate, file, length: 0, link: known, head });
        };
        let bytes = fs::read(path)?;
        let (link, whole) = match last_record(&bytes) {
            Some(found) => found,
            // Nothing was written into this file yet; the chain goes on from the file before it.
            None => (before(&existing)?, 0),
        };
        let link = if known.seq > link.seq { known } else { link };
        let file = OpenOptions::new().write(true).open(path)?;
        let mut this =
            Self { folder: folder.to_owned(), rotate, file, length: bytes.len() as u64, link, head };
        let torn = bytes.get(whole..).unwrap_or_default();
        if !torn.is_empty() {
            this.close(torn, now)?;
        }
        Ok(this)
    }

    /// Appends records; they are on the disk when it returns. After an error nothing has changed.
    pub(super) fn append(&mut self, records: &[(Wall, &str, &Fields)]) -> io::Result<()> {
        if self.length >= self.rotate {
            self.turn()?;
        }
        let mut link = self.link;
        let mut text = String::new();
        for (at, event, fields) in records {
            text.push_str(&line(&mut link, *at, event, fields));
            text.push('\n');
        }
        // What an earlier attempt left behind is written over.
        self.file.write_all_at(text.as_bytes(), self.length)?;
        self.length += text.len() as u64;
        if let Err(error) = self.file.sync_data() {
            self.length -= text.len() as u64;
            return Err(error);
        }
        self.link = link;
        self.note_head()
    }

    /// Begins the next file.
    fn turn(&mut self) -> io::Result<()> {
        self.file = create(&self.folder.join(name(self.link.seq + 1)))?;
        self.length = 0;
        sync_folder(&self.folder)
    }

    /// Ends what a crash cut off, and says which bytes that were.
    fn close(&mut self, torn: &[u8], now: Wall) -> io::Result<()> {
        let (bytes, end) = match torn.strip_suffix(b"\n") {
            Some(bytes) => (bytes, ""),
            None => (torn, "\n"),
        };
        let mut link = self.link;
        let text = format!("{end}{}\n", line(&mut link, now, RECOVERED, &recovered(bytes)));
        self.file.write_all_at(text.as_bytes(), self.length)?;
        self.file.sync_data()?;
        self.length += text.len() as u64;
        self.link = link;
        self.note_head()
    }

    /// Always of the same length, and written after the records: it may lag behind, and never runs ahead.
    fn note_head(&mut self) -> io::Result<()> {
        self.head.write_all_at(head_text(self.link).as_bytes(), 0)?;
        Ok(())
    }
}

/// What the file `head` says.
pub fn head_text(link: Link) -> String {
    format!("{:020} {}\n", link.seq, HEXLOWER.encode(&link.hash))
}

/// Where the chain stood at the end of the last file but one.
fn before(files: &[PathBuf]) -> io::Result<Link> {
    let Some(path) = files.iter().rev().nth(1) else { return Ok(Link::default()) };
    Ok(last_record(&fs::read(path)?).map(|(link, _)| link).unwrap_or_default())
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
