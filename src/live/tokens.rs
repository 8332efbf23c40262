//! Access tokens that have been read before, so that a signature is checked once and not at every request.
//!
//! No decision is kept, only what a text says: the session that it points to is looked at every time (R12). An entry is
//! found by a digest of the whole text, and counts only for the keys and the site that it was read with (R26). Each living
//! session has one at most, so that there are never more than sessions.

#[cfg(test)]
mod tests;

use super::Map;
use crate::{
    clock::Wall,
    rules::{
        session::Sid,
        token::{AccessClaims, BadToken, KeptAccess, KeySet},
        trail,
    },
};

/// The SHA-256 of a token's text.
type Name = [u8; 32];

/// What has been read.
#[derive(Default)]
pub(super) struct Tokens {
    kept: Map<Name, KeptAccess>,
    of_session: Map<Sid, Name>,
}

impl Tokens {
    /// What [`KeySet::read_access`] answers. What is good is kept if its session `lives`.
    pub(super) fn read(
        &self,
        keys: &KeySet,
        text: &str,
        site: &str,
        now: Wall,
        lives: impl FnOnce(&Sid) -> bool,
    ) -> Result<AccessClaims, BadToken> {
        // Nobody can make us digest more than could be a token.
        if text.len() > KeptAccess::LONGEST {
            return Err(BadToken::Invalid);
        }
        let name = trail::hash(text.as_bytes());
        let known = self.kept.get(&name).and_then(|kept| kept.again(keys, site, now).cloned());
        if let Some(claims) = known {
            return Ok(claims);
        }
        let read = keys.read_to_keep(text, site, now)?;
        let claims = read.claims().clone();
        if lives(&claims.sid) {
            self.keep(claims.sid, name, read);
        }
        Ok(claims)
    }

    /// Forgets the token of a session.
    pub(super) fn forget(&self, sid: &Sid) {
        if let Some((_, name)) = self.of_session.remove(sid) {
            self.kept.remove(&name);
        }
    }

    fn keep(&self, sid: Sid, name: Name, read: KeptAccess) {
        self.kept.insert(name, read);
        let before = self.of_session.insert(sid, name);
        if let Some(before) = before.filter(|before| *before != name) {
            self.kept.remove(&before);
        }
    }
}
