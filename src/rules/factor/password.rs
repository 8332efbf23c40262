//! Passwords: bcrypt, as panels have it. Slow on purpose; never call it on the request path.

use std::ops::Range;

use super::bcrypt::Hash;
use crate::secret::SecretText;

/// The longest password, in bytes: bcrypt looks at no more, and cutting would make different passwords equal.
pub const LONGEST: usize = 72;
/// The highest cost that is worked for. Each step doubles the time; 16 takes seconds.
const HIGHEST_COST: u32 = 16;
/// The lowest cost that a new hash may have.
const LOWEST_COST: u32 = 4;

/// What follows the cost in a hash that no password has.
const NOBODYS: &str = "V.JWiJ/GLFQAZJh0hqoAhupos/9URJby0mbd6hTrg0pNWqbfu5vKm";
/// The cost that an unknown account is given while there is no account with a password.
pub const USUAL_COST: u32 = 12;

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing there.
    #[error("the password is empty")]
    Empty,
    /// bcrypt would ignore the rest.
    #[error("the password is longer than {LONGEST} bytes")]
    TooLong,
    /// bcrypt would ignore what follows.
    #[error("the password contains a NUL character")]
    Nul,
    /// A setting out of range.
    #[error("the bcrypt cost {0} is not from {LOWEST_COST} to {HIGHEST_COST}")]
    Cost(u32),
}

/// Hashes a password. The salt must be fresh random bytes. `pause` comes again and again while that lasts, for whoever
/// has others waiting for his core.
///
/// # Errors
/// When bcrypt would not look at the whole password, or the cost is out of range.
pub fn hash(
    password: &SecretText,
    cost: u32,
    salt: [u8; 16],
    pause: impl FnMut(),
) -> Result<String, Refused> {
    check(password)?;
    if !(LOWEST_COST..=HIGHEST_COST).contains(&cost) {
        return Err(Refused::Cost(cost));
    }
    Ok(Hash::of(password.expose(), cost, salt, pause).text())
}

/// Whether the password has this hash: `$2a$`, `$2b$` or `$2y$`, as every panel writes them. `pause` as for [`hash`].
pub fn verify(password: &SecretText, hash: &str, pause: impl FnMut()) -> bool {
    check(password).is_ok() && parse(hash).is_some_and(|hash| hash.is_of(password.expose(), pause))
}

/// [`verify`], with the work of `cost` whatever there is to check against: no hash, or one that is cheaper. The time must
/// not tell whether an account exists, nor where its hash was imported from (R31). Costs above `cost` are not hidden.
pub fn verify_evenly(password: &SecretText, hash: Option<&str>, cost: u32, mut pause: impl FnMut()) -> bool {
    let matches = hash.is_some_and(|hash| verify(password, hash, &mut pause));
    for step in missing(hash.and_then(cost_of), cost.min(HIGHEST_COST)) {
        verify(password, &nobodys(step), &mut pause);
    }
    matches
}

/// For whoever keeps nobody waiting.
pub fn no_pause() {}

/// The cost of a hash that [`verify`] works with.
pub fn cost_of(hash: &str) -> Option<u32> {
    parse(hash).map(|hash| hash.cost)
}

/// Whether `text` is a bcrypt hash that [`verify`] works with: for importing accounts.
pub fn well_formed(text: &str) -> bool {
    parse(text).is_some()
}

fn parse(text: &str) -> Option<Hash> {
    Hash::parse(text).filter(|hash| (LOWEST_COST..=HIGHEST_COST).contains(&hash.cost))
}

/// The costs of the checks that are missing after one of cost `done`, if any, for the work of `wanted`:
/// 2^c + (2^c + 2^(c+1) + … + 2^(wanted-1)) = 2^wanted.
pub(super) fn missing(done: Option<u32>, wanted: u32) -> Range<u32> {
    done.map_or(wanted..wanted + 1, |done| done..wanted)
}

/// A hash that no password has.
pub(super) fn nobodys(cost: u32) -> String {
    format!("$2b${cost:02}${NOBODYS}")
}

fn check(password: &SecretText) -> Result<(), Refused> {
    match password.expose().as_bytes() {
        [] => Err(Refused::Empty),
        bytes if bytes.len() > LONGEST => Err(Refused::TooLong),
        bytes if bytes.contains(&0) => Err(Refused::Nul),
        _ => Ok(()),
    }
}
