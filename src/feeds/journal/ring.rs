//! The files of one kind of decisions, the newest of which is being written.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Segment, Tended, class_name, frame, segments};
use crate::{
    clock::Wall,
    rules::record::{Class, Gap, Record},
};

/// A ring has about so many files, so that the oldest eighth goes at once.
const FILES: u64 = 8;
/// A file is not longer, whatever the size of the ring.
const LONGEST: u64 = 8 << 20;
/// A file is written for so long at most, so that its first record is not much older than its last.
const WRITTEN_FOR: Duration = Duration::from_secs(3600);
/// More files than this are not kept: a process that is started again and again makes small ones.
const MOST_FILES: usize = 512;

/// The files of one kind of decisions.
#[derive(Debug)]
pub(super) struct Ring {
    folder: PathBuf,
    class: Class,
    /// In bytes.
    budget: u64,
    open: Option<Open>,
}

/// The file that is being written.
#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    begun: Wall,
    bytes: u64,
}

impl Ring {
    pub(super) fn new(folder: &Path, class: Class, budget: u64) -> Self {
        Self { folder: folder.to_owned(), class, budget, open: None }
    }

    pub(super) fn set_budget(&mut self, budget: u64) {
        self.budget = budget;
    }

    /// Writes a batch, as a whole or not at all.
    pub(super) fn append(&mut self, records: &[&Record], now: Wall) -> io::Result<()> {
        let Some(first) = records.iter().map(|record| record.at).min() else { return Ok(()) };
        let mut bytes = Vec::with_capacity(records.len() * 256);
        for record in records {
            frame::write_record(&mut bytes, record);
        }
        self.write(&bytes, first.min(now), now)
    }

    pub(super) fn admit(&mut self, gap: Gap) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame::write_gap(&mut bytes, gap);
        self.write(&bytes, gap.until, gap.until)
    }

    fn write(&mut self, bytes: &[u8], first: Wall, now: Wall) -> io::Result<()> {
        let longest = (self.budget / FILES).clamp(1, LONGEST);
        let full = |open: &Open| {
            open.bytes >= longest || now.since(open.begun) >= WRITTEN_FOR || !open.path.exists()
        };
        if self.open.as_ref().is_some_and(full) {
            self.open = None;
        }
        if self.open.is_none() {
            self.make_room()?;
            self.open = Some(Open::new(&self.folder, self.class, first)?);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let wrote = open.file.write_all(bytes);
        if wrote.is_ok() {
            open.bytes += bytes.len() as u64;
            return Ok(());
        }
        // Half a record would hide all that come after it.
        let mended = open.file.set_len(open.bytes);
        if mended.is_err() || open.bytes <= frame::MAGIC.len() as u64 {
            let _ = fs::remove_file(&open.path).ok().filter(|()| open.bytes <= frame::MAGIC.len() as u64);
            self.open = None;
        }
        wrote
    }

    /// Removes the oldest files until another one fits.
    fn make_room(&self) -> io::Result<()> {
        let mut mine = self.segments();
        let mut bytes: u64 = mine.iter().map(|segment| segment.bytes).sum();
        let spare = (self.budget / FILES).min(LONGEST);
        let (mut count, mut failed) = (mine.len(), None);
        for segment in mine.drain(..) {
            if bytes + spare <= self.budget && count < MOST_FILES {
                break;
            }
            (bytes, count) = (bytes.saturating_sub(segment.bytes), count - 1);
            if let Err(error) = remove(&segment.path) {
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Removes what is too old; shortens the addresses of what is a day old.
    pub(super) fn tend(&mut self, now: Wall, keep: Duration, tended: &mut Tended) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|open| now.since(open.begun) >= WRITTEN_FOR) {
            self.open = None;
        }
        let mut failed = None;
        for segment in self.segments() {
            // What it was begun with is its oldest record, and its newest is at most an hour younger.
            let done = if now.since(segment.begun) >= keep {
                remove(&segment.path).map(|()| tended.expired += 1)
            } else if now.since(segment.begun) >= crate::rules::record::WHOLE_ADDRESSES {
                shorten(&segment.path, now).map(|count| tended.shortened += count)
            } else {
                Ok(())
            };
            failed = failed.or(done.err());
        }
        failed.map_or(Ok(()), Err)
    }

    fn segments(&self) -> Vec<Segment> {
        let mut all = segments(&self.folder);
        let open = self.open.as_ref().map(|open| &open.path);
        all.retain(|segment| segment.class == self.class && Some(&segment.path) != open);
        all
    }
}

impl Open {
    fn new(folder: &Path, class: Class, begun: Wall) -> io::Result<Self> {
        // Another process may write its own at the same moment.
        for turn in 0..64 {
            let name = format!("{}-{:016}-{turn}.journal", class_name(class), begun.millis());
            let path = folder.join(name);
            let made = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
            match made {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => {
                    let mut file = made?;
                    if let Err(error) = file.write_all(frame::MAGIC) {
                        let _ = fs::remove_file(&path);
                        return Err(error);
                    }
                    return Ok(Self { file, path, begun, bytes: frame::MAGIC.len() as u64 });
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

/// Writes a file anew with shortened addresses; how many records that changed.
fn shorten(path: &Path, now: Wall) -> io::Result<u64> {
    let old = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        old => old?,
    };
    let mut new = frame::MAGIC.to_vec();
    let mut count = 0;
    for entry in frame::frames(&old) {
        if let Some(gap) = entry.gap() {
            frame::write_gap(&mut new, gap);
        }
        let Some(mut record) = entry.record() else { continue };
        if record.shortened.is_none() {
            record.shorten(now);
            count += 1;
        }
        frame::write_record(&mut new, &record);
    }
    if count == 0 {
        return Ok(0);
    }
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    let written = file.write_all(&new).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.map(|()| count)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
