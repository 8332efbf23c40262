//! The file: `.tar.gz`, with the digest of itself at the end.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Component, Path},
};

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;
use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use tar::{Builder, EntryType, Header};

use super::manifest::{FORMAT, Made, Manifest, Member};

/// The member that describes the others.
const MANIFEST: &str = "manifest.json";
/// Far more than a manifest has.
const LONGEST_MANIFEST: u64 = 64 << 20;

/// A gzip member that holds nothing but a comment. Whoever unpacks the archive does not notice it.
const TRAILER_HEAD: &[u8] = b"\x1f\x8b\x08\x10\0\0\0\0\0\xffsha256:";
const TRAILER_TAIL: &[u8] = b"\0\x03\0\0\0\0\0\0\0\0\0";
const TRAILER: usize = TRAILER_HEAD.len() + 64 + TRAILER_TAIL.len();

/// Why a file is no backup that can be used.
#[derive(Debug, thiserror::Error)]
pub enum Bad {
    /// The system says no.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Not ours, or not all of it.
    #[error("it is no backup of panelgate, or its end is missing")]
    NoTrailer,
    /// Some bytes are not what was written.
    #[error("it is damaged: its digest is {found}, and it says {said}")]
    Digest {
        /// Of the bytes.
        found: String,
        /// At its end.
        said: String,
    },
    /// The bytes are what was written, and make no sense.
    #[error("it is not what panelgate writes: {0}")]
    Form(String),
    /// Made by a later version.
    #[error(
        "it has form {0}, and this panelgate knows up to {FORMAT}: restore it with the version that made it"
    )]
    Newer(u32),
}

/// Writes an archive.
pub(super) struct Packer<W: Write> {
    tar: Builder<GzEncoder<Digesting<W>>>,
    made: u64,
    members: Vec<Member>,
}

impl<W: Write> Packer<W> {
    pub(super) fn new(to: W, made: u64) -> Self {
        let tar = Builder::new(GzEncoder::new(Digesting::new(to), Compression::fast()));
        Self { tar, made, members: Vec::new() }
    }

    /// Adds a member of exactly so many bytes. `told` hears how many were read.
    pub(super) fn add(
        &mut self,
        name: &str,
        from: Option<String>,
        bytes: u64,
        content: impl Read,
        told: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut content =
            Watched { inner: content.take(bytes), digest: Context::new(&SHA256), read: 0, told };
        if !is_plain(name) {
            return Err(io::Error::other(format!("`{name}` is no name for a member of a backup")));
        }
        self.append(name, bytes, &mut content)?;
        if content.read != bytes {
            let why = format!("{name} became shorter while it was read ({} of {bytes} bytes)", content.read);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        let sha256 = HEXLOWER.encode(content.digest.finish().as_ref());
        self.members.push(Member { name: name.to_owned(), bytes, sha256, from });
        Ok(())
    }

    /// Ends the archive with its manifest, to which the members are added.
    pub(super) fn finish(mut self, mut manifest: Manifest) -> io::Result<Made> {
        manifest.members = std::mem::take(&mut self.members);
        let text = serde_json::to_vec_pretty(&manifest)?;
        self.append(MANIFEST, text.len() as u64, &mut text.as_slice())?;
        let Digesting { mut inner, digest, bytes } = self.tar.into_inner()?.finish()?;
        let id = HEXLOWER.encode(digest.finish().as_ref());
        inner.write_all(&trailer(&id))?;
        inner.flush()?;
        Ok(Made { id, bytes: bytes + TRAILER as u64, manifest })
    }

    fn append(&mut self, name: &str, bytes: u64, content: &mut dyn Read) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_mtime(self.made);
        self.tar.append_data(&mut header, name, content)
    }
}

/// Checks everything in the file: its own digest, and that of every member.
///
/// # Errors
/// With what is wrong with it.
pub fn verify(file: &mut File, told: &mut dyn FnMut(u64)) -> Result<Made, Bad> {
    let (id, bytes) = whole(file, told)?;
    let manifest = each_member(file, bytes, &mut |_, content| io::copy(content, &mut io::sink()).map(drop))?;
    Ok(Made { id, bytes, manifest })
}

/// Gives every member of a file that [`verify`] has found whole to `take`; what comes before an error is not to be kept.
pub(super) fn each_member(
    file: &mut File,
    bytes: u64,
    take: &mut dyn FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> Result<Manifest, Bad> {
    file.seek(SeekFrom::Start(0))?;
    let archive = GzDecoder::new(BufReader::new(file.take(bytes.saturating_sub(TRAILER as u64))));
    let mut archive = tar::Archive::new(archive);
    let (mut found, mut names) = (Vec::new(), BTreeSet::new());
    let mut manifest = None;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap_or_default();
        let regular = entry.header().entry_type() == EntryType::Regular;
        if manifest.is_some() || !regular || !is_plain(&name) || !names.insert(name.clone()) {
            return Err(Bad::Form(format!("the member `{name}` does not belong there")));
        }
        if name == MANIFEST {
            manifest = Some(read_manifest(&mut entry)?);
            continue;
        }
        let mut digest = Context::new(&SHA256);
        let mut content = Digested { inner: &mut entry, digest: &mut digest, read: 0 };
        take(&name, &mut content)?;
        // What was not taken counts as well.
        io::copy(&mut content, &mut io::sink())?;
        let length = content.read;
        found.push((name, length, HEXLOWER.encode(digest.finish().as_ref())));
    }
    let manifest: Manifest = manifest.ok_or_else(|| Bad::Form("it has no manifest".into()))?;
    let said: Vec<_> =
        manifest.members.iter().map(|one| (one.name.clone(), one.bytes, one.sha256.clone())).collect();
    if let Some((name, ..)) = found.iter().find(|one| !said.contains(one)) {
        return Err(Bad::Form(format!("`{name}` is not what the manifest says")));
    }
    if found.len() == said.len() { Ok(manifest) } else { Err(Bad::Form("members are missing".into())) }
}

/// The digest of everything but the trailer, if it is what the trailer says; and the length.
fn whole(file: &mut File, told: &mut dyn FnMut(u64)) -> Result<(String, u64), Bad> {
    let bytes = file.seek(SeekFrom::End(0))?;
    let body = bytes.checked_sub(TRAILER as u64).ok_or(Bad::NoTrailer)?;
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(body))?;
    file.read_to_end(&mut end)?;
    let said = end.strip_prefix(TRAILER_HEAD).and_then(|rest| rest.strip_suffix(TRAILER_TAIL));
    let said = said.and_then(|said| str::from_utf8(said).ok()).ok_or(Bad::NoTrailer)?;
    file.seek(SeekFrom::Start(0))?;
    let mut digest = Context::new(&SHA256);
    let mut rest = file.take(body);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = rest.read(&mut buffer)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else { break };
        digest.update(piece);
        told(read as u64);
    }
    let found = HEXLOWER.encode(digest.finish().as_ref());
    if found == said { Ok((found, bytes)) } else { Err(Bad::Digest { found, said: said.to_owned() }) }
}

/// Its form is looked at first: a later one may have other members.
fn read_manifest(content: &mut impl Read) -> Result<Manifest, Bad> {
    #[derive(serde::Deserialize)]
    struct Form {
        format: u32,
    }
    let mut text = Vec::new();
    content.take(LONGEST_MANIFEST).read_to_end(&mut text)?;
    let bad = |error: serde_json::Error| Bad::Form(format!("the manifest cannot be read ({error})"));
    let form: Form = serde_json::from_slice(&text).map_err(bad)?;
    if form.format > FORMAT {
        Err(Bad::Newer(form.format))
    } else {
        serde_json::from_slice(&text).map_err(bad)
    }
}

/// A name that leads nowhere but below the place where it is unpacked.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(|c: char| c.is_control() || c == '\\')
        && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

pub(super) fn trailer(id: &str) -> Vec<u8> {
    [TRAILER_HEAD, id.as_bytes(), TRAILER_TAIL].concat()
}

/// Digests what is written through it.
struct Digesting<W> {
    inner: W,
    digest: Context,
    bytes: u64,
}

impl<W> Digesting<W> {
    fn new(inner: W) -> Self {
        Self { inner, digest: Context::new(&SHA256), bytes: 0 }
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.digest.update(buffer.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Digests what is read through it, and tells how much that was.
struct Watched<'a, R> {
    inner: R,
    digest: Context,
    read: u64,
    told: &'a mut dyn FnMut(u64) -> io::Result<()>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.digest.update(buffer.get(..read).unwrap_or_default());
        self.read += read as u64;
        (self.told)(read as u64)?;
        Ok(read)
    }
}

/// The same, for what is only counted.
struct Digested<'a, R> {
    inner: &'a mut R,
    digest: &'a mut Context,
    read: u64,
}

impl<R: Read> Read for Digested<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.digest.update(buffer.get(..read).unwrap_or_default());
        self.read += read as u64;
        Ok(read)
    }
}
