//! Codes of an authenticator app: RFC 6238 with SHA-1, six digits, thirty seconds, which every app can do.

use totp_rs::{Builder, Totp};

use crate::{
    clock::Wall,
    rules::{
        identity::UserId,
        seal::{Resealed, Sealer},
    },
    secret::SecretBytes,
};

/// The length of a new secret, in bytes (RFC 4226 §4 R6: 160 bits).
pub const SECRET_LENGTH: usize = 20;
/// The length of a time step, in seconds.
const STEP: u64 = 30;

/// Checks a code: the newest step that it belongs to, out of the current one and its two neighbours, if that is later
/// than `last_step` (R14). The caller writes the step down in the same transaction as the success.
///
/// Spaces in the code are ignored; otherwise it must be six ASCII digits.
pub fn check(secret: &[u8], code: &str, now: Wall, last_step: u64) -> Option<u64> {
    let code = normalise(code)?;
    let totp = app(secret, "", "")?;
    let current = now.secs() / STEP;
    // All three are computed whatever the code is, so that the time does not tell which matched.
    [current.saturating_sub(1), current, current.saturating_add(1)]
        .map(|step| totp.check(&code, step.saturating_mul(STEP)).filter(|step| *step > last_step))
        .into_iter()
        .flatten()
        .max()
}

/// The newest step whose code [`check`] accepts now.
pub fn newest_step(now: Wall) -> u64 {
    (now.secs() / STEP).saturating_add(1)
}

/// The code that an app shows now.
pub fn code(secret: &[u8], now: Wall) -> String {
    app(secret, "", "").map(|totp| totp.generate(now.secs()).to_string()).unwrap_or_default()
}

/// The `otpauth:` address that apps read from a QR code. Colons separate issuer and account, so they become spaces.
pub fn url(secret: &[u8], issuer: &str, account: &str) -> String {
    app(secret, &issuer.replace(':', " "), &account.replace(':', " "))
        .and_then(|totp| totp.to_url().ok())
        .unwrap_or_default()
}

/// Seals an app's secret for its account: in another account's record it does not open. The nonce must be fresh random
/// bytes.
pub fn seal(sealer: &Sealer, user: &UserId, secret: &[u8], nonce: [u8; 12]) -> SecretBytes {
    SecretBytes::new(sealer.seal(&purpose(user), secret, nonce))
}

/// Opens what [`seal`] made for this account.
pub fn open(sealer: &Sealer, user: &UserId, sealed: &SecretBytes) -> Option<SecretBytes> {
    sealer.open(&purpose(user), sealed.expose()).map(SecretBytes::new)
}

/// The same secret for this account under the current master key, if it is not yet. The nonce must be fresh random bytes.
pub fn reseal(sealer: &Sealer, user: &UserId, sealed: &SecretBytes, nonce: [u8; 12]) -> Resealed {
    sealer.reseal(&purpose(user), sealed.expose(), nonce)
}

fn purpose(user: &UserId) -> String {
    format!("totp:{user}")
}

/// `None` for a secret of less than 128 bits.
fn app(secret: &[u8], issuer: &str, account: &str) -> Option<Totp> {
    Builder::new()
        .with_secret(secret.to_vec())
        .with_skew(0)
        .with_step_duration(STEP)
        .with_issuer((!issuer.is_empty()).then_some(issuer))
        .with_account_name(account)
        .build()
        .ok()
}

fn normalise(code: &str) -> Option<String> {
    // Bounded before anything is built from it.
    if code.len() > 32 {
        return None;
    }
    let digits: String = code.chars().filter(|c| *c != ' ').collect();
    (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}
