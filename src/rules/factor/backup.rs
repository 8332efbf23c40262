//! Backup codes: ten codes of 60 random bits, each good once, written `7K3F-92QD-5TXM`.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;

use crate::{rules::identity::UserId, secret::SecretText};

/// How many codes there are.
pub const COUNT: usize = 10;
/// Crockford's alphabet: no letter that is taken for another.
const ALPHABET: [char; 32] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'M',
    'N', 'P', 'Q', 'R', 'S', 'T', 'V', 'W', 'X', 'Y', 'Z',
];
const LENGTH: usize = 12;
/// Makes guessing from a stolen store ten thousand times dearer, for some milliseconds per try.
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(9_999);

/// Ten codes out of fresh random bytes.
pub fn generate(entropy: [[u8; 8]; COUNT]) -> Vec<SecretText> {
    entropy.into_iter().map(|bytes| SecretText::from(spell(u64::from_be_bytes(bytes)))).collect()
}

/// What is kept of a code. Bound to the account; case, spaces, dashes and letters that look like a digit do not matter.
pub fn hash(user: &UserId, code: &str) -> [u8; 32] {
    let salt = [b"panelgate/backup-code/1".as_slice(), &user.0].concat();
    let mut digest = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, &salt, normalise(code).as_bytes(), &mut digest);
    digest
}

/// Whether `code` could be a backup code: worth hashing.
pub fn plausible(code: &str) -> bool {
    code.len() <= 64 && {
        let code = normalise(code);
        code.len() == LENGTH && code.chars().all(|c| ALPHABET.contains(&c))
    }
}

fn spell(bits: u64) -> String {
    let mut text = String::with_capacity(LENGTH + 2);
    for index in 0..LENGTH {
        if index > 0 && index % 4 == 0 {
            text.push('-');
        }
        let digit = usize::try_from((bits >> (5 * index)) & 31).unwrap_or(0);
        text.push(ALPHABET.get(digit).copied().unwrap_or('0'));
    }
    text
}

fn normalise(code: &str) -> String {
    code.chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}
