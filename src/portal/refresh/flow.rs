//! Which of the presented refresh tokens counts. No I/O.

use crate::rules::{session::Sid, token::RefreshToken};

/// After so many renewals in a row the browser is evidently not keeping its cookies.
pub(crate) const TRIES: u32 = 8;

/// The session to renew: the one that the access cookie names, if a refresh token for it is there; without an access
/// cookie, the one that all refresh tokens agree on. A sibling domain can add cookies, but not to a `__Host-` name.
pub(crate) fn session_of(tokens: &[RefreshToken], access: Option<Sid>) -> Option<Sid> {
    let (first, rest) = tokens.split_first()?;
    match access {
        Some(sid) => tokens.iter().any(|token| token.sid == sid).then_some(sid),
        None => rest.iter().all(|token| token.sid == first.sid).then_some(first.sid),
    }
}

/// The newest token that was minted for the session's family; older ones may be left over under another path or domain.
pub(crate) fn newest(
    tokens: &[RefreshToken],
    sid: Sid,
    minted: impl Fn(&RefreshToken) -> bool,
) -> Option<&RefreshToken> {
    tokens.iter().filter(|token| token.sid == sid && minted(token)).max_by_key(|token| token.generation)
}
