//! Writes about bans.

use std::collections::HashSet;

use super::{StoreError, records::Writing};
use crate::{
    clock::Wall,
    rules::ban::{Ban, Whom},
};

/// Bans that stand on one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Who bans: `list NAME`. What the list had before is known by it.
    pub by: String,
    /// The bans, each `by` the list.
    pub bans: Vec<Ban>,
}

/// What came of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListBanned {
    /// Bans that were not there, or were over.
    pub added: usize,
    /// Bans that the list had already.
    pub kept: usize,
    /// Bans that stay as they are: those that no list made, and those of another list that last as long.
    pub others: usize,
    /// Bans that the list had and has no more.
    pub lifted: usize,
}

/// Bans somebody; whether that is news.
pub(super) fn ban(to: &mut Writing<'_>, ban: Ban) -> Result<bool, StoreError> {
    let before = to.read().ban(&ban.whom)?;
    let news = before.is_none_or(|before| !before.counts(ban.since));
    to.put_ban(ban)?;
    Ok(news)
}

/// Lifts a ban.
pub(super) fn lift(to: &mut Writing<'_>, whom: Whom) -> Result<bool, StoreError> {
    let known = to.read().ban(&whom)?.is_some();
    if known {
        to.remove_ban(whom)?;
    }
    Ok(known)
}

/// Bans a whole list.
pub(super) fn list(to: &mut Writing<'_>, list: Listed, replace: bool) -> Result<ListBanned, StoreError> {
    let mut done = ListBanned::default();
    let Listed { by, bans } = list;
    if replace {
        let stay: HashSet<Whom> = bans.iter().map(|ban| ban.whom).collect();
        let before = to.read().bans()?;
        for gone in before.into_iter().filter(|ban| ban.by == by && !stay.contains(&ban.whom)) {
            to.remove_ban(gone.whom)?;
            done.lifted += 1;
        }
    }
    for mut ban in bans {
        let before = to.read().ban(&ban.whom)?.filter(|before| before.counts(ban.since));
        match before {
            // A person's ban, or the gate's own, is not a list's to change: it would be gone with the list.
            Some(before) if before.by != by && (!before.is_of_list() || before.outlasts(&ban)) => {
                done.others += 1;
                continue;
            }
            Some(before) if before.by == by => {
                done.kept += 1;
                ban.since = before.since;
                if ban == before {
                    continue;
                }
            }
            Some(_) | None => done.added += 1,
        }
        to.put_ban(ban)?;
    }
    Ok(done)
}

/// Removes at most `limit` bans that have been over for so long that nobody is shown them any more.
pub(super) fn purge(to: &mut Writing<'_>, now: Wall, limit: usize) -> Result<(), StoreError> {
    let forgotten = to.read().bans()?.into_iter().filter(|ban| ban.is_forgotten(now)).take(limit);
    for ban in forgotten {
        to.remove_ban(ban.whom)?;
    }
    Ok(())
}
