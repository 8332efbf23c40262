//! What somebody wishes who wants to act as somebody else. No I/O.

use crate::{
    portal::{body::is_plain_line, words::Words},
    rules::identity::UserName,
};

/// The longest reason, in characters.
const LONGEST: usize = 200;

/// A wish that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) name: UserName,
    pub(super) reason: String,
    pub(super) write: bool,
}

/// Why nobody is impersonated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No name was given.
    NoName,
    /// No reason was given.
    NoReason,
    /// Too long a reason, or one that is not a line of text.
    LongReason,
    /// No account of that name that this operator may act as.
    NoSuch,
    /// One level and no more.
    Already,
}

/// Reads a wish.
pub(super) fn wish(name: &str, reason: &str, write: bool) -> Result<Wish, Refused> {
    if name.trim().is_empty() {
        return Err(Refused::NoName);
    }
    let name = UserName::parse(name).map_err(|_| Refused::NoSuch)?;
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Refused::NoReason);
    }
    if reason.chars().count() > LONGEST || !is_plain_line(reason) {
        return Err(Refused::LongReason);
    }
    Ok(Wish { name, reason: reason.to_owned(), write })
}

impl Refused {
    /// The stable code.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::NoName | Self::NoSuch => "no-such-account",
            Self::NoReason => "reason-missing",
            Self::LongReason => "reason-too-long",
            Self::Already => "impersonating-already",
        }
    }

    /// What people are told.
    pub(super) fn text(self, words: &Words) -> &'static str {
        let words = &words.acting;
        match self {
            Self::NoName => words.no_name,
            Self::NoReason => words.no_reason,
            Self::LongReason => words.long_reason,
            Self::NoSuch => words.no_such,
            Self::Already => words.already,
        }
    }

    /// Whether the reason is to be mended, and not the name.
    pub(super) fn is_reason(self) -> bool {
        matches!(self, Self::NoReason | Self::LongReason)
    }
}
