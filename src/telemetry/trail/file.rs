//! The file that is being written.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{FallocateFlags, OFlags, fallocate},
    io::Errno,
    process::{Resource, getrlimit},
};

use super::{
    head::{HEAD, Head, head_text, head_text_before},
    reading::{files, hash_of, last_record, newest_of, number},
    spool,
};
use crate::{
    clock::Wall,
    rules::trail::{
        CHECKPOINT, Fields, Link, RECOVERED, REOPENED, Record, Signer, UNSIGNED, line, moment, recovered,
    },
};

/// Room that is reserved ahead, so that the trail knows of a full disk before a record does; what is under way then still
/// fits.
const ROOM: u64 = 1 << 20;
/// More is reserved when less than this is left.
const LOW: u64 = ROOM / 2;

/// Something is not where it is written to any more: what is written into it would be gone with this process.
#[derive(Debug)]
pub(super) struct Moved(PathBuf);

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.display();
        write!(f, "{path} was removed, moved, replaced or cut short while it was written to")
    }
}

impl std::error::Error for Moved {}

/// A record of the trail about itself.
type Note = (Wall, &'static str, Fields);

/// The file that is being written, and where the chain stands.
pub(super) struct Current {
    folder: PathBuf,
    signer: Arc<Signer>,
    rotate: u64,
    path: PathBuf,
    file: File,
    /// What is known to be whole.
    length: u64,
    /// Up to where the disk has promised room.
    reserved: u64,
    link: Link,
    /// What `head` vouches for; behind `link` until what was found is told.
    signed: Link,
    /// How many records there are since the last checkpoint.
    unvouched: u64,
    head: File,
    /// What it says could not be written, and is behind.
    stale: bool,
    /// What has to be told of how it was found, before anything else.
    untold: Vec<Note>,
    /// The last line has no end.
    cut_off: bool,
}

/// What was there, and what has to be told of it.
struct Found {
    path: PathBuf,
    length: u64,
    link: Link,
    signed: Link,
    vouched: bool,
    cut_off: bool,
    untold: Vec<Note>,
}

impl Found {
    /// Looks where the last writer stopped, and changes nothing. `remembered`: where this process stopped, if it was the
    /// last.
    fn look(folder: &Path, signer: &Signer, now: Wall, remembered: Option<Link>) -> io::Result<Self> {
        let known = Head::read(folder)?.vouches(folder, &[signer.public()])?.ok();
        let known = [known, remembered].into_iter().flatten().max_by_key(|link| link.seq);
        let fresh = known.unwrap_or_default();
        let existing = in_order(folder, fresh)?;
        let (path, bytes) = match existing.last() {
            Some(path) => (path.clone(), fs::read(path)?),
            None => (folder.join(name(fresh.seq + 1)), vec![]),
        };
        let (last, whole) = match last_record(&bytes) {
            Some((record, whole)) => (Some(record), whole),
            // Nothing was written into this file yet; the chain goes on from the file before it.
            None => (before(&existing)?, 0),
        };
        let found = last.as_ref().map_or(fresh, Record::link);
        let mut untold = Vec::new();
        let torn = bytes.get(whole..).unwrap_or_default();
        let whole_lines = torn.strip_suffix(b"\n");
        if !torn.is_empty() {
            untold.push((now, RECOVERED, recovered(whole_lines.unwrap_or(torn))));
        }
        // Whoever took the end away or wrote another one shall not have it grow again: the chain goes on behind what was
        // signed.
        let other = known.filter(|known| known.seq > found.seq || is_another(&existing, *known));
        // Without a head nobody knows what was there, even if nothing is left.
        let headless = known.is_none() && !files(folder)?.is_empty();
        if other.is_none() && (found.seq > fresh.seq || headless) {
            let mut fields = Fields::new();
            fields.insert("first".into(), (fresh.seq + 1).into());
            fields.insert("last".into(), found.seq.into());
            untold.push((now, UNSIGNED, fields));
        }
        let vouched = last.is_none_or(|last| last.event == CHECKPOINT);
        let (length, cut_off) = (bytes.len() as u64, !torn.is_empty() && whole_lines.is_none());
        Ok(Self { path, length, link: other.unwrap_or(found), signed: fresh, vouched, cut_off, untold })
    }
}

/// Whether it could be gone on with.
///
/// # Errors
/// Why not.
pub(super) fn look(folder: &Path, signer: &Signer, now: Wall) -> io::Result<()> {
    let found = Found::look(folder, signer, now, None)?;
    for path in [&found.path, &folder.join(HEAD)] {
        match OpenOptions::new().write(true).open(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

impl Current {
    /// Goes on where the last writer stopped; `remembered` is where, if that was this process. What has to be told of how
    /// it was found is told with the first record.
    pub(super) fn open(
        folder: &Path,
        signer: Arc<Signer>,
        rotate: u64,
        now: Wall,
        remembered: Option<Link>,
    ) -> io::Result<Self> {
        let found = Found::look(folder, &signer, now, remembered)?;
        let head = create(&folder.join(HEAD))?;
        let file = create(&found.path)?;
        sync_folder(folder)?;
        let Found { path, length, link, signed, vouched, cut_off, untold } = found;
        let (folder, unvouched) = (folder.to_owned(), u64::from(!vouched));
        let (reserved, stale) = (0, true);
        let this = Self {
            folder,
            signer,
            rotate,
            path,
            file,
            length,
            reserved,
            link,
            signed,
            unvouched,
            head,
            stale,
            untold,
            cut_off,
        };
        Ok(this)
    }

    /// Says that it was opened again while the process ran, and why.
    pub(super) fn tell_reopened(&mut self, at: Wall, why: String) {
        let mut fields = Fields::new();
        fields.insert("why".into(), why.into());
        self.untold.push((at, REOPENED, fields));
    }

    /// Tells how it was found, if nothing was written since.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        if !self.untold.is_empty() {
            self.append(&[])?;
        }
        if self.stale {
            self.note_head()?;
            // Another form may have been longer.
            self.head.set_len(head_text(self.link, &self.signer).len() as u64)?;
            self.head.sync_data()?;
        }
        Ok(())
    }

    /// Appends records; they are on the disk when it returns. After an error nothing has changed.
    pub(super) fn append(&mut self, records: &[(Wall, &str, &Fields)]) -> io::Result<()> {
        if self.length >= self.rotate
            && self.untold.is_empty()
            && let Some((now, ..)) = records.first()
        {
            self.checkpoint(*now)?;
            self.turn()?;
        }
        let untold = std::mem::take(&mut self.untold);
        let all: Vec<_> = untold.iter().map(|(at, event, fields)| (*at, *event, fields)).collect();
        let all = [&all, records].concat();
        if let Err(error) = self.put(&all) {
            self.untold = untold;
            return Err(error);
        }
        self.unvouched += all.len() as u64;
        // They are written, whatever becomes of this; it is tried again.
        self.stale |= self.note_head().is_err();
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

    /// Where the chain stands on the disk.
    pub(super) fn link(&self) -> Link {
        self.link
    }

    /// Sees that there is room for what comes, and that it is still written to where it is looked for.
    pub(super) fn reserve(&mut self) -> io::Result<()> {
        self.look_where()?;
        self.settle()?;
        spool::reserve(&self.folder)?;
        let limit = getrlimit(Resource::Fsize).current.filter(|limit| *limit < self.length + LOW);
        if let Some(limit) = limit {
            let what = format!(
                "a file of this process may not grow beyond {limit} bytes: raise the limit (`ulimit -f`)"
            );
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
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
        // What somebody added behind the end is for the next start to find.
        if self.file.metadata()?.len() > self.length { Ok(()) } else { self.file.set_len(self.length) }
    }

    fn put(&mut self, records: &[(Wall, &str, &Fields)]) -> io::Result<()> {
        let mut next = self.link;
        let mut text = if self.cut_off { "\n".to_owned() } else { String::new() };
        for (at, event, fields) in records {
            text.push_str(&line(&mut next, *at, event, fields));
            text.push('\n');
        }
        self.look_where()?;
        // Whoever is killed before the head follows has signed what was on its way. A head that cannot be written is behind,
        // which the next start tells.
        let said = head_text_before(self.signed, next, &self.signer);
        let _ = self.head.write_all_at(said.as_bytes(), 0);
        // What was moved meanwhile is not what anybody will read.
        let written = self
            .file
            .write_all_at(text.as_bytes(), self.length)
            .and_then(|()| self.file.sync_data())
            .and_then(|()| self.look_where());
        if let Err(error) = written {
            // Half of it is nothing, and after a crash nobody could say whose it was.
            let _ = self.file.set_len(self.length);
            self.reserved = 0;
            return Err(error);
        }
        self.length += text.len() as u64;
        self.link = next;
        self.cut_off = false;
        Ok(())
    }

    /// Whether what is written to is what others find.
    fn look_where(&self) -> io::Result<()> {
        for (path, file, least) in
            [(&self.path, &self.file, self.length), (&self.folder.join(HEAD), &self.head, 0)]
        {
            let ours = file.metadata()?;
            if ours.len() < least {
                return Err(io::Error::other(Moved(path.clone())));
            }
            let found = match fs::metadata(path) {
                Ok(found) => Some(found),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            if found.is_none_or(|found| (found.dev(), found.ino()) != (ours.dev(), ours.ino())) {
                return Err(io::Error::other(Moved(path.clone())));
            }
        }
        Ok(())
    }

    /// Begins the next file.
    fn turn(&mut self) -> io::Result<()> {
        let path = self.folder.join(name(self.link.seq + 1));
        let file = create(&path)?;
        if file.metadata()?.len() > 0 {
            let what = format!("{} is there already, and not ours: move it away", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        self.end()?;
        (self.file, self.path) = (file, path);
        (self.length, self.reserved) = (0, 0);
        sync_folder(&self.folder)
    }

    /// Always of the same length, and written after the records: it may lag behind, and never runs ahead.
    fn note_head(&mut self) -> io::Result<()> {
        self.head.write_all_at(head_text(self.link, &self.signer).as_bytes(), 0)?;
        (self.signed, self.stale) = (self.link, false);
        Ok(())
    }
}

/// The files up to the one that is gone on with. An empty one that does not follow is nobody's; one with records that are
/// older than its name stands behind others, and what is written into it would, too.
fn in_order(folder: &Path, fresh: Link) -> io::Result<Vec<PathBuf>> {
    let mut all = files(folder)?;
    while let Some(path) = all.pop() {
        let bytes = fs::read(&path)?;
        let number = number(&path);
        let newest = newest_of(&bytes);
        let follows = || -> io::Result<bool> {
            let before = all.last().map(fs::read).transpose()?.and_then(|bytes| newest_of(&bytes));
            Ok(number == Some(fresh.seq + 1) || number.is_some() && number == before.map(|before| before + 1))
        };
        if number <= newest && number.is_some() || follows()? {
            all.push(path);
            break;
        }
        if !bytes.is_empty() {
            let what = format!(
                "{} is not named after its first record: somebody has renamed it or put it there; see `panelgate audit \
                 verify`, and give it its name back or move it away",
                path.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
    }
    Ok(all)
}

/// Whether the record of this number is another one.
fn is_another(files: &[PathBuf], known: Link) -> bool {
    files.iter().rev().find_map(|file| hash_of(file, known.seq)).is_some_and(|hash| hash != known.hash)
}

/// The last record of the last file but one.
fn before(files: &[PathBuf]) -> io::Result<Option<Record>> {
    let Some(path) = files.iter().rev().nth(1) else { return Ok(None) };
    Ok(last_record(&fs::read(path)?).map(|(record, _)| record))
}

pub(super) fn name(first: u64) -> String {
    format!("trail-{first:012}.jsonl")
}

/// A pipe in its place is an error rather than a wait for ever.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)
}

/// Opens a regular file, and nothing else.
pub(super) fn regular(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let file = options.custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    let what = format!("{} is no regular file: move it away", path.display());
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
