//! Who vouches for the trail: signatures with a key of its own, which signs nothing else.
//!
//! A checkpoint is a record whose signature covers its number, its time and the hash of the record before, and with that
//! everything before it. What the file `head` says is signed as well, so that nobody without the key can write a new end.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use data_encoding::{BASE64, HEXLOWER};

use super::{Fields, Link, Record, hash};
use crate::secret::SecretBytes;

/// The event of a signed record.
pub const CHECKPOINT: &str = "checkpoint";

/// What is signed begins with what it is, so that no signature can stand for another thing.
const OF_CHECKPOINT: &[u8] = b"panelgate audit checkpoint 1\0";
const OF_HEAD: &[u8] = b"panelgate audit head 1\0";
const OF_NEXT: &[u8] = b"panelgate audit next 1\0";
const OF_HELD: &[u8] = b"panelgate audit held 1\0";

/// The key that vouches.
pub struct Signer {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// What its signatures are checked with: 32 bytes, written in base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl Signer {
    /// From an Ed25519 key in PKCS #8; `None` if it is none.
    pub fn new(pkcs8: &SecretBytes) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8.expose()).ok()?;
        let public = pair.public_key().as_ref().try_into().ok()?;
        Some(Self { pair, public: PublicKey(public) })
    }

    /// What its signatures are checked with.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// What the record after `link` says when it is a checkpoint of the time `at`, as the record writes it.
    pub fn checkpoint(&self, link: Link, at: &str) -> Fields {
        let signature = self.pair.sign(&of_checkpoint(link.seq + 1, &link.hash, at));
        let mut fields = Fields::new();
        fields.insert("key".into(), self.public.id().into());
        fields.insert("signature".into(), BASE64.encode(signature.as_ref()).into());
        fields
    }

    /// The signature under a head, in base64.
    pub fn head(&self, link: Link) -> String {
        self.sign(&of_head(link))
    }

    /// The signature under what is about to be written behind `last`, in base64.
    pub fn next(&self, last: Link, next: Link) -> String {
        self.sign(&of_next(last, next))
    }

    /// The signature under records that wait to be written behind `last`, and how many are lost, in base64.
    pub fn held(&self, last: Link, lost: u64, records: &[u8]) -> String {
        self.sign(&of_held(last, lost, records))
    }

    fn sign(&self, message: &[u8]) -> String {
        BASE64.encode(self.pair.sign(message).as_ref())
    }
}

impl PublicKey {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        BASE64.decode(text.trim().as_bytes()).ok()?.try_into().ok().map(Self)
    }

    /// Its name in records.
    pub fn id(&self) -> String {
        let mut id = HEXLOWER.encode(&hash(&self.0));
        id.truncate(16);
        id
    }

    /// Whether a checkpoint is signed by its private half.
    pub fn signed(&self, record: &Record) -> bool {
        let signature = record.text("signature").and_then(|text| BASE64.decode(text.as_bytes()).ok());
        // Nothing else may stand in it: it would not be signed.
        let bare = record.fields.len() == 2 && record.text("key") == Some(self.id());
        signature.filter(|_| bare).is_some_and(|signature| {
            self.vouches(&of_checkpoint(record.seq, &record.prev, &record.at), &signature)
        })
    }

    /// Whether what a head says is signed by its private half; the signature is in base64.
    pub fn signed_head(&self, link: Link, signature: &str) -> bool {
        let signature = BASE64.decode(signature.as_bytes());
        signature.is_ok_and(|signature| self.vouches(&of_head(link), &signature))
    }

    /// The same of [`Signer::next`].
    pub fn signed_next(&self, last: Link, next: Link, signature: &str) -> bool {
        let signature = BASE64.decode(signature.as_bytes());
        signature.is_ok_and(|signature| self.vouches(&of_next(last, next), &signature))
    }

    /// The same of [`Signer::held`].
    pub fn signed_held(&self, last: Link, lost: u64, records: &[u8], signature: &str) -> bool {
        let signature = BASE64.decode(signature.as_bytes());
        signature.is_ok_and(|signature| self.vouches(&of_held(last, lost, records), &signature))
    }

    fn vouches(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(&self.0))
    }
}

fn of_checkpoint(seq: u64, prev: &[u8; 32], at: &str) -> Vec<u8> {
    [OF_CHECKPOINT, &seq.to_be_bytes(), prev, at.as_bytes()].concat()
}

fn of_head(link: Link) -> Vec<u8> {
    [OF_HEAD, &link.seq.to_be_bytes(), &link.hash].concat()
}

fn of_next(last: Link, next: Link) -> Vec<u8> {
    [OF_NEXT, &last.seq.to_be_bytes(), &last.hash, &next.seq.to_be_bytes(), &next.hash].concat()
}

fn of_held(last: Link, lost: u64, records: &[u8]) -> Vec<u8> {
    [OF_HELD, &last.seq.to_be_bytes(), &last.hash, &lost.to_be_bytes(), &hash(records)].concat()
}
