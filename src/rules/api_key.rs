//! API keys: what a program shows instead of a session.

mod text;

pub use self::text::{KeyText, PREFIX};

use std::{fmt, net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    identity::UserId,
    session::{PublicId, SiteId},
};
use crate::clock::Wall;

/// What an API key is known by: the SHA-256 of its whole text. The text has 256 random bits, so that nothing slower is
/// needed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId(pub [u8; 32]);

impl KeyId {
    /// The id of a key's text.
    pub fn of(text: &str) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        let mut id = [0; 32];
        id.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Self(id)
    }

    /// The id that people, panels and logs may see: 16 base32 characters.
    pub fn public(&self) -> PublicId {
        PublicId::of(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({})", self.public())
    }
}

/// A scope as the policy's pages name it.
pub type Scope = Arc<str>;

/// One API key. Its text is shown once, when it is made, and is not here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Key of the record.
    pub id: KeyId,
    /// Whose key; it can do nothing that its owner's role cannot do.
    pub user: UserId,
    /// Which site it is good for.
    pub site: SiteId,
    /// For people.
    pub name: String,
    /// What it may do, in the words of the site's policy.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created: Wall,
    /// When it stops working; `None`: never.
    pub expires: Option<Wall>,
    /// The last use that was written down.
    pub used: Option<KeyUse>,
}

impl ApiKey {
    /// Whether it has stopped working by itself.
    pub fn has_expired(&self, now: Wall) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }

    /// Whether it has this scope; a page without one is open to no key.
    pub fn has(&self, scope: Option<&Scope>) -> bool {
        scope.is_some_and(|scope| self.scopes.contains(scope))
    }
}

/// When and from where a key was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUse {
    /// When.
    pub at: Wall,
    /// From where.
    pub address: IpAddr,
}
