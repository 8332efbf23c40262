//! Passwords: bcrypt, as panels have it. Slow on purpose; never call it on the request path.

use std::ops::Range;

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

/// Hashes a password. The salt must be fresh random bytes.
///
/// # Errors
/// When bcrypt would not look at the whole password, or the cost is out of range.
pub fn hash(password: &SecretText, cost: u32, salt: [u8; 16]) -> Result<String, Refused> {
    check(password)?;
    if !(LOWEST_COST..=HIGHEST_COST).contains(&cost) {
        return Err(Refused::Cost(cost));
    }
    // Exactly 72 bytes fill bcrypt's key; the crate's variant that never truncates refuses them for the final NUL.
    let parts = bcrypt::hash_with_salt(password.expose(), cost, salt).map_err(|_| Refused::Cost(cost))?;
    Ok(parts.format_for_version(bcrypt::Version::TwoB))
}

/// Whether the password has this hash: `$2a$`, `$2b$` or `$2y$`, as every panel writes them.
pub fn verify(password: &SecretText, hash: &str) -> bool {
    check(password).is_ok() && well_formed(hash) && bcrypt::verify(password.expose(), hash).unwrap_or(false)
}

/// [`verify`], with the work of `cost` whatever there is to check against: no hash, or one that is cheaper. The time must
/// not tell whether an account exists, nor where its hash was imported from (R31). Costs above `cost` are not hidden.
pub fn verify_evenly(password: &SecretText, hash: Option<&str>, cost: u32) -> bool {
    let matches = hash.is_some_and(|hash| verify(password, hash));
    for step in missing(hash.and_then(cost_of), cost.min(HIGHEST_COST)) {
        verify(password, &nobodys(step));
    }
    matches
}

/// The cost of a hash that [`verify`] works with.
pub fn cost_of(hash: &str) -> Option<u32> {
    hash.parse::<bcrypt::HashParts>().ok().map(|parts| parts.get_cost()).filter(|_| well_formed(hash))
}

/// Whether `text` is a bcrypt hash that [`verify`] works with: for importing accounts.
pub fn well_formed(text: &str) -> bool {
    let known = ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix));
    let cost = text.parse::<bcrypt::HashParts>().map(|parts| parts.get_cost());
    known
        && text.len() == 60
        && text.is_ascii()
        && cost.is_ok_and(|cost| (LOWEST_COST..=HIGHEST_COST).contains(&cost))
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
