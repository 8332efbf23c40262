//! The data directory, and putting a restored one in its place: all of it or nothing.
//!
//! What is to be put in place lies beside it, complete and on the disk, before the plan is written. From the plan on the
//! way leads only forward: whoever opens the directory next, this process or the gate itself, does what is left to do.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::{
    app::compose,
    clock::{Clock, SystemClock},
    rules::trail::Fields,
    telemetry::trail,
};

/// What is in a data directory and in a backup, by the same names.
pub(super) const STORE: &str = "panelgate.redb";
pub(super) const KEYS: &str = "keys";
pub(super) const AUDIT: &str = "audit";
pub(super) const JOURNAL: &str = "journal";

const PLAN: &str = "restore.plan";
const STAGE: &str = "restore.new";
/// The event of the record that says that the store is one from an earlier time.
const RESTORED: &str = "restored";

/// What is left to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Where what was there goes, inside the data directory.
    pub(super) aside: String,
    /// What moves.
    pub(super) moves: Vec<String>,
    /// The record for the audit trail.
    pub(super) record: Fields,
}

/// A place beside what is there, cleared away when it is not put in place.
pub(super) struct Stage {
    data_dir: PathBuf,
    pub(super) path: PathBuf,
}

impl Stage {
    /// An empty one.
    pub(super) fn new(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join(STAGE);
        remove(&path)?;
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { data_dir: data_dir.to_owned(), path })
    }

    /// Decides that it takes its place, whatever happens from here on; [`finish_interrupted`] does it.
    pub(super) fn commit(mut self, plan: &Plan) -> io::Result<()> {
        sync(&self.path)?;
        let (draft, path) = (self.path.join(PLAN), self.data_dir.join(PLAN));
        let mut file = new_file(&draft)?;
        file.write_all(&serde_json::to_vec(plan)?)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        let synced = sync(&self.data_dir);
        // From here on it is not ours to clear away.
        self.data_dir = PathBuf::new();
        synced
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.data_dir.as_os_str().is_empty() {
            // What cannot be removed now is removed by the next restore.
            let _ = remove(&self.path);
        }
    }
}

/// Does what is left of a restore that was interrupted after its plan was written; usually nothing. Blocks.
///
/// # Errors
/// When something cannot be moved, or the audit trail cannot be written.
pub fn finish_interrupted(data_dir: &Path) -> io::Result<()> {
    let path = data_dir.join(PLAN);
    let Some(file) = if_there(File::open(&path))? else { return Ok(()) };
    flock(&file, FlockOperation::LockExclusive)?;
    // Somebody else may have done it meanwhile.
    let Some(text) = if_there(fs::read(&path))? else { return Ok(()) };
    let plan: Plan = serde_json::from_slice(&text).map_err(|error| {
        io::Error::other(format!("{} cannot be read ({error}): restore again by hand", path.display()))
    })?;
    let (stage, aside) = (data_dir.join(STAGE), data_dir.join(&plan.aside));
    DirBuilder::new().recursive(true).mode(0o700).create(&aside)?;
    for name in &plan.moves {
        move_in(&stage.join(name), &data_dir.join(name), &aside.join(name))?;
    }
    sync(&aside)?;
    sync(data_dir)?;
    account(data_dir, plan.record)?;
    fs::remove_file(&path)?;
    remove(&stage)?;
    // Folders stay if anything is in them; a lock is nothing.
    let audit = aside.join(AUDIT);
    let _ = fs::remove_file(audit.join(trail::LOCK));
    let _ = fs::remove_dir(&audit);
    let _ = fs::remove_dir(&aside);
    sync(data_dir)
}

/// Can be done again after it was interrupted at any point.
fn move_in(staged: &Path, live: &Path, aside: &Path) -> io::Result<()> {
    if !staged.try_exists()? {
        return Ok(());
    }
    if live.try_exists()? {
        fs::rename(live, aside)?;
    }
    fs::rename(staged, live)
}

fn account(data_dir: &Path, record: Fields) -> io::Result<()> {
    let trail = compose::open_trail_alone(data_dir)?;
    trail.write(SystemClock::new().wall(), RESTORED.to_owned(), record);
    if trail.flush() { Ok(()) } else { Err(io::Error::other("the audit trail cannot be written")) }
}

/// What is there that a restore would replace.
pub(super) fn contents(data_dir: &Path) -> io::Result<Vec<&'static str>> {
    let mut found = Vec::new();
    for name in [STORE, KEYS] {
        if data_dir.join(name).try_exists()? {
            found.push(name);
        }
    }
    Ok(found)
}

/// A new file that nobody else can read.
pub(super) fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    if_there(fs::remove_dir_all(path)).map(drop)
}

fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
