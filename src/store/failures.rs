//! Writes about failures. What follows from them is decided by `rules::failures`.

use super::{StoreError, bans, records::Writing};
use crate::{
    clock::Wall,
    rules::{
        address::NetworkKey,
        ban::Ban,
        failures::{Consequence, Failure, Kind, Lockout, Network, Subject, Success},
        identity::UserId,
    },
};

/// Counts a failure, at the account, at the network, and at the wider one that it is a part of.
pub(super) fn fail(
    to: &mut Writing<'_>,
    failure: &Failure,
    rules: &Lockout,
) -> Result<Consequence, StoreError> {
    let mut consequence = Consequence::default();
    if let Some((subject, kind)) = failure.guessed {
        let mut account = to.read().failures(&subject)?.unwrap_or_default();
        consequence = account.fail(&failure.network, kind, rules, failure.at);
        to.put_failures(subject, account)?;
    }
    for network in [Some(failure.network), failure.network.wider()].into_iter().flatten() {
        consequence.banned.extend(fail_network(to, network, failure, rules)?);
    }
    Ok(consequence)
}

/// Counts a failure at one network; the ban that this is.
fn fail_network(
    to: &mut Writing<'_>,
    network: NetworkKey,
    failure: &Failure,
    rules: &Lockout,
) -> Result<Option<Ban>, StoreError> {
    let mut network = to.read().network(&network)?.unwrap_or_else(|| Network::new(network));
    let ban = network.fail(failure.count, &rules.network, failure.at).filter(|_| failure.bannable);
    to.put_network(&network)?;
    let Some(ban) = ban else { return Ok(None) };
    // An operator's ban that lasts longer stays.
    let before = to.read().ban(&ban.whom)?;
    if before.is_some_and(|before| before.outlasts(&ban)) {
        return Ok(None);
    }
    bans::ban(to, ban.clone())?;
    Ok(Some(ban))
}

/// Takes note of a success.
pub(super) fn succeed(to: &mut Writing<'_>, success: &Success, rules: &Lockout) -> Result<(), StoreError> {
    // Somebody who was removed meanwhile leaves nothing behind.
    if to.read().user(&success.user)?.is_none() {
        return Ok(());
    }
    let subject = Subject::Account(success.user);
    let before = to.read().failures(&subject)?.unwrap_or_default();
    let mut after = before.clone();
    after.succeed(success, rules);
    if after == before { Ok(()) } else { to.put_failures(subject, after) }
}

/// Forgets the failures of these kinds at an account; whether there were any.
pub(super) fn forgive(to: &mut Writing<'_>, user: UserId, kinds: &[Kind]) -> Result<bool, StoreError> {
    let subject = Subject::Account(user);
    let Some(before) = to.read().failures(&subject)? else { return Ok(false) };
    let mut after = before.clone();
    for kind in kinds {
        after.forgive(*kind);
    }
    let news = after != before;
    if news {
        to.put_failures(subject, after)?;
    }
    Ok(news)
}

/// Forgets names and networks whose failures count no more. Looks at one part in 256 each minute: what stays a few hours
/// longer takes no room from anybody.
pub(super) fn purge(to: &mut Writing<'_>, now: Wall) -> Result<(), StoreError> {
    let [.., part] = (now.secs() / 60).to_be_bytes();
    for subject in to.read().names_over(part, now)? {
        to.remove_failures(subject)?;
    }
    for network in to.read().networks_over(part, now)? {
        to.remove_network(&network)?;
    }
    Ok(())
}
