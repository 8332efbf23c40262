//! The file that names the last record, and the one that is being written.

use std::{fs, io, path::Path};

use data_encoding::HEXLOWER;

use super::reading::{files, hash_of};
use crate::rules::trail::{HeadFault, Link, PublicKey, Signer};

/// The file that names the last record.
pub const HEAD: &str = "head";

/// What it is.
pub(super) enum Head {
    Missing,
    Unreadable,
    Says(Said),
}

/// What it says.
pub(super) struct Said {
    last: Link,
    /// Heads of before there were signatures have an empty one.
    signature: String,
    /// What was being written behind it, which is there or not.
    next: Option<(Link, String)>,
}

impl Head {
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        let text = match fs::read(folder.join(HEAD)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Missing),
            Err(error) => return Err(error),
        };
        Ok(Self::parse(&text))
    }

    pub(super) fn parse(text: &[u8]) -> Self {
        Said::parse(text).map_or(Self::Unreadable, Self::Says)
    }

    /// The record that it vouches for, if one of these keys has signed all of it; without keys, the one that it names.
    ///
    /// # Errors
    /// When a file of the trail cannot be read.
    pub(super) fn vouches(&self, folder: &Path, keys: &[PublicKey]) -> io::Result<Result<Link, HeadFault>> {
        match self {
            Self::Missing => Ok(Err(HeadFault::Missing)),
            Self::Says(said) if keys.is_empty() || keys.iter().any(|key| said.is_signed_by(*key)) => {
                said.reached(folder).map(Ok)
            }
            Self::Unreadable | Self::Says(_) => Ok(Err(HeadFault::Forged)),
        }
    }
}

impl Said {
    /// Exactly as it is written: nothing in it may be changed unseen.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.strip_suffix('\n')?;
        let (first, second) = text.split_once('\n').map_or((text, None), |(one, two)| (one, Some(two)));
        let (last, signature) = link(first)?;
        let next = match second {
            Some(same) if same == first => None,
            Some(other) => Some(link(other)?),
            None => None,
        };
        Some(Self { last, signature, next })
    }

    fn is_signed_by(&self, key: PublicKey) -> bool {
        let next = self.next.as_ref();
        key.signed_head(self.last, &self.signature)
            && next.is_none_or(|(next, signature)| key.signed_next(self.last, *next, signature))
    }

    /// Whoever was killed while writing had signed both, and one of them is the end.
    fn reached(&self, folder: &Path) -> io::Result<Link> {
        let Some((next, _)) = self.next else { return Ok(self.last) };
        // It may have begun a file of its own meanwhile.
        let there =
            files(folder)?.iter().rev().take(2).any(|file| hash_of(file, next.seq) == Some(next.hash));
        Ok(if there { next } else { self.last })
    }
}

fn link(line: &str) -> Option<(Link, String)> {
    let (seq, rest) = line.split_once(' ')?;
    let (hash, signature) = rest.split_once(' ').unwrap_or((rest, ""));
    if seq.len() != 20 || !seq.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hash = HEXLOWER.decode(hash.as_bytes()).ok()?.try_into().ok()?;
    Some((Link { seq: seq.parse().ok()?, hash }, signature.to_owned()))
}

/// What the file says when nothing is being written.
pub fn head_text(last: Link, signer: &Signer) -> String {
    let line = text(last, &signer.head(last));
    line.clone() + &line
}

/// What it says while what leads to `next` is being written.
pub(super) fn head_text_before(last: Link, next: Link, signer: &Signer) -> String {
    text(last, &signer.head(last)) + &text(next, &signer.next(last, next))
}

fn text(link: Link, signature: &str) -> String {
    format!("{:020} {} {signature}\n", link.seq, HEXLOWER.encode(&link.hash))
}
