//! The text of an API key: `gate_`, 43 characters of 256 random bits, and a checksum, so that a secret scanner knows
//! one offline and a key that was copied without its end is told from one that was revoked.

#[cfg(test)]
mod tests;

use super::KeyId;
use crate::secret::SecretText;

/// How every key begins, and nothing else should.
pub const PREFIX: &str = "gate_";

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^43 is just above 2^256.
const RANDOM: usize = 43;
/// 62^6 is above 2^32.
const CHECKSUM: usize = 6;

/// A key as its owner keeps it: `gate_[0-9A-Za-z]{49}`. Shown once, when it is made; what is kept is its [`KeyId`].
#[derive(Clone, Debug)]
pub struct KeyText(SecretText);

impl KeyText {
    /// A new key out of fresh random bytes.
    pub fn generate(entropy: [u8; 32]) -> Self {
        let random = base62::<RANDOM>(entropy);
        Self(SecretText::from(format!("{PREFIX}{random}{}", checksum(&random))))
    }

    /// The id of a presented key; `None` for anything but the exact spelling of one. The checksum comes first: most of
    /// what is not a key costs no hash and no lookup.
    pub fn parse(text: &str) -> Option<KeyId> {
        let body = text.strip_prefix(PREFIX)?;
        let (random, sum) = body.split_at_checked(RANDOM)?;
        let plain = body.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (plain && sum == checksum(random)).then(|| KeyId::of(text))
    }

    /// The text itself. To be shown to its owner once, and never to be logged.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What is kept of it.
    pub fn id(&self) -> KeyId {
        KeyId::of(self.expose())
    }
}

/// CRC-32 of the random characters, in base 62.
fn checksum(random: &str) -> String {
    base62::<CHECKSUM>(crc32fast::hash(random.as_bytes()).to_be_bytes())
}

/// A big-endian number in `LENGTH` digits of base 62, with leading zeros.
fn base62<const LENGTH: usize>(mut number: impl AsMut<[u8]>) -> String {
    let mut digits = [b'0'; LENGTH];
    for digit in digits.iter_mut().rev() {
        let rest = number.as_mut().iter_mut().fold(0_u16, |rest, byte| {
            let value = (rest << 8) | u16::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or_default();
            value % 62
        });
        *digit = ALPHABET.get(usize::from(rest)).copied().unwrap_or(b'0');
    }
    digits.iter().copied().map(char::from).collect()
}
