//! Making a backup, beside a gate that goes on.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    ops::ControlFlow,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    container::{Packer, is_plain},
    manifest::{FORMAT, Made, Manifest},
    place::{AUDIT, JOURNAL, KEYS, STORE},
};
use crate::{
    app::compose,
    clock::{Clock, SystemClock},
    config::{self, Environment, FileKind},
    feeds::{files, keys},
    store::{Copied, RedbStore},
    telemetry::{self, trail},
};

/// Entries between two looks at whether anybody still waits.
const LOOK_EVERY: u64 = 16_384;

/// What is to be in it beside what always is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contents {
    /// The journal of decisions.
    pub journal: bool,
}

/// A gate that can be backed up.
pub struct Source {
    /// Its store.
    pub store: RedbStore,
    /// Where everything is.
    pub data_dir: PathBuf,
    /// The configuration file.
    pub config: PathBuf,
    /// What overrides it.
    pub environment: Environment,
}

/// A file that goes in.
struct Piece {
    name: String,
    from: Option<String>,
    bytes: u64,
    content: Content,
}

enum Content {
    Text(Vec<u8>),
    File(File),
}

/// The configuration as it is on the disk.
struct Written {
    pieces: Vec<Piece>,
    digest: Option<Arc<str>>,
    master_key_from: Option<String>,
    left_out: Vec<String>,
}

/// Makes a backup and writes it to `out`. Blocks. `told` hears how many bytes of how many are done, and ends it with an
/// error. `in_force` is the digest of the configuration that is.
///
/// The keys first, and held fast until the store is: so whatever is sealed in the store can be opened. The audit trail
/// last, so that it knows what is in the store.
///
/// # Errors
/// When something cannot be read or written. What `out` has got then is of no use.
pub fn make(
    source: &Source,
    contents: Contents,
    in_force: Option<&str>,
    out: impl Write,
    told: &mut dyn FnMut(u64, u64) -> io::Result<()>,
) -> io::Result<Made> {
    let made = SystemClock::new().wall().secs();
    let config = written(&source.config, &source.environment)?;
    let keys_dir = compose::keys_dir(&source.data_dir);
    // A gate that never ran has none.
    let held = keys_dir.try_exists()?.then(|| keys::hold(&keys_dir)).transpose().map_err(io::Error::other)?;
    let mut pieces: Vec<Piece> = Vec::new();
    let frozen = source.store.freeze().map_err(io::Error::other)?;
    for (name, content) in held.iter().flat_map(|held| &held.files) {
        pieces.push(Piece::text(format!("{KEYS}/{name}"), content.expose().to_vec()));
    }
    drop(held);
    let (store, copied) = copy(&frozen, &source.data_dir, told)?;
    drop(frozen);
    pieces.insert(0, store);
    if !telemetry::flush() {
        return Err(io::Error::other("the audit trail is not being written; see the log"));
    }
    let (trail, end, head) = trail::pieces(&trail::folder(&source.data_dir))?;
    for piece in trail {
        pieces.push(Piece::file(AUDIT, &piece.path, Some(piece.bytes))?);
    }
    pieces.push(Piece::text(format!("{AUDIT}/{}", trail::HEAD), head));
    if contents.journal {
        pieces.extend(journal(&source.data_dir)?);
    }
    pieces.extend(config.pieces);
    let manifest = Manifest {
        format: FORMAT,
        panelgate: env!("CARGO_PKG_VERSION").to_owned(),
        made,
        store: copied.into(),
        trail: end.into(),
        configuration_in_force: in_force.is_none() || in_force == config.digest.as_deref(),
        master_key_from: config.master_key_from,
        left_out: config.left_out,
        members: vec![],
    };
    pack(pieces, manifest, out, told)
}

fn pack(
    pieces: Vec<Piece>,
    manifest: Manifest,
    out: impl Write,
    told: &mut dyn FnMut(u64, u64) -> io::Result<()>,
) -> io::Result<Made> {
    let total = pieces.iter().map(|piece| piece.bytes).sum();
    let mut packer = Packer::new(out, manifest.made);
    let mut done = 0;
    for Piece { name, from, bytes, content } in pieces {
        let mut count = |read| {
            done += read;
            told(done, total)
        };
        match content {
            Content::Text(text) => packer.add(&name, from, bytes, text.as_slice(), &mut count)?,
            Content::File(file) => packer.add(&name, from, bytes, FromStart { file, at: 0 }, &mut count)?,
        }
    }
    packer.finish(manifest)
}

/// The store goes into a file without a name: whatever happens, nothing of it is left lying about.
fn copy(
    frozen: &crate::store::Frozen,
    data_dir: &Path,
    told: &mut dyn FnMut(u64, u64) -> io::Result<()>,
) -> io::Result<(Piece, Copied)> {
    let file = tempfile::tempfile_in(data_dir)?;
    let (mut last, mut stopped) = (0, None);
    let copied = frozen.copy_into(file.try_clone()?, &mut |done| {
        if done / LOOK_EVERY == last {
            return ControlFlow::Continue(());
        }
        last = done / LOOK_EVERY;
        match told(0, 0) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                stopped = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    let copied = copied.map_err(|error| stopped.take().unwrap_or_else(|| io::Error::other(error)))?;
    let bytes = file.metadata()?.len();
    Ok((Piece { name: STORE.to_owned(), from: None, bytes, content: Content::File(file) }, copied))
}

/// A file of the journal may go while they are listed: it was the oldest.
fn journal(data_dir: &Path) -> io::Result<Vec<Piece>> {
    let folder = compose::journal_dir(data_dir);
    let mut pieces = Vec::new();
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(pieces),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != "journal") {
            continue;
        }
        match Piece::file(JOURNAL, &path, None) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            piece => pieces.push(piece?),
        }
    }
    pieces.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(pieces)
}

/// The configuration with its policies and their tests, and what it names beside those.
fn written(config: &Path, environment: &Environment) -> io::Result<Written> {
    // As it was named, it may be relative; what it names is not.
    let config = std::path::absolute(config)?;
    let examined = config::examine(&config, environment);
    let settings = examined.settings.as_ref();
    let base = config.parent().unwrap_or(Path::new("/"));
    let mut files = vec![config.clone()];
    let mut left_out = Vec::new();
    for named in examined.named {
        let what = match named.kind {
            FileKind::Policy => {
                files.push(named.path.clone());
                let tests = named.path.with_extension("test.yaml");
                files.extend(tests.is_file().then_some(tests));
                continue;
            }
            // It is public, and without it nobody comes in with a token of its issuer.
            FileKind::KeySet if named.path.is_file() => {
                files.push(named.path.clone());
                continue;
            }
            FileKind::KeySet => "the key set in",
            FileKind::DataDir | FileKind::AdminSocket => continue,
            FileKind::Secret => "the secret in",
            FileKind::Key => "the private key in",
            FileKind::Certificate => "the certificate in",
            FileKind::CertificateFolder => "the certificates in",
            FileKind::Places => "the database of places,",
            FileKind::Systems => "the database of autonomous systems,",
        };
        left_out.push(format!("{what} {}", named.path.display()));
    }
    let overrides =
        environment.keys().filter(|name| name.starts_with("PANELGATE_") && *name != "PANELGATE_CONFIG");
    left_out.extend(overrides.map(|name| format!("the environment variable {name}")));
    let master_key_from = settings.and_then(|found| found.master_key.as_ref()).map(|key| key.from.clone());
    left_out.extend(master_key_from.iter().map(|from| format!("the master key, which comes from {from}")));
    files.sort();
    files.dedup();
    left_out.sort();
    left_out.dedup();
    let pieces = files.iter().enumerate().map(|(number, path)| config_piece(base, number, path));
    let digest = settings.map(|found| Arc::clone(&found.outline.digest));
    Ok(Written { pieces: pieces.collect::<io::Result<_>>()?, digest, master_key_from, left_out })
}

/// Below `config/` as it lies below the folder of the configuration.
fn config_piece(base: &Path, number: usize, path: &Path) -> io::Result<Piece> {
    let text = files::read(path).map_err(|error| named(path, &error))?;
    let below = path.strip_prefix(base).ok().map(|below| below.display().to_string());
    let below = below.filter(|below| is_plain(below));
    let file = || path.file_name().unwrap_or_default().to_string_lossy();
    let name = below.unwrap_or_else(|| format!("elsewhere/{number}-{}", file()));
    let mut piece = Piece::text(format!("config/{name}"), text);
    piece.from = Some(path.display().to_string());
    Ok(piece)
}

impl Piece {
    fn text(name: String, text: Vec<u8>) -> Self {
        Self { name, from: None, bytes: text.len() as u64, content: Content::Text(text) }
    }

    /// As long as it is now: what is appended meanwhile belongs to the next backup.
    fn file(folder: &str, path: &Path, bytes: Option<u64>) -> io::Result<Self> {
        let file = File::open(path).map_err(|error| named(path, &error))?;
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => file.metadata()?.len(),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self { name: format!("{folder}/{name}"), from: None, bytes, content: Content::File(file) })
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Reads by position: the handle may be shared with whoever wrote the file.
struct FromStart {
    file: File,
    at: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
