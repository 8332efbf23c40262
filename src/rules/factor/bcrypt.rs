//! bcrypt in pieces. The cipher is the `blowfish` library's; the loop around it is here because a thread that hashes for a
//! quarter of a second without a pause keeps its core from everybody else: whoever wakes up has to wait until the kernel
//! takes the core away, a millisecond or more, however nice the thread is.

use std::sync::LazyLock;

use blowfish::Blowfish;
use data_encoding::{Encoding, Specification};
use zeroize::Zeroizing;

use super::password::LONGEST;
use crate::secret::same;

/// How a hash is written: `$2b$`, two digits of cost, `$`, 22 letters of salt and 31 of digest.
const LENGTH: usize = 60;
const SALT_LETTERS: usize = 22;
const PREFIXES: [&str; 3] = ["$2a$", "$2b$", "$2y$"];

/// base64 with letters of its own.
static LETTERS: LazyLock<Option<Encoding>> = LazyLock::new(|| {
    let mut letters = Specification::new();
    letters.symbols.push_str("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
    letters.encoding().ok()
});

/// A hash that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hash {
    pub(super) cost: u32,
    salt: [u8; 16],
    digest: [u8; 23],
}

impl Hash {
    /// Hashes a password of 1 to 72 bytes. `pause` comes after each of the 2^cost rounds.
    pub(super) fn of(password: &str, cost: u32, salt: [u8; 16], pause: impl FnMut()) -> Self {
        Self { cost, salt, digest: digest(password, cost, &salt, pause) }
    }

    /// Reads `$2a$`, `$2b$` and `$2y$`, which mean the same: the differences were bugs in what came after 72 bytes or
    /// was not ASCII.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let prefix = PREFIXES.iter().find(|prefix| text.starts_with(**prefix))?;
        let (cost, letters) = text.get(prefix.len()..).filter(|_| text.len() == LENGTH)?.split_once('$')?;
        let cost =
            cost.parse().ok().filter(|_| cost.len() == 2 && cost.bytes().all(|b| b.is_ascii_digit()))?;
        let (salt, digest) = letters.split_at_checked(SALT_LETTERS)?;
        let encoding = LETTERS.as_ref()?;
        let salt = encoding.decode(salt.as_bytes()).ok()?.try_into().ok()?;
        let digest = encoding.decode(digest.as_bytes()).ok()?.try_into().ok()?;
        Some(Self { cost, salt, digest })
    }

    /// Whether a password of 1 to 72 bytes has this hash. `pause` comes after each of the 2^cost rounds.
    pub(super) fn is_of(&self, password: &str, pause: impl FnMut()) -> bool {
        same(&digest(password, self.cost, &self.salt, pause), &self.digest)
    }

    /// As it is kept.
    pub(super) fn text(&self) -> String {
        let letters = |bytes| LETTERS.as_ref().map(|letters| letters.encode(bytes)).unwrap_or_default();
        format!("$2b${:02}${}{}", self.cost, letters(&self.salt), letters(&self.digest))
    }
}

/// "A Future-Adaptable Password Scheme" (Provos and Mazières, 1999), section 4.
fn digest(password: &str, cost: u32, salt: &[u8; 16], mut pause: impl FnMut()) -> [u8; 23] {
    let mut key = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    key.extend_from_slice(password.as_bytes());
    key.push(0);
    key.truncate(LONGEST);
    let mut state = Blowfish::bc_init_state();
    state.salted_expand_key(salt, &key);
    for _ in 0..1_u64 << cost.min(31) {
        state.bc_expand_key(&key);
        state.bc_expand_key(salt);
        pause();
    }
    let mut digest = [0; 24];
    for (block, out) in b"OrpheanBeholderScryDoubt".chunks_exact(8).zip(digest.chunks_exact_mut(8)) {
        let mut halves = [0, 4].map(|at| block.get(at..at + 4).map_or(0, big_endian));
        for _ in 0..64 {
            halves = state.bc_encrypt(halves);
        }
        out.copy_from_slice(halves.map(u32::to_be_bytes).as_flattened());
    }
    // The last byte was forgotten in the first program that wrote these hashes, and so by all.
    digest.first_chunk().copied().unwrap_or_default()
}

fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |word, byte| (word << 8) | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Hash;

    fn nothing() {}

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_bcrypt_library_says_the_same(password in "[^\0]{1,18}", salt: [u8; 16], cost in 4_u32..=6) {
            let ours = Hash::of(&password, cost, salt, nothing).text();
            let theirs = bcrypt::hash_with_salt(&password, cost, salt).unwrap();
            prop_assert_eq!(&ours, &theirs.format_for_version(bcrypt::Version::TwoB));
            prop_assert!(bcrypt::verify(&password, &ours).unwrap());
            prop_assert!(Hash::parse(&ours).unwrap().is_of(&password, nothing));
            prop_assert_eq!(Hash::parse(&ours).unwrap().text(), ours);
        }
    }

    #[test]
    fn exactly_72_bytes_are_a_whole_key_for_both() {
        for length in [71, 72] {
            let password = "x".repeat(length);
            let theirs = bcrypt::hash_with_salt(&password, 4, [3; 16]).unwrap();
            let ours = Hash::of(&password, 4, [3; 16], nothing).text();
            assert_eq!(ours, theirs.format_for_version(bcrypt::Version::TwoB), "{length}");
        }
    }

    #[test]
    fn there_is_a_pause_after_each_round() {
        for cost in 4..=6 {
            let mut pauses = 0;
            let hash = Hash::of("x", cost, [1; 16], || pauses += 1);
            assert_eq!(pauses, 1 << cost);
            let mut pauses = 0;
            assert!(hash.is_of("x", || pauses += 1));
            assert_eq!(pauses, 1 << cost);
        }
    }

    #[test]
    fn a_salt_that_no_program_writes_is_no_hash_to_either() {
        let text = Hash::of("x", 4, [0; 16], nothing).text();
        let (left, right) = text.split_at(28);
        let right = right.strip_prefix('.').expect("the last letter of a salt of zeros");
        let odd = format!("{left}/{right}");
        assert!(bcrypt::verify("x", &odd).is_err(), "bits are left over in that letter");
        assert_eq!(Hash::parse(&odd), None);
    }
}
