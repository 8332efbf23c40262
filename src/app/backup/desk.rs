//! Who makes backups: the daemon, while it serves, or a command that holds the store itself.

use std::{
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, TryLockError},
};

use tokio::sync::watch;

use super::{Contents, Made, Source, make};
use crate::{
    app::{accounts, compose},
    config::Environment,
    store::{RedbStore, Store, StoreError},
    telemetry,
};

/// The daemon's.
pub struct Desk {
    source: Source,
    /// The digest of the configuration that is in force.
    in_force: watch::Receiver<Arc<str>>,
    /// One at a time: each takes room on the disk.
    turn: Mutex<()>,
}

impl Desk {
    /// For a store that is open.
    pub fn new(source: Source, in_force: watch::Receiver<Arc<str>>) -> Self {
        Self { source, in_force, turn: Mutex::new(()) }
    }

    /// Makes a backup for `by`; see [`make`]. Blocks.
    ///
    /// # Errors
    /// As [`make`], and while another one is being made.
    pub fn make(
        &self,
        contents: Contents,
        by: u32,
        out: impl Write,
        told: &mut dyn FnMut(u64, u64) -> io::Result<()>,
    ) -> io::Result<Made> {
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("another backup is being made: try again when it is done"));
            }
        };
        let digest = Arc::clone(&self.in_force.borrow());
        let made = make(&self.source, contents, Some(&digest), out, told)?;
        note(&made, contents, by);
        if !telemetry::flush() {
            let why = "the backup is made, but the audit trail cannot be written, and so it does not count: see the log";
            return Err(io::Error::other(why));
        }
        Ok(made)
    }
}

/// Makes a backup without a daemon: opens the store, and lets go of it again. Blocks.
///
/// # Errors
/// [`StoreError::Locked`] if a daemon runs after all; otherwise as [`make`].
pub fn alone(
    data_dir: &Path,
    config: (&Path, &Environment),
    contents: Contents,
    by: u32,
    out: impl Write,
    told: &mut dyn FnMut(u64, u64) -> io::Result<()>,
) -> Result<io::Result<Made>, StoreError> {
    let unavailable = |error: &dyn std::fmt::Display| StoreError::Unavailable(error.to_string());
    let file = compose::store_file(data_dir);
    if !file.exists() {
        return Err(unavailable(&format!("there is nothing in {} to back up", data_dir.display())));
    }
    super::finish_interrupted(data_dir).map_err(|error| unavailable(&error))?;
    let store = RedbStore::open(&file)?;
    let trail = compose::open_trail_alone(data_dir).map_err(|error| unavailable(&error))?;
    let trail = accounts::attach(trail);
    let (config, environment) = (config.0.to_owned(), config.1.clone());
    let source = Source { store: store.clone(), data_dir: data_dir.to_owned(), config, environment };
    let made = make(&source, contents, None, out, told);
    if let Ok(made) = &made {
        note(made, contents, by);
    }
    drop(trail);
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().map_err(|error| unavailable(&error))?;
    runtime.block_on(store.close())?;
    Ok(made)
}

fn note(made: &Made, contents: Contents, by: u32) {
    let Made { id, bytes, manifest } = made;
    let (journal, trail_seq) = (contents.journal, manifest.trail.seq);
    tracing::info!(target: "panelgate::audit", event = "backup-made", %id, bytes, journal, trail_seq, by);
}
