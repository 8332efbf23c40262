//! The journal of decisions: a ring of segment files, bounded by size and by age.
//!
//! Three rings, so that a flood of one kind pushes out nothing of the others: what was allowed, what was refused to
//! people who are known, and what was refused to strangers. Each record has a checksum, so that an end that was torn by a crash is
//! read up to its last whole record. Nothing is ever waited for: durable is what the system has written.

mod frame;
mod reader;
mod ring;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

pub use self::reader::{Part, Reader};
use self::ring::Ring;
use crate::{
    clock::Wall,
    rules::record::{Allowed, Class, Gap, Limits, Record},
};

/// The folder's name inside the data directory.
pub const FOLDER: &str = "journal";

/// What a batch came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Records that are in the journal.
    pub records: u64,
    /// Records that the disk did not take.
    pub lost: u64,
}

/// What tending came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    /// Segments that were removed for their age.
    pub expired: u64,
    /// Records whose addresses were shortened.
    pub shortened: u64,
}

/// The writing end. One process writes its own segments; another may write beside it.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    limits: Limits,
    rings: [Ring; 3],
}

impl Journal {
    /// Opens or makes the folder. No file is made before there is something to write.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path, limits: Limits) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let rings = CLASSES.map(|class| Ring::new(folder, class, share(limits.size, class)));
        Ok(Self { folder: folder.to_owned(), limits, rings })
    }

    /// Other limits, from the next record on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        for (ring, class) in self.rings.iter_mut().zip(CLASSES) {
            ring.set_budget(share(limits.size, class));
        }
    }

    /// Whether a decision is one that is kept.
    pub fn wants(&self, record: &Record) -> bool {
        !record.is_allowed()
            || match self.limits.allowed {
                Allowed::All => true,
                Allowed::Writes => record.is_write(),
                Allowed::None => false,
            }
    }

    /// Writes a batch. What cannot be written is lost, and the next batch says so.
    pub fn append(&mut self, records: &[Record], now: Wall) -> Written {
        let mut written = Written::default();
        for (ring, class) in self.rings.iter_mut().zip(CLASSES) {
            let batch: Vec<&Record> = records.iter().filter(|record| record.class() == class).collect();
            let count = batch.len() as u64;
            match ring.append(&batch, now) {
                Ok(()) => written.records += count,
                Err(error) => {
                    tracing::debug!(%error, "the journal cannot be written");
                    written.lost += count;
                }
            }
        }
        written
    }

    /// Notes that decisions are missing.
    ///
    /// # Errors
    /// When that cannot be written either.
    pub fn admit(&mut self, gap: Gap) -> io::Result<()> {
        let [_, refused, _] = &mut self.rings;
        refused.admit(gap)
    }

    /// Removes what is too old and shortens the addresses of what is a day old.
    ///
    /// # Errors
    /// With the first file that could not be read, written or removed; the others are tended all the same.
    pub fn tend(&mut self, now: Wall) -> io::Result<Tended> {
        let mut tended = Tended::default();
        let mut failed = None;
        for ring in &mut self.rings {
            if let Err(error) = ring.tend(now, self.limits.keep, &mut tended) {
                failed = failed.or(Some(error));
            }
        }
        failed.map_or(Ok(tended), Err)
    }

    /// All files together, in bytes.
    pub fn bytes(&self) -> u64 {
        segments(&self.folder).iter().map(|segment| segment.bytes).sum()
    }
}

const CLASSES: [Class; 3] = [Class::Allowed, Class::Refused, Class::Strangers];

/// Half of the room is for what was allowed, and a quarter for each kind of refusal.
fn share(size: u64, class: Class) -> u64 {
    match class {
        Class::Allowed => size / 2,
        Class::Refused | Class::Strangers => size / 4,
    }
}

/// A file of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Segment {
    path: PathBuf,
    class: Class,
    /// When it was begun; not before its first record.
    begun: Wall,
    bytes: u64,
}

/// Every file there is, the oldest first.
fn segments(folder: &Path) -> Vec<Segment> {
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<Segment> = files.flatten().filter_map(|file| segment(&file.path())).collect();
    found.sort_by(|a, b| (a.begun, &a.path).cmp(&(b.begun, &b.path)));
    found
}

/// `refused-0001795577055123-0.journal`
fn segment(path: &Path) -> Option<Segment> {
    let name = path.file_name()?.to_str()?.strip_suffix(".journal")?;
    let (class, rest) = name.split_once('-')?;
    let (begun, _) = rest.split_once('-')?;
    let class = CLASSES.into_iter().find(|known| class_name(*known) == class)?;
    let bytes = fs::metadata(path).ok()?.len();
    Some(Segment { path: path.to_owned(), class, begun: Wall::from_millis(begun.parse().ok()?), bytes })
}

fn class_name(class: Class) -> &'static str {
    match class {
        Class::Allowed => "allowed",
        Class::Refused => "refused",
        Class::Strangers => "strangers",
    }
}
