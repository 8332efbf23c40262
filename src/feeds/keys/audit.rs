//! The key that vouches for the audit trail: `audit.pem`. It signs nothing else, and is never rotated with the others.

use std::path::Path;

use super::{KeyError, files::Folder};
use crate::{
    entropy::Entropy,
    rules::{token::AccessKey, trail::Signer},
};

/// Its file.
pub const AUDIT: &str = "audit.pem";

/// Reads the key; makes it, and the directory, if there is none.
///
/// # Errors
/// When the directory or the file is open to others or damaged, or cannot be written.
pub fn load_or_create_signer(dir: &Path, entropy: &dyn Entropy) -> Result<Signer, KeyError> {
    let folder = Folder::open_or_make(dir)?;
    if let Some(signer) = read(&folder)? {
        return Ok(signer);
    }
    let key = AccessKey::from_seed(String::new(), entropy.array());
    match folder.write_pem(AUDIT, &key.pkcs8) {
        Ok(()) => {}
        // Somebody else has just made it.
        Err(KeyError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    read(&folder)?.ok_or_else(|| missing(&folder))
}

/// Reads the key; `None` if there is none.
///
/// # Errors
/// When the directory or the file is open to others or damaged.
pub fn signer(dir: &Path) -> Result<Option<Signer>, KeyError> {
    if dir.join(AUDIT).exists() { read(&Folder::open(dir)?) } else { Ok(None) }
}

fn read(folder: &Folder) -> Result<Option<Signer>, KeyError> {
    if !folder.has(AUDIT) {
        return Ok(None);
    }
    let key = folder.read_pem(AUDIT)?;
    let why = || "expected an Ed25519 private key as PEM (`BEGIN PRIVATE KEY`)".to_owned();
    let malformed = || KeyError::Malformed { path: folder.path().join(AUDIT), why: why() };
    Signer::new(&key).map(Some).ok_or_else(malformed)
}

fn missing(folder: &Folder) -> KeyError {
    let source = std::io::ErrorKind::NotFound.into();
    KeyError::Io { what: "open", path: folder.path().join(AUDIT), source }
}
