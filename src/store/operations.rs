//! What each write does, once for all embedded stores. The transitions of a session are those of `rules::session`.

use super::{
    ExternalOpened, MOST_KEYS, StoreError, UserChange, Which, bans, failures,
    records::{Kept, Writing},
};
use crate::{
    clock::Wall,
    rules::{
        api_key::{ApiKey, KeyId, KeyUse},
        failures::{Kind, Subject},
        identity::{Known, Totp, User, UserId, UserSource},
        session::{
            self, Elevation, EndReason, Ended, ExternalIdentity, Presented, Rotation, Session, SessionChange,
            Sid,
        },
    },
    secret::SecretBytes,
};

pub(super) fn add_user(to: &mut Writing<'_>, user: User) -> Result<bool, StoreError> {
    let taken = to.read().user_by_name(&user.name)?.is_some() || to.read().user(&user.id)?.is_some();
    if !taken {
        to.put_user(user)?;
    }
    Ok(!taken)
}

pub(super) fn change_user(
    to: &mut Writing<'_>,
    id: UserId,
    change: UserChange,
    at: Wall,
) -> Result<bool, StoreError> {
    let Some(mut user) = to.read().user(&id)? else { return Ok(false) };
    if change.password_was.as_ref().is_some_and(|was| user.password.as_ref() != Some(was)) {
        return Ok(false);
    }
    let new_password = change.password.is_some();
    let (new_factor, loses_factor) = (change.totp.is_some(), change.totp == Some(None));
    let keep = change.keep;
    apply_change(&mut user, change, at);
    if loses_factor {
        for sid in to.read().sessions_of(&id)? {
            change_readable_session(to, &sid, |session| session.elevation = None)?;
        }
    }
    if user.disabled {
        end(to, Which::AllOf(id), EndReason::AccountDisabled, at)?;
    } else if new_password {
        let which = keep.map_or(Which::AllOf(id), |keep| Which::OthersOf(id, keep));
        end(to, which, EndReason::PasswordChanged, at)?;
    }
    to.put_user(user)?;
    let renewed = [(Kind::Password, new_password), (Kind::Factor, new_factor)];
    let renewed: Vec<Kind> = renewed.into_iter().filter(|(_, new)| *new).map(|(kind, _)| kind).collect();
    failures::forgive(to, id, &renewed)?;
    Ok(true)
}

fn apply_change(user: &mut User, change: UserChange, at: Wall) {
    if let Some(role) = change.role {
        user.role = role;
    }
    if let Some(password) = change.password {
        user.password = Some(password);
        user.password_changed = Some(at);
    }
    if let Some(disabled) = change.disabled {
        user.disabled = disabled;
    }
    if let Some(totp) = change.totp {
        if totp.is_none() {
            user.backup_codes.clear();
        }
        user.totp = totp;
    }
    if let Some(codes) = change.backup_codes {
        user.backup_codes = codes;
    }
    user.email = change.email.unwrap_or_else(|| std::mem::take(&mut user.email));
    user.display = change.display.unwrap_or_else(|| std::mem::take(&mut user.display));
    user.high_security = change.high_security.unwrap_or(user.high_security);
    if let Some(known) = change.known {
        user.known.retain(|one| (&one.device, &one.country) != (&known.device, &known.country));
        user.known.push(known);
        let surplus = user.known.len().saturating_sub(Known::LIMIT);
        user.known.drain(..surplus);
    }
}

pub(super) fn enrol(
    to: &mut Writing<'_>,
    id: UserId,
    totp: Totp,
    backup_codes: Vec<[u8; 32]>,
    replaces: Option<&SecretBytes>,
) -> Result<bool, StoreError> {
    let has = |user: &User| user.totp.as_ref().map(|totp| &totp.sealed_secret) == replaces;
    let user = to.read().user(&id)?.filter(has);
    let Some(user) = user else { return Ok(false) };
    to.put_user(User { totp: Some(totp), backup_codes, ..user })?;
    failures::forgive(to, id, &[Kind::Factor])?;
    Ok(true)
}

pub(super) fn add_key(to: &mut Writing<'_>, key: ApiKey) -> Result<bool, StoreError> {
    let known = to.read().user(&key.user)?.is_some();
    let fits = known && to.read().keys_of(&key.user)?.len() < MOST_KEYS && to.read().key(&key.id)?.is_none();
    if fits {
        to.put_key(key)?;
    }
    Ok(fits)
}

pub(super) fn remove_key(to: &mut Writing<'_>, user: UserId, id: KeyId) -> Result<bool, StoreError> {
    let found = to.read().key(&id)?.is_some_and(|key| key.user == user);
    if found {
        to.remove_key(id)?;
    }
    Ok(found)
}

pub(super) fn touch_keys(to: &mut Writing<'_>, uses: &[(KeyId, KeyUse)]) -> Result<(), StoreError> {
    for (id, used) in uses {
        let key = to.read().key(id)?;
        if let Some(key) = key.filter(|key| key.used.is_none_or(|known| known.at < used.at)) {
            to.put_key(ApiKey { used: Some(*used), ..key })?;
        }
    }
    Ok(())
}

pub(super) fn remove_user(to: &mut Writing<'_>, id: UserId, at: Wall) -> Result<bool, StoreError> {
    let Some(user) = to.read().user(&id)? else { return Ok(false) };
    end(to, Which::AllOf(id), EndReason::AccountDisabled, at)?;
    for key in to.read().keys_of(&id)? {
        to.remove_key(key.id)?;
    }
    to.remove_user(&user)?;
    to.remove_failures(Subject::Account(id))?;
    Ok(true)
}

pub(super) fn consume_totp(to: &mut Writing<'_>, id: UserId, step: u64) -> Result<bool, StoreError> {
    let Some(mut user) = to.read().user(&id)? else { return Ok(false) };
    let Some(totp) = user.totp.as_mut().filter(|totp| step > totp.last_step) else { return Ok(false) };
    totp.last_step = step;
    to.put_user(user)?;
    Ok(true)
}

pub(super) fn consume_backup_code(
    to: &mut Writing<'_>,
    id: UserId,
    hash: [u8; 32],
) -> Result<Option<usize>, StoreError> {
    let Some(mut user) = to.read().user(&id)? else { return Ok(None) };
    let Some(place) = user.backup_codes.iter().position(|code| *code == hash) else { return Ok(None) };
    user.backup_codes.remove(place);
    let remaining = user.backup_codes.len();
    to.put_user(user)?;
    Ok(Some(remaining))
}

/// A session that is there already stays as it is: the call may be a repetition, and the session may have ended since.
pub(super) fn open_session(to: &mut Writing<'_>, session: Session) -> Result<(), StoreError> {
    if to.read().session(&session.sid)?.is_none() {
        let named_until = session.expires;
        let account = to.read().user(&session.user)?;
        put_new(to, session, named_until, account.as_ref())?;
    }
    Ok(())
}

pub(super) fn sign_in(
    to: &mut Writing<'_>,
    session: Session,
    password_changed: Option<Wall>,
) -> Result<bool, StoreError> {
    let account = to.read().user(&session.user)?;
    let current = account.is_some_and(|user| !user.disabled && user.password_changed == password_changed);
    if current {
        open_session(to, session)?;
    }
    Ok(current)
}

pub(super) fn open_external(
    to: &mut Writing<'_>,
    identity: ExternalIdentity,
    fresh_user: UserId,
    template: Session,
) -> Result<ExternalOpened, StoreError> {
    if let Some(known) = to.read().external(&identity.key)? {
        let session = known.session.clone();
        if identity.expires > known.named_until {
            let mut longer = known.clone();
            longer.named_until = identity.expires;
            to.put_session(Some(&known), longer)?;
        }
        return Ok(ExternalOpened::Known(session));
    }
    let user = external_account(to, &identity, fresh_user, template.opened)?;
    let named_until = template.expires.max(identity.expires);
    let origin = session::Origin::External(Box::new(identity.key));
    let session = Session { user: user.id, origin, ..template };
    put_new(to, session, named_until, Some(&user)).map(ExternalOpened::New)
}

/// The account with the identity's name, whatever its source, or a new one. An account that came from this issuer
/// follows the issuer's role; any other keeps its own.
fn external_account(
    to: &mut Writing<'_>,
    identity: &ExternalIdentity,
    fresh: UserId,
    at: Wall,
) -> Result<User, StoreError> {
    let source = UserSource::Issuer(identity.key.issuer.clone());
    let Some(mut user) = to.read().user_by_name(&identity.name)? else {
        let user = User {
            id: fresh,
            name: identity.name.clone(),
            display: String::new(),
            email: identity.email.clone(),
            role: identity.role.clone().unwrap_or_default(),
            source,
            password: None,
            disabled: false,
            totp: None,
            backup_codes: vec![],
            created: at,
            password_changed: None,
            high_security: true,
            known: Vec::new(),
        };
        to.put_user(user.clone())?;
        return Ok(user);
    };
    let role = identity.role.clone().filter(|role| user.source == source && *role != user.role);
    if let Some(role) = role {
        user.role = role;
        to.put_user(user.clone())?;
    }
    Ok(user)
}

/// Writes a new session. One whose account has been disabled or removed in the meantime is born ended: the sign-in
/// that opened it was overtaken.
fn put_new(
    to: &mut Writing<'_>,
    mut session: Session,
    named_until: Wall,
    account: Option<&User>,
) -> Result<Session, StoreError> {
    if account.is_none_or(|user| user.disabled) {
        session.ended = Some(Ended { at: session.opened, why: EndReason::AccountDisabled });
    }
    to.put_session(None, Kept::new(session.clone(), named_until))?;
    Ok(session)
}

pub(super) fn rotate(to: &mut Writing<'_>, presented: &Presented) -> Result<Option<Rotation>, StoreError> {
    change_session(to, &presented.sid, |session| session::rotate(session, presented))
}

pub(super) fn mark_seen(to: &mut Writing<'_>, sid: Sid, generation: u64, at: Wall) -> Result<(), StoreError> {
    change_session(to, &sid, |session| session::mark_seen(session, generation, at)).map(|_| ())
}

pub(super) fn elevate(to: &mut Writing<'_>, sid: Sid, elevation: Elevation) -> Result<bool, StoreError> {
    let elevated = change_session(to, &sid, |session| session::elevate(session, elevation))?;
    Ok(elevated.unwrap_or(false))
}

pub(super) fn change_session_state(
    to: &mut Writing<'_>,
    sid: Sid,
    change: SessionChange,
    at: Wall,
) -> Result<bool, StoreError> {
    let changed = change_session(to, &sid, |session| session::change(session, change, at))?;
    Ok(changed.unwrap_or(false))
}

pub(super) fn end(to: &mut Writing<'_>, which: Which, why: EndReason, at: Wall) -> Result<usize, StoreError> {
    let sids = match which {
        Which::One(sid) => {
            let was_alive = change_session(to, &sid, |session| session::end(session, why, at))?;
            return Ok(usize::from(was_alive.unwrap_or(false)));
        }
        Which::AllOf(user) => to.read().sessions_of(&user)?,
        Which::OthersOf(user, kept) => {
            let all = to.read().sessions_of(&user)?;
            all.into_iter().filter(|sid| *sid != kept).collect()
        }
    };
    let mut ended = 0;
    for sid in sids {
        let was_alive = change_readable_session(to, &sid, |session| session::end(session, why, at))?;
        ended += usize::from(was_alive.unwrap_or(false));
    }
    Ok(ended)
}

pub(super) fn touch(to: &mut Writing<'_>, uses: &[(Sid, Wall)]) -> Result<(), StoreError> {
    for (sid, at) in uses {
        change_session(to, sid, |session| session::touch(session, *at))?;
    }
    Ok(())
}

pub(super) fn purge(to: &mut Writing<'_>, now: Wall, limit: usize) -> Result<usize, StoreError> {
    let due = to.read().due(now, limit)?;
    for kept in &due {
        to.remove_session(kept)?;
    }
    bans::purge(to, now, limit)?;
    failures::purge(to, now)?;
    Ok(due.len())
}

/// Applies a transition and writes the record if it changed. `None`: no such session.
pub(super) fn change_session<T>(
    to: &mut Writing<'_>,
    sid: &Sid,
    transition: impl FnOnce(&mut Session) -> T,
) -> Result<Option<T>, StoreError> {
    let old = to.read().session(sid)?;
    change_kept(to, old, transition)
}

/// The same where one of many is meant: one that cannot be read must not keep the others from being changed.
fn change_readable_session<T>(
    to: &mut Writing<'_>,
    sid: &Sid,
    transition: impl FnOnce(&mut Session) -> T,
) -> Result<Option<T>, StoreError> {
    let old = to.read().readable_session(sid)?;
    change_kept(to, old, transition)
}

fn change_kept<T>(
    to: &mut Writing<'_>,
    old: Option<Kept>,
    transition: impl FnOnce(&mut Session) -> T,
) -> Result<Option<T>, StoreError> {
    let Some(old) = old else { return Ok(None) };
    let mut new = old.clone();
    let outcome = transition(&mut new.session);
    if new.session != old.session {
        to.put_session(Some(&old), new)?;
    }
    Ok(Some(outcome))
}
