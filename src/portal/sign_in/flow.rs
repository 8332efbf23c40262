//! What follows from a password. No I/O.

use crate::rules::{
    identity::{User, UserId},
    session::{EndReason, Session},
    site::AtSignIn,
};

/// What a right password leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A session.
    Open,
    /// A code is asked for first.
    AskCode,
}

/// Whether a code is asked for. `known` is whether this browser had a session of this account before.
pub(crate) fn after_password(user: &User, asks: AtSignIn, known: bool) -> Next {
    match asks {
        AtSignIn::Always if user.totp.is_some() => Next::AskCode,
        AtSignIn::NewDevice if user.totp.is_some() && !known => Next::AskCode,
        AtSignIn::Always | AtSignIn::NewDevice | AtSignIn::Never => Next::Open,
    }
}

/// Whether an earlier session makes this a known device: one of the same account, and not one that was taken away.
pub(crate) fn is_known(earlier: Option<&Session>, user: UserId) -> bool {
    earlier.is_some_and(|session| {
        let taken = session.ended.is_some_and(|ended| ended.why != EndReason::SignedOut);
        session.user == user && !taken
    })
}
