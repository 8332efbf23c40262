//! What somebody wants to ban, and why not.

use std::time::Duration;

use ipnet::IpNet;

use crate::{
    portal::words::Words,
    rules::{
        ban::{self, Spared, Unbannable, Whom},
        written::parse_duration,
    },
};

/// What somebody filled in.
#[derive(Clone, Debug, Default)]
pub(super) struct Filled<'a> {
    pub(super) whom: &'a str,
    pub(super) reason: &'a str,
    pub(super) lasts: &'a str,
}

/// A ban that can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) whom: Whom,
    pub(super) reason: String,
    /// `None`: until it is lifted.
    pub(super) lasts: Option<Duration>,
    /// Networks inside it that stay open.
    pub(super) spares: Vec<IpNet>,
    /// Whether it shuts out whoever asks.
    pub(super) own: bool,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// With whom it is for, or with the reason.
    Ban(Unbannable),
    /// With the duration.
    Lasts,
}

/// Reads what was filled in by somebody for whom `is_own` says whether a ban would reach him.
pub(super) fn wish(
    filled: &Filled<'_>,
    spared: &Spared,
    is_own: impl FnOnce(&Whom) -> bool,
) -> Result<Wish, Wrong> {
    let (whom, spares) = spared.wish(filled.whom).map_err(Wrong::Ban)?;
    let reason = ban::reason(filled.reason).map_err(Wrong::Ban)?;
    let lasts = match filled.lasts.trim() {
        "" => None,
        text => Some(parse_duration(text).filter(|lasts| !lasts.is_zero()).ok_or(Wrong::Lasts)?),
    };
    let own = is_own(&whom);
    Ok(Wish { whom, reason, lasts, spares, own })
}

impl Wrong {
    /// The field that is at fault, and what to write instead.
    pub(super) fn say(&self, words: &Words) -> (&'static str, &'static str) {
        let bans = &words.bans;
        match self {
            Self::Lasts => ("lasts", bans.bad_lasts),
            Self::Ban(Unbannable::Reason) => ("reason", bans.bad_reason),
            Self::Ban(Unbannable::Unreadable(_)) => ("whom", bans.unreadable),
            Self::Ban(Unbannable::Country { .. }) => ("whom", bans.no_country),
            Self::Ban(Unbannable::Asn(_)) => ("whom", bans.no_asn),
            Self::Ban(Unbannable::TooWide(_)) => ("whom", bans.too_wide),
            Self::Ban(Unbannable::Spared { by, .. }) => (
                "whom",
                match by {
                    ban::SparedBy::Own => bans.spared_self,
                    ban::SparedBy::Proxy => bans.spared_proxy,
                    ban::SparedBy::Allowed => bans.spared_allow,
                },
            ),
        }
    }
}
