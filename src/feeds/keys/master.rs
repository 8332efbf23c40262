//! Master keys: the file `master.key`, its successors `master-ID.key`, or one that is given from outside.
//!
//! The current one seals; older ones open what they sealed until everything is sealed again and they are dropped.

use std::path::Path;

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};

use super::{Entry, KeyError, TurnOver, files::Folder};
use crate::{clock::Wall, entropy::Entropy, secret::SecretBytes};

/// The file of the first one.
pub(super) const MASTER: &str = "master.key";
/// The id of the first one, which was made without.
const FIRST: &str = "first";

/// A master key from outside the keys directory.
#[derive(Clone, Debug)]
pub struct GivenMaster {
    /// Where it comes from, for people.
    pub from: String,
    /// Seals and opens.
    pub current: SecretBytes,
    /// Opens what it sealed: the one before, while a rotation is under way.
    pub older: Option<SecretBytes>,
}

/// 32 bytes as people write them: in base64, or as 64 hexadecimal digits.
pub fn parse(text: &str) -> Option<SecretBytes> {
    let text = text.trim().as_bytes();
    let bytes = if text.len() == 64 { HEXLOWER_PERMISSIVE.decode(text) } else { BASE64.decode(text) };
    bytes.ok().filter(|key| key.len() == 32).map(SecretBytes::new)
}

/// Makes a new master key the current one; what the others sealed still opens. `false`: an older one is there already,
/// so that a rotation is under way; nothing was made. A running gate must reload.
///
/// # Errors
/// When the directory cannot be written, or there is no master key in it.
pub fn rotate_master(dir: &Path, entropy: &dyn Entropy, now: Wall) -> Result<bool, KeyError> {
    let folder = Folder::open(dir)?;
    let _lock = folder.lock()?;
    let mut manifest = folder.existing_manifest()?;
    if manifest.master.is_empty() {
        manifest.master.push(Entry { id: FIRST.to_owned(), made: 0, retires: None });
    }
    // A damaged key must not become one that opens.
    check(&folder, &manifest.master)?;
    if manifest.master.len() > 1 {
        return Ok(false);
    }
    let entry = Entry::new(entropy, now);
    folder.write_key(&file_name(&entry.id), &SecretBytes::new(entropy.array::<32>()))?;
    // Master keys have no time of their own: they go when nothing is sealed with them any more.
    manifest.master.turn_over(entry, u64::MAX, now);
    folder.write_manifest(&manifest)?;
    Ok(true)
}

/// Deletes every master key that is not the current one; all of them, if one is given from outside. How many went. The
/// caller has made sure that nothing is sealed with them. A running gate must reload.
///
/// # Errors
/// When the directory cannot be written.
pub fn drop_old_master(dir: &Path, given: Option<&GivenMaster>) -> Result<usize, KeyError> {
    let folder = Folder::open(dir)?;
    let _lock = folder.lock()?;
    let mut manifest = folder.existing_manifest()?;
    let kept = usize::from(given.is_none());
    let mut gone: Vec<String> = manifest.master.iter().skip(kept).map(|entry| file_name(&entry.id)).collect();
    if given.is_some() && manifest.master.is_empty() {
        gone.push(MASTER.to_owned());
    }
    gone.retain(|name| folder.has(name));
    manifest.master.truncate(kept);
    folder.write_manifest(&manifest)?;
    for name in &gone {
        folder.remove(name)?;
    }
    Ok(gone.len())
}

/// The key that seals, and those that only open.
pub(super) fn read(
    folder: &Folder,
    given: Option<&GivenMaster>,
    entries: &[Entry],
) -> Result<(SecretBytes, Vec<SecretBytes>), KeyError> {
    let mut own = read_own(folder, entries)?;
    if let Some(given) = given {
        own.extend(given.older.clone());
        return Ok((given.current.clone(), own));
    }
    if own.is_empty() {
        return Err(KeyError::NoMaster { path: folder.path().to_owned() });
    }
    let current = own.remove(0);
    Ok((current, own))
}

/// Whether those that are here can be read.
pub(super) fn check(folder: &Folder, entries: &[Entry]) -> Result<(), KeyError> {
    read_own(folder, entries).map(drop)
}

fn read_own(folder: &Folder, entries: &[Entry]) -> Result<Vec<SecretBytes>, KeyError> {
    if entries.is_empty() {
        return if folder.has(MASTER) { Ok(vec![folder.read_key(MASTER)?]) } else { Ok(vec![]) };
    }
    entries.iter().map(|entry| folder.read_key(&file_name(&entry.id))).collect()
}

/// The names of those that are here.
pub(super) fn own_files(folder: &Folder, entries: &[Entry]) -> Vec<String> {
    if entries.is_empty() {
        return if folder.has(MASTER) { vec![MASTER.to_owned()] } else { vec![] };
    }
    entries.iter().map(|entry| file_name(&entry.id)).collect()
}

fn file_name(id: &str) -> String {
    if id == FIRST { MASTER.to_owned() } else { format!("master-{id}.key") }
}
