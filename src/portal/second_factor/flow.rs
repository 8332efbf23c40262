//! What a code is worth. No I/O.

use std::time::Duration;

use crate::{
    clock::Wall,
    rules::{factor::totp, session::Factor},
    secret::SecretText,
};

/// Below this, people are told how many tries are left.
const FEW: u32 = 3;
/// RFC 6238 §4.1, in milliseconds.
const STEP: u64 = 30_000;

/// What is shown as proof.
pub(crate) enum Proof {
    /// A code of the authenticator app.
    Code(SecretText),
    /// A backup code.
    Backup(SecretText),
}

impl Proof {
    /// Exactly one of the two.
    pub(crate) fn new(code: Option<SecretText>, backup: Option<SecretText>) -> Option<Self> {
        match (code, backup) {
            (Some(code), None) => Some(Self::Code(code)),
            (None, Some(backup)) => Some(Self::Backup(backup)),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    /// What kind of factor it proves.
    pub(crate) fn factor(&self) -> Factor {
        match self {
            Self::Code(_) => Factor::Totp,
            Self::Backup(_) => Factor::BackupCode,
        }
    }
}

/// What a code of the app is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// Right, for this step; whoever writes the step down first has proved it.
    Step(u64),
    /// Right, but used.
    Used,
    /// Wrong.
    Wrong,
}

/// Checks a code of the app.
pub(crate) fn check(secret: &[u8], code: &str, now: Wall, last_step: u64) -> Checked {
    if let Some(step) = totp::check(secret, code, now, last_step) {
        return Checked::Step(step);
    }
    // Only somebody who has the secret, or saw the code being used, can make it.
    if totp::check(secret, code, now, 0).is_some() { Checked::Used } else { Checked::Wrong }
}

/// The time until the app shows the next code.
pub(crate) fn next_code_in(now: Wall) -> Duration {
    Duration::from_millis(STEP - now.millis() % STEP)
}

/// The tries left, when they are few enough to be said.
pub(crate) fn few(left: u32) -> Option<u32> {
    (left <= FEW).then_some(left)
}
