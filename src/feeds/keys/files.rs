//! Reading and writing the files of the keys directory, none of them open to others.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use data_encoding::BASE64;
use jsonwebtoken::EncodingKey;
use rustix::fs::{FlockOperation, flock};
use zeroize::Zeroizing;

use super::{Entry, KeyError, Manifest};
use crate::secret::SecretBytes;

pub(super) const MANIFEST: &str = "keys.json";
/// Far more than any of the files has, in bytes.
const LARGEST: u64 = 64 * 1024;

/// The keys directory: checked to belong to us and to nobody else.
pub(super) struct Folder {
    path: PathBuf,
    handle: File,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, KeyError> {
        let handle = File::open(path).map_err(io("open", path))?;
        ours(&handle, path, "700")?;
        Ok(Self { path: path.to_owned(), handle })
    }

    pub(super) fn open_or_make(path: &Path) -> Result<Self, KeyError> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(io("make the directory", path)(error))
            }
            Ok(()) | Err(_) => Self::open(path),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.path.join(name).exists()
    }

    /// Keeps other processes from writing until it is dropped.
    pub(super) fn lock(&self) -> Result<File, KeyError> {
        // A handle of its own: a lock belongs to the open file, and goes with it.
        let handle = File::open(&self.path).map_err(io("open", &self.path))?;
        match flock(&handle, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(handle),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(KeyError::Busy { path: self.path.clone() }),
            Err(error) => Err(io("lock", &self.path)(error.into())),
        }
    }

    /// Whether there is no file of ours but this one.
    pub(super) fn holds_at_most(&self, name: &str) -> Result<bool, KeyError> {
        let entries = fs::read_dir(&self.path).map_err(io("read", &self.path))?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
        let names: Vec<_> = names.collect::<Result<_, _>>().map_err(io("read", &self.path))?;
        Ok(names.iter().all(|found| found == name))
    }

    pub(super) fn existing_manifest(&self) -> Result<Manifest, KeyError> {
        let missing = || io("open", &self.path.join(MANIFEST))(ErrorKind::NotFound.into());
        self.manifest()?.ok_or_else(missing)
    }

    /// `keys.json`, if it is there: at least one key of each kind, the first without an end, ids that are plain words.
    pub(super) fn manifest(&self) -> Result<Option<Manifest>, KeyError> {
        if !self.has(MANIFEST) {
            return Ok(None);
        }
        let text = self.read(MANIFEST)?;
        let manifest: Manifest = serde_json::from_slice(text.expose())
            .map_err(|error| self.malformed(MANIFEST, error.to_string()))?;
        let master = manifest.master.is_empty() || sound(&manifest.master);
        if sound(&manifest.access) && sound(&manifest.refresh) && master {
            Ok(Some(manifest))
        } else {
            Err(self
                .malformed(MANIFEST, "expected a current key, without `retires`, and then older ones".into()))
        }
    }

    pub(super) fn write_manifest(&self, manifest: &Manifest) -> Result<(), KeyError> {
        let text = serde_json::to_vec_pretty(manifest)
            .map_err(|error| self.malformed(MANIFEST, error.to_string()))?;
        let (new, path) = (self.path.join("keys.json.new"), self.path.join(MANIFEST));
        // What a crash left behind.
        if new.exists() {
            fs::remove_file(&new).map_err(io("remove", &new))?;
        }
        self.write("keys.json.new", &text)?;
        fs::rename(&new, &path).map_err(io("replace", &path))?;
        self.handle.sync_all().map_err(io("sync", &self.path))
    }

    pub(super) fn read_pem(&self, name: &str) -> Result<SecretBytes, KeyError> {
        let text = self.read(name)?;
        match EncodingKey::from_ed_pem(text.expose()) {
            Ok(key) => Ok(SecretBytes::new(key.as_bytes())),
            Err(_) => {
                Err(self
                    .malformed(name, "expected an Ed25519 private key as PEM (`BEGIN PRIVATE KEY`)".into()))
            }
        }
    }

    pub(super) fn write_pem(&self, name: &str, pkcs8: &SecretBytes) -> Result<(), KeyError> {
        let body = Zeroizing::new(BASE64.encode(pkcs8.expose()));
        let text = Zeroizing::new(format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            body.as_str()
        ));
        self.write(name, text.as_bytes())
    }

    /// 32 bytes in base64.
    pub(super) fn read_key(&self, name: &str) -> Result<SecretBytes, KeyError> {
        let text = self.read(name)?;
        match BASE64.decode(text.expose().trim_ascii()) {
            Ok(key) if key.len() == 32 => Ok(SecretBytes::new(key)),
            Ok(_) | Err(_) => Err(self.malformed(name, "expected 32 bytes in base64".into())),
        }
    }

    pub(super) fn write_key(&self, name: &str, key: &SecretBytes) -> Result<(), KeyError> {
        let text = Zeroizing::new(format!("{}\n", BASE64.encode(key.expose())));
        self.write(name, text.as_bytes())
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), KeyError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io("remove", &path)(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    pub(super) fn read(&self, name: &str) -> Result<SecretBytes, KeyError> {
        let path = self.path.join(name);
        let file = File::open(&path).map_err(io("open", &path))?;
        ours(&file, &path, "600")?;
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(LARGEST).read_to_end(&mut bytes).map_err(io("read", &path))?;
        Ok(SecretBytes::new(bytes.as_slice()))
    }

    /// A new file, on disk when this returns.
    fn write(&self, name: &str, text: &[u8]) -> Result<(), KeyError> {
        let path = self.path.join(name);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(io("make", &path))?;
        file.write_all(text).and_then(|()| file.sync_all()).map_err(io("write", &path))
    }

    fn malformed(&self, name: &str, why: String) -> KeyError {
        KeyError::Malformed { path: self.path.join(name), why }
    }
}

fn sound(entries: &[Entry]) -> bool {
    let word =
        |id: &str| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let [current, older @ ..] = entries else { return false };
    current.retires.is_none()
        && older.iter().all(|entry| entry.retires.is_some())
        && entries.iter().all(|entry| word(&entry.id))
}

/// Nobody else may read or replace it. Root may look at everybody's keys.
fn ours(file: &File, path: &Path, right: &'static str) -> Result<(), KeyError> {
    let about = file.metadata().map_err(io("look at", path))?;
    let us = rustix::process::geteuid().as_raw();
    if about.mode() & 0o077 != 0 {
        return Err(KeyError::TooOpen { path: path.to_owned(), mode: about.mode() & 0o777, right });
    }
    if us != 0 && about.uid() != us && about.uid() != 0 {
        return Err(KeyError::Foreign { path: path.to_owned(), uid: about.uid() });
    }
    Ok(())
}

fn io(what: &'static str, path: &Path) -> impl Fn(std::io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io { what, path: path.clone(), source }
}
