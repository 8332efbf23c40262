//! The keys directory: `access-ID.pem`, `refresh-ID.key`, `master.key`, and `keys.json`, which says what each is for; and
//! `audit.pem`, which vouches for the audit trail.
//! The master key may come from outside instead; see [`master`].
//!
//! `keys.json` is written last and by renaming, so that a crash at any point leaves either the old set or the new one.
//! It lists keys newest first: the first of a kind signs, the others serve what they signed until they retire.

mod audit;
mod files;
pub mod master;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

pub use self::audit::{AUDIT, load_or_create_signer, signer};
pub use self::master::{GivenMaster, drop_old_master, rotate_master};
use self::{files::Folder, master::MASTER};
use crate::{
    clock::Wall,
    entropy::Entropy,
    rules::token::{AccessKey, BadKey, KeyMaterial, KeySet, RefreshKey},
    secret::SecretBytes,
};

/// What is wrong with the keys directory.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system says no.
    #[error("cannot {what} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Others may read it.
    #[error(
        "{path} may be used by others (mode {mode:03o}): run `chmod {right} {path}`, and `panelgate key-material rotate` \
         if somebody may have read it", path = path.display()
    )]
    TooOpen {
        /// The file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What its mode should be, in octal digits.
        right: &'static str,
    },
    /// Somebody else may replace it.
    #[error("{path} belongs to user {uid}: run `chown` so that it belongs to the user that the gate runs as", path = path.display())]
    Foreign {
        /// The file or directory.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Not what it should hold.
    #[error("{path} is damaged: {why}; restore it from a backup", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was expected.
        why: String,
    },
    /// Two at a time.
    #[error("another process is changing the keys in {path}: try again", path = path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// The files do not make a set.
    #[error("the keys in {path} do not go together: {why}", path = path.display())]
    Bad {
        /// The directory.
        path: PathBuf,
        /// Why.
        why: BadKey,
    },
    /// The master key is not here, but something is that hangs on one.
    #[error(
        "{path} has no master key: give it as it was given before (PANELGATE_MASTER_KEY, `master_key_file` or a systemd \
         credential), or restore the directory from a backup", path = path.display()
    )]
    NoMaster {
        /// The directory.
        path: PathBuf,
    },
}

/// `keys.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    access: Vec<Entry>,
    refresh: Vec<Entry>,
    /// Empty until the first rotation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    master: Vec<Entry>,
}

/// One key in `keys.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its id: part of the file name, `kid` of tokens.
    pub id: String,
    /// When it was made, in Unix seconds.
    pub made: u64,
    /// When it stops being used, in Unix seconds; `None` for the current key.
    pub retires: Option<u64>,
}

/// The keys there are, newest first.
#[derive(Clone, Debug, Serialize)]
pub struct Inventory {
    /// For access tokens and assertions.
    pub access: Vec<Entry>,
    /// For refresh tokens.
    pub refresh: Vec<Entry>,
    /// For sealing; empty if it was never rotated, or if it comes from outside.
    pub master: Vec<Entry>,
}

/// Reads the keys; makes the directory and a first set if there is none.
///
/// # Errors
/// When the directory or a file in it is open to others, damaged or missing.
pub fn load_or_create(dir: &Path, entropy: &dyn Entropy, now: Wall) -> Result<KeySet, KeyError> {
    load_or_create_under(dir, None, entropy, now)
}

/// [`load_or_create`] with a master key from outside, if one is given. Master keys in the directory then only open what
/// they sealed.
///
/// # Errors
/// As for [`load_or_create`].
pub fn load_or_create_under(
    dir: &Path,
    given: Option<&GivenMaster>,
    entropy: &dyn Entropy,
    now: Wall,
) -> Result<KeySet, KeyError> {
    let folder = Folder::open_or_make(dir)?;
    let manifest = match folder.manifest()? {
        Some(manifest) => manifest,
        None => create(&folder, given, entropy, now)?,
    };
    load(&folder, given, &manifest, now)
}

/// Lists the keys.
///
/// # Errors
/// When the directory cannot be read, or is open to others.
pub fn list(dir: &Path) -> Result<Inventory, KeyError> {
    let manifest = Folder::open(dir)?.existing_manifest()?;
    Ok(Inventory { access: manifest.access, refresh: manifest.refresh, master: manifest.master })
}

/// The files of the keys directory, as they are, and nobody changes them meanwhile.
pub struct Held {
    /// Name and content of each.
    pub files: Vec<(String, SecretBytes)>,
    _lock: File,
}

/// Reads the files as they are and keeps other processes from changing them until the result is dropped.
///
/// # Errors
/// When the directory cannot be read, is open to others, or another process is at it.
pub fn hold(dir: &Path) -> Result<Held, KeyError> {
    let folder = Folder::open(dir)?;
    let lock = folder.lock()?;
    let mut names = Vec::new();
    // Where no gate ever ran there is at most the key of the audit trail.
    if !folder.holds_at_most(AUDIT)? {
        let manifest = folder.existing_manifest()?;
        names.push(files::MANIFEST.to_owned());
        names.extend(manifest.access.iter().map(|entry| file_name("access", &entry.id)));
        names.extend(manifest.refresh.iter().map(|entry| file_name("refresh", &entry.id)));
        names.extend(master::own_files(&folder, &manifest.master));
    }
    names.extend(folder.has(AUDIT).then(|| AUDIT.to_owned()));
    let files = names.into_iter().map(|name| Ok((name.clone(), folder.read(&name)?)));
    Ok(Held { files: files.collect::<Result<_, KeyError>>()?, _lock: lock })
}

/// Makes new access and refresh keys the current ones. The old ones serve what they signed for another `keep`, which
/// must be no shorter than the longest session; keys that have retired are deleted. A running gate must reload.
///
/// # Errors
/// When the directory cannot be written, or another process is at it.
pub fn rotate(dir: &Path, entropy: &dyn Entropy, now: Wall, keep: Duration) -> Result<Inventory, KeyError> {
    let folder = Folder::open(dir)?;
    let _lock = folder.lock()?;
    let mut manifest = folder.existing_manifest()?;
    // A damaged set must not be made the past of a new one.
    signing(&folder, &manifest, now)?;
    master::check(&folder, &manifest.master)?;
    let retires = now.plus(keep).secs();
    let retired = [
        (manifest.access.turn_over(folder.new_access(entropy, now)?, retires, now), "access"),
        (manifest.refresh.turn_over(folder.new_refresh(entropy, now)?, retires, now), "refresh"),
    ];
    folder.write_manifest(&manifest)?;
    for (entries, kind) in retired {
        for entry in entries {
            folder.remove(&file_name(kind, &entry.id))?;
        }
    }
    Ok(Inventory { access: manifest.access, refresh: manifest.refresh, master: manifest.master })
}

trait TurnOver {
    /// Puts `new` first, gives the key before it an end, and takes out those that have reached theirs.
    fn turn_over(&mut self, new: Entry, retires: u64, now: Wall) -> Vec<Entry>;
}

impl TurnOver for Vec<Entry> {
    fn turn_over(&mut self, new: Entry, retires: u64, now: Wall) -> Vec<Entry> {
        for entry in &mut *self {
            entry.retires.get_or_insert(retires);
        }
        let retired = self.extract_if(.., |entry| entry.retires.is_some_and(|at| at <= now.secs())).collect();
        self.insert(0, new);
        retired
    }
}

fn create(
    folder: &Folder,
    given: Option<&GivenMaster>,
    entropy: &dyn Entropy,
    now: Wall,
) -> Result<Manifest, KeyError> {
    let _lock = folder.lock()?;
    if let Some(manifest) = folder.manifest()? {
        return Ok(manifest);
    }
    // An existing master key stays: everything sealed in the store hangs on it.
    if given.is_none() {
        folder.ensure_master(entropy)?;
    }
    let manifest = Manifest {
        access: vec![folder.new_access(entropy, now)?],
        refresh: vec![folder.new_refresh(entropy, now)?],
        master: vec![],
    };
    folder.write_manifest(&manifest)?;
    tracing::info!(directory = %folder.path().display(), "made the first keys; keep a backup of them");
    Ok(manifest)
}

fn load(
    folder: &Folder,
    given: Option<&GivenMaster>,
    manifest: &Manifest,
    now: Wall,
) -> Result<KeySet, KeyError> {
    let (access, refresh) = signing(folder, manifest, now)?;
    let (master, older) = master::read(folder, given, &manifest.master)?;
    let bad = |why| KeyError::Bad { path: folder.path().to_owned(), why };
    let set = KeySet::new(KeyMaterial { access, refresh, master }).map_err(bad)?;
    older.iter().try_fold(set, KeySet::opening).map_err(bad)
}

/// The keys that sign.
fn signing(
    folder: &Folder,
    manifest: &Manifest,
    now: Wall,
) -> Result<(Vec<AccessKey>, Vec<RefreshKey>), KeyError> {
    let access = manifest.access.iter().filter(|entry| in_use(entry, now)).map(|entry| {
        let pkcs8 = folder.read_pem(&file_name("access", &entry.id))?;
        Ok(AccessKey {
            kid: entry.id.clone(),
            pkcs8,
            until: entry.retires.map_or(Wall::NEVER, Wall::from_secs),
        })
    });
    let refresh = manifest.refresh.iter().filter(|entry| in_use(entry, now)).map(|entry| {
        let key = folder.read_key(&file_name("refresh", &entry.id))?;
        Ok(RefreshKey { id: entry.id.clone(), key })
    });
    Ok((access.collect::<Result<_, KeyError>>()?, refresh.collect::<Result<_, KeyError>>()?))
}

fn in_use(entry: &Entry, now: Wall) -> bool {
    entry.retires.is_none_or(|at| now.secs() < at)
}

fn file_name(kind: &'static str, id: &str) -> String {
    let ending = if kind == "access" { "pem" } else { "key" };
    format!("{kind}-{id}.{ending}")
}

impl Folder {
    fn new_access(&self, entropy: &dyn Entropy, now: Wall) -> Result<Entry, KeyError> {
        let entry = Entry::new(entropy, now);
        let key = AccessKey::from_seed(entry.id.clone(), entropy.array());
        self.write_pem(&file_name("access", &entry.id), &key.pkcs8)?;
        Ok(entry)
    }

    fn new_refresh(&self, entropy: &dyn Entropy, now: Wall) -> Result<Entry, KeyError> {
        let entry = Entry::new(entropy, now);
        let key = SecretBytes::new(entropy.array::<32>());
        self.write_key(&file_name("refresh", &entry.id), &key)?;
        Ok(entry)
    }

    fn ensure_master(&self, entropy: &dyn Entropy) -> Result<(), KeyError> {
        if self.has(MASTER) {
            self.read_key(MASTER).map(drop)
        } else {
            self.write_key(MASTER, &SecretBytes::new(entropy.array::<32>()))
        }
    }
}

impl Entry {
    fn new(entropy: &dyn Entropy, now: Wall) -> Self {
        Self { id: data_encoding::HEXLOWER.encode(&entropy.array::<6>()), made: now.secs(), retires: None }
    }
}
