//! Moving old files away without breaking the chain.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{Check, files, read_file, verify};
use crate::{
    clock::Wall,
    rules::trail::{Finding, Link},
};

/// Files that can be moved away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archivable {
    /// Oldest first.
    pub files: Vec<PathBuf>,
    /// The record before the first one in them.
    pub after: Link,
    /// The last record in them.
    pub to: Link,
    /// What is wrong with the trail; nothing can be moved away then, as that would be gone with it.
    pub findings: Vec<Finding>,
}

/// The closed files whose records are all older, if the trail is whole and somebody vouches for what was before.
///
/// # Errors
/// When a file cannot be read.
pub fn archivable(folder: &Path, before: Wall, check: &Check) -> io::Result<Archivable> {
    let whole = verify(folder, check, |_| ())?.found;
    let mut found = Archivable { after: whole.start, findings: whole.findings, ..Archivable::default() };
    if !found.findings.is_empty() {
        return Ok(found);
    }
    let mut all = files(folder)?;
    // The newest is written to.
    all.pop();
    for file in all {
        let records = read_file(&file)?;
        let Some(last) = records.last() else { break };
        if records.iter().any(|record| record.secs() >= before.secs()) {
            break;
        }
        found.to = last.link();
        found.files.push(file);
    }
    Ok(found)
}

/// Whether what is moved to `to` would stay in the trail's own folder. Makes `to` if it is not there.
///
/// # Errors
/// When one of them cannot be looked at.
pub fn is_within(to: &Path, folder: &Path) -> io::Result<bool> {
    DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    let ours = fs::metadata(folder)?;
    for above in to.canonicalize()?.ancestors() {
        let found = fs::metadata(above)?;
        if (found.dev(), found.ino()) == (ours.dev(), ours.ino()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Copies one file to a folder; it is on the disk there, and the same, when this returns.
///
/// # Errors
/// When it cannot be written there, or another file of its name is there.
pub fn copy_away(file: &Path, to: &Path) -> io::Result<()> {
    let name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let target = to.join(name);
    if target.try_exists()? {
        if fs::read(&target)? == fs::read(file)? {
            return Ok(());
        }
        let what = format!("{} is there already, and is another one", target.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    let mut partial = name.to_owned();
    partial.push(".partial");
    let partial = to.join(partial);
    let mut copy = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    io::copy(&mut File::open(file)?, &mut copy)?;
    copy.sync_all()?;
    drop(copy);
    if fs::read(&partial)? != fs::read(file)? {
        return Err(io::Error::other(format!("{} does not read as it was written", partial.display())));
    }
    fs::rename(&partial, &target)?;
    File::open(to)?.sync_all()
}
