//! Passwords: bcrypt, as panels have it. Slow on purpose; never call it on the request path.

use crate::secret::SecretText;

/// The longest password, in bytes: bcrypt looks at no more, and cutting would make different passwords equal.
pub const LONGEST: usize = 72;
/// The highest cost that is worked for. Each step doubles the time; 16 takes seconds.
const HIGHEST_COST: u32 = 16;
/// The lowest cost that a new hash may have.
const LOWEST_COST: u32 = 4;

/// A hash that no password has, at cost 12: checking against it costs what checking a real one costs, so that the time
/// does not tell whether an account exists (R31).
pub const DUMMY_HASH: &str = "$2b$12$V.JWiJ/GLFQAZJh0hqoAhupos/9URJby0mbd6hTrg0pNWqbfu5vKm";

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

/// Whether `text` is a bcrypt hash that [`verify`] works with: for importing accounts.
pub fn well_formed(text: &str) -> bool {
    let known = ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix));
    let cost = text.parse::<bcrypt::HashParts>().map(|parts| parts.get_cost());
    known
        && text.len() == 60
        && text.is_ascii()
        && cost.is_ok_and(|cost| (LOWEST_COST..=HIGHEST_COST).contains(&cost))
}

fn check(password: &SecretText) -> Result<(), Refused> {
    match password.expose().as_bytes() {
        [] => Err(Refused::Empty),
        bytes if bytes.len() > LONGEST => Err(Refused::TooLong),
        bytes if bytes.contains(&0) => Err(Refused::Nul),
        _ => Ok(()),
    }
}
