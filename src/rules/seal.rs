//! Sealing: authenticated encryption of small values under the master key, each purpose with a key of its own.

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Prk, Salt},
};

/// Seals and opens values with AES-256-GCM.
///
/// The key of a purpose is derived from the master key (HKDF-SHA256, RFC 5869), so that what was sealed for one
/// purpose opens for no other (R11), and random nonces of one purpose never meet those of another. The purpose is
/// authenticated as well. Cheap to clone.
///
/// The default sealer has no key: it seals nothing and opens nothing.
#[derive(Clone, Default)]
pub struct Sealer {
    root: Option<Arc<Prk>>,
}

impl Sealer {
    /// A sealer under this master key.
    pub fn new(key: [u8; 32]) -> Self {
        let root = Salt::new(HKDF_SHA256, b"panelgate/seal/1").extract(&key);
        Self { root: Some(Arc::new(root)) }
    }

    /// The nonce followed by ciphertext and tag. The nonce must be fresh random bytes at every call.
    ///
    /// Empty, which opens for nobody, if there is no key.
    pub fn seal(&self, purpose: &str, plain: &[u8], nonce: [u8; 12]) -> Vec<u8> {
        let Some(key) = self.key(purpose) else { return Vec::new() };
        let mut text = plain.to_vec();
        let aad = Aad::from(purpose.as_bytes());
        if key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text).is_err() {
            return Vec::new();
        }
        [nonce.as_slice(), &text].concat()
    }

    /// What was sealed for this purpose; `None` if anything at all is wrong with `sealed`.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let aad = Aad::from(purpose.as_bytes());
        let opened = self
            .key(purpose)?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut text)
            .ok()?
            .len();
        text.truncate(opened);
        Some(text)
    }

    fn key(&self, purpose: &str) -> Option<LessSafeKey> {
        let info = [purpose.as_bytes()];
        let derived = self.root.as_ref()?.expand(&info, &AES_256_GCM).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(derived)))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.root.is_some() { "Sealer(…)" } else { "Sealer(no key)" })
    }
}
