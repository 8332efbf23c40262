//! Who somebody is: accounts, their one spelling, and their role.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::session::PublicId;
use crate::{clock::Wall, secret::SecretBytes};

/// The stable id of an account: 128 random bits, never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserId(pub [u8; 16]);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserId({self})")
    }
}

/// An account name in its one spelling (R16): trimmed, lower case, 1 to 64 of `a-z 0-9 . _ - @ +`.
///
/// Every path that takes a name (form, API, token claim, command line) goes through [`UserName::parse`], so that all
/// spellings share one counter and one record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(Arc<str>);

impl UserName {
    /// The canonical name, or why `text` cannot be one.
    ///
    /// # Errors
    /// When it is empty, longer than 64 bytes, has two `@`, or has a character outside the set.
    pub fn parse(text: &str) -> Result<Self, BadUserName> {
        let name = text.trim().to_ascii_lowercase();
        let fits = (1..=64).contains(&name.len());
        let plain =
            name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-@+".contains(&b));
        if fits && plain && name.matches('@').count() <= 1 { Ok(Self(name.into())) } else { Err(BadUserName) }
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserName({})", self.0)
    }
}

impl TryFrom<String> for UserName {
    type Error = BadUserName;

    fn try_from(text: String) -> Result<Self, BadUserName> {
        Self::parse(&text)
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0.as_ref().to_owned()
    }
}

/// The text cannot be an account name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account name has 1 to 64 characters of a-z, 0-9 and . _ - @ +, with at most one @")]
pub struct BadUserName;

/// A role name as the policy's `roles` list spells it.
pub type Role = Arc<str>;

/// One account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Never changes.
    pub id: UserId,
    /// The canonical name; unique.
    pub name: UserName,
    /// For people; the account name when empty.
    pub display: String,
    /// May be empty.
    pub email: String,
    /// One of the policy's roles; a role that no policy knows has no access anywhere.
    pub role: Role,
    /// Where the account comes from.
    pub source: UserSource,
    /// bcrypt, or `None` when the account cannot sign in here with a password.
    pub password: Option<String>,
    /// A disabled account is refused at its very next request (R12).
    pub disabled: bool,
    /// The enrolled authenticator app, if any.
    pub totp: Option<Totp>,
    /// Hashes of the unused backup codes.
    pub backup_codes: Vec<[u8; 32]>,
    /// When the account was made.
    pub created: Wall,
    /// When the password was last set, if it ever was changed.
    pub password_changed: Option<Wall>,
    /// High Security Mode: `false` lets what the role may do after the second factor apply at once.
    pub high_security: bool,
    /// Where the account has signed in from, at most [`Known::LIMIT`], oldest first.
    pub known: Vec<Known>,
}

/// A device and a country that an account has signed in from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Browser and system, as in the session.
    pub device: String,
    /// ISO 3166-1 alpha-2, or empty when unknown.
    pub country: String,
    /// When it was first seen.
    pub first: Wall,
    /// What the account's owner says about it.
    pub standing: Standing,
}

/// What the owner of an account says about a place that it was signed in from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It is theirs.
    Familiar,
    /// They have not said yet; this session was opened there first.
    Asked(PublicId),
    /// It is not theirs.
    Disowned,
}

impl Known {
    /// How many are remembered of an account.
    pub const LIMIT: usize = 20;
}

/// Where an account comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserSource {
    /// Made here, with a password.
    Embedded,
    /// First seen in a token of this trusted issuer.
    Issuer(String),
    /// First signed in at this login of the panel's.
    Login(String),
}

/// An enrolled authenticator app (RFC 6238: SHA-1, 6 digits, 30 s).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totp {
    /// The shared secret, sealed with the master key and bound to the account (see `rules::seal`).
    pub sealed_secret: SecretBytes,
    /// The newest time step that was accepted; only later ones count (R14).
    pub last_step: u64,
}
