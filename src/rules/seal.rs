//! Sealing: authenticated encryption of small values under the master key, each purpose with a key of its own.

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{SHA256, digest},
    hkdf::{HKDF_SHA256, KeyType, Prk, Salt},
};
use zeroize::Zeroizing;

/// Which master key sealed a text: the first bytes of a digest of it.
type KeyId = [u8; 8];

/// Seals and opens values with AES-256-GCM.
///
/// The key of a purpose is derived from the master key (HKDF-SHA256, RFC 5869), so that what was sealed for one
/// purpose opens for no other (R11), and random nonces of one purpose never meet those of another. The purpose is
/// authenticated as well. The id of the master key stands in front, so that a rotation knows what is left to do; texts
/// from before there were ids open, too. Cheap to clone.
///
/// The default sealer has no key: it seals nothing and opens nothing.
#[derive(Clone, Default)]
pub struct Sealer {
    /// The first seals; the others only open.
    ring: Arc<[MasterKey]>,
}

#[derive(Clone)]
struct MasterKey {
    id: KeyId,
    root: Prk,
}

/// What became of a sealed value in a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resealed {
    /// It is sealed with the current key already.
    Current,
    /// The same value under the current key.
    New(Vec<u8>),
    /// No key opens it.
    Lost,
}

impl Sealer {
    /// A sealer under this master key.
    pub fn new(key: [u8; 32]) -> Self {
        Self { ring: Arc::new([MasterKey::new(key)]) }
    }

    /// The same, and what this older key sealed opens as well.
    pub fn opening(&self, older: [u8; 32]) -> Self {
        let older = MasterKey::new(older);
        let known = self.ring.iter().any(|key| key.id == older.id);
        let ring = self.ring.iter().cloned().chain((!known).then_some(older));
        Self { ring: ring.collect() }
    }

    /// The key's id and the nonce, followed by ciphertext and tag. The nonce must be fresh random bytes at every call.
    ///
    /// Empty, which opens for nobody, if there is no key.
    pub fn seal(&self, purpose: &str, plain: &[u8], nonce: [u8; 12]) -> Vec<u8> {
        let Some(master) = self.ring.first() else { return Vec::new() };
        let Some(key) = master.of(purpose) else { return Vec::new() };
        let mut text = Zeroizing::new(plain.to_vec());
        let aad = Aad::from(purpose.as_bytes());
        if key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut *text).is_err() {
            return Vec::new();
        }
        [master.id.as_slice(), &nonce, &text].concat()
    }

    /// What was sealed for this purpose; `None` if anything at all is wrong with `sealed`.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        self.open_by_id(purpose, sealed)
            .or_else(|| self.ring.iter().find_map(|master| master.open(purpose, sealed)))
    }

    /// The same value under the current key, if it is not there yet. The nonce must be fresh random bytes.
    pub fn reseal(&self, purpose: &str, sealed: &[u8], nonce: [u8; 12]) -> Resealed {
        let (Some(current), Some(plain)) =
            (self.ring.first(), self.open(purpose, sealed).map(Zeroizing::new))
        else {
            return Resealed::Lost;
        };
        if sealed.starts_with(&current.id) && self.open_by_id(purpose, sealed).is_some() {
            return Resealed::Current;
        }
        Resealed::New(self.seal(purpose, &plain, nonce))
    }

    /// A digest that nobody can compute without the master key; another one after a rotation, and all the same without
    /// a key.
    pub fn digest(&self, purpose: &str, text: &[u8]) -> [u8; 16] {
        let mut digest = [0; 16];
        if let Some(master) = self.ring.first() {
            // Two purposes of different lengths never run into one another.
            let info = [purpose.as_bytes(), &[0], text];
            // Sixteen bytes are never too many for HKDF.
            let _ = master.root.expand(&info, Sixteen).and_then(|okm| okm.fill(&mut digest));
        }
        digest
    }

    fn open_by_id(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (id, sealed) = sealed.split_first_chunk::<8>()?;
        self.ring.iter().find(|master| master.id == *id)?.open(purpose, sealed)
    }
}

struct Sixteen;

impl KeyType for Sixteen {
    fn len(&self) -> usize {
        16
    }
}

impl MasterKey {
    fn new(key: [u8; 32]) -> Self {
        let key = Zeroizing::new(key);
        let named = Zeroizing::new([b"panelgate/seal/key-id".as_slice(), &*key].concat());
        let mut id = KeyId::default();
        for (into, from) in id.iter_mut().zip(digest(&SHA256, &named).as_ref()) {
            *into = *from;
        }
        Self { id, root: Salt::new(HKDF_SHA256, b"panelgate/seal/1").extract(&*key) }
    }

    /// Opens a nonce followed by ciphertext and tag.
    fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let aad = Aad::from(purpose.as_bytes());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.of(purpose)?.open_in_place(nonce, aad, &mut text).ok()?.len();
        text.truncate(opened);
        Some(text)
    }

    fn of(&self, purpose: &str) -> Option<LessSafeKey> {
        let info = [purpose.as_bytes()];
        let derived = self.root.expand(&info, &AES_256_GCM).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(derived)))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.ring.is_empty() { "Sealer(no key)" } else { "Sealer(…)" })
    }
}
