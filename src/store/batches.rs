//! Writes that concern many records and are done as one.

use std::collections::BTreeSet;

use super::{
    Import, Reseal, Sealed, StoreError, Which,
    operations::{change_session, change_user, end},
    records::Writing,
};
use crate::{
    clock::Wall,
    rules::{
        identity::{UserName, UserSource},
        session::EndReason,
    },
    secret::SecretBytes,
};

/// Imports accounts; the names that stand in the way.
pub(super) fn import(
    to: &mut Writing<'_>,
    accounts: Vec<Import>,
    update: bool,
    at: Wall,
) -> Result<Result<(), Vec<UserName>>, StoreError> {
    let mut in_the_way = Vec::new();
    let mut seen = BTreeSet::new();
    for account in &accounts {
        let known = to.read().user_by_name(&account.fresh.name)?;
        let again = !seen.insert(&account.fresh.name);
        if again || known.is_some_and(|known| !update || known.source != UserSource::Embedded) {
            in_the_way.push(account.fresh.name.clone());
        }
    }
    if !in_the_way.is_empty() {
        return Ok(Err(in_the_way));
    }
    for Import { fresh, mut change } in accounts {
        match to.read().user_by_name(&fresh.name)? {
            Some(known) => {
                // The same password again signs nobody out.
                change.password = change.password.filter(|hash| known.password.as_ref() != Some(hash));
                change_user(to, known.id, change, at)?;
            }
            None => to.put_user(fresh)?,
        }
    }
    Ok(Ok(()))
}

/// What [`super::Store::restored`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Sessions that it ended.
    pub ended: usize,
    /// Accounts with an authenticator app whose next code has to be a later one.
    pub raised: usize,
}

/// Makes a store from an earlier time safe to serve from.
pub(super) fn restored(
    to: &mut Writing<'_>,
    end_sessions: bool,
    totp_step: u64,
    at: Wall,
) -> Result<Restored, StoreError> {
    let everything = to.read().everything()?;
    let mut done = Restored::default();
    for session in everything.sessions.iter().filter(|_| end_sessions) {
        done.ended += end(to, Which::One(session.sid), EndReason::Revoked, at)?;
    }
    for mut user in everything.users {
        let Some(app) = user.totp.as_mut().filter(|app| app.last_step < totp_step) else { continue };
        app.last_step = totp_step;
        to.put_user(user)?;
        done.raised += 1;
    }
    Ok(done)
}

/// Replaces sealed values that have not changed meanwhile.
pub(super) fn reseal(to: &mut Writing<'_>, values: Vec<Reseal>) -> Result<usize, StoreError> {
    let mut count = 0;
    for Reseal { of, old, new } in values {
        let replaced = match of {
            Sealed::Totp(id) => {
                let user = to.read().user(&id)?;
                match user {
                    Some(mut user) => {
                        let replaced =
                            swap(user.totp.as_mut().map(|totp| &mut totp.sealed_secret), &old, new);
                        if replaced {
                            to.put_user(user)?;
                        }
                        replaced
                    }
                    None => false,
                }
            }
            Sealed::Enrolment(sid) => change_session(to, &sid, |session| {
                swap(session.enrolment.as_mut().map(|enrolment| &mut enrolment.sealed_secret), &old, new)
            })?
            .unwrap_or(false),
            Sealed::Panel(sid) => change_session(to, &sid, |session| {
                swap(session.panel.as_mut().map(|panel| &mut panel.sealed), &old, new)
            })?
            .unwrap_or(false),
        };
        count += usize::from(replaced);
    }
    Ok(count)
}

fn swap(place: Option<&mut SecretBytes>, old: &SecretBytes, new: SecretBytes) -> bool {
    let Some(place) = place.filter(|place| *place == old) else { return false };
    *place = new;
    true
}
