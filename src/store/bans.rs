//! Writes about bans.

use ipnet::IpNet;

use super::{StoreError, records::Writing};
use crate::{clock::Wall, rules::ban::Ban};

/// Bans a network; whether that is news.
pub(super) fn ban(to: &mut Writing<'_>, ban: Ban) -> Result<bool, StoreError> {
    let before = to.read().ban(&ban.network)?;
    let news = before.is_none_or(|before| !before.counts(ban.since));
    to.put_ban(ban)?;
    Ok(news)
}

/// Lifts the ban of a network.
pub(super) fn lift(to: &mut Writing<'_>, network: IpNet) -> Result<bool, StoreError> {
    let known = to.read().ban(&network)?.is_some();
    if known {
        to.remove_ban(network)?;
    }
    Ok(known)
}

/// Removes at most `limit` bans that have been over for so long that nobody is shown them any more.
pub(super) fn purge(to: &mut Writing<'_>, now: Wall, limit: usize) -> Result<(), StoreError> {
    let forgotten = to.read().bans()?.into_iter().filter(|ban| ban.is_forgotten(now)).take(limit);
    for ban in forgotten {
        to.remove_ban(ban.network)?;
    }
    Ok(())
}
