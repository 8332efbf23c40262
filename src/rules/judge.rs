//! The order of the questions, from credential to grant. The only place where a [`Grant`] is made.

use std::sync::Arc;

use super::{
    facts::Facts,
    identity::{Role, User, UserId},
    outcome::{Access, Bearer, DecisionId, Grant, Judgement, Outcome},
    policy::{Levels, Page, Ruling},
    reason::Reason,
    session::{EndReason, ExternalIdentity, ExternalKey, Session, Sid, Status, status},
    site::Site,
    token::{AccessClaims, BadToken, Issuers, KeySet},
};
use crate::clock::Wall;

/// What judging may look at. `live` implements it over its maps.
pub trait View {
    /// The session, if it is in memory.
    fn session(&self, sid: &Sid) -> Option<Arc<Session>>;
    /// The session opened for an issuer's session claim, if it is in memory.
    fn external(&self, key: &ExternalKey) -> Option<Arc<Session>>;
    /// The account.
    fn user(&self, id: &UserId) -> Option<Arc<User>>;
    /// When the session was last used; memory may know of uses that the record does not.
    fn last_seen(&self, session: &Session) -> Wall;
}

/// The constant part of a judgement.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// The site the request is for.
    pub site: &'a Site,
    /// Our own keys.
    pub keys: &'a KeySet,
    /// Other people's keys.
    pub issuers: &'a Issuers,
    /// What is in memory.
    pub view: &'a dyn View,
    /// Now.
    pub at: Wall,
    /// The name this decision will have.
    pub decision: DecisionId,
}

/// The judgement, or what must be fetched first.
#[derive(Debug)]
pub enum Step<T> {
    /// Done.
    Done(T),
    /// A session is named that is not in memory.
    NeedSession(Sid),
    /// A trusted issuer's session is seen for the first time.
    NeedExternal(Box<ExternalIdentity>),
}

/// A live session with its account.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The session.
    pub session: Arc<Session>,
    /// The account.
    pub user: Arc<User>,
    /// The role that counts now.
    pub role: Role,
    /// The refresh generation that an access token of ours proves to have arrived.
    pub generation: Option<u64>,
}

/// Judges one request.
pub fn judge(facts: &Facts, bench: Bench<'_>) -> Step<(Judgement, Option<Signed>)> {
    let ruling = bench.site.policy.rule(facts);
    if let Some(refused) = refuse_ambiguity(facts, &ruling, bench) {
        return Step::Done((refused, None));
    }
    if let Some(page) = ruling.page.filter(|page| page.anonymous >= ruling.needs) {
        return Step::Done((open_to_all(page, &ruling, bench), None));
    }
    match who(facts, bench) {
        Step::Done(Ok(signed)) => Step::Done((weigh(&signed, &ruling, bench), Some(signed))),
        Step::Done(Err(reason)) => {
            Step::Done((bench.says(Outcome::SignIn(reason), reason, ruling.page), None))
        }
        Step::NeedSession(sid) => Step::NeedSession(sid),
        Step::NeedExternal(identity) => Step::NeedExternal(identity),
    }
}

/// Whose request it is, whatever the policy says about the page.
pub fn who(facts: &Facts, bench: Bench<'_>) -> Step<Result<Signed, Reason>> {
    let own = own_claims(facts, bench);
    match own {
        Ok(Some(claims)) => own_session(facts, &claims, bench),
        Ok(None) => external_session(facts, Reason::NoCredential, bench),
        Err(reason) => Step::Done(Err(reason)),
    }
}

/// Whether a grant that was given earlier would be given again now (R12, R23): for connections that stay open.
pub fn still_holds(grant: &Grant, facts: &Facts, bench: Bench<'_>) -> bool {
    let ruling = bench.site.policy.rule(facts);
    let Some(bearer) = grant.bearer() else {
        return ruling.page.is_some_and(|page| page.anonymous >= ruling.needs);
    };
    let Some(session) = bench.view.session(&bearer.sid) else { return false };
    match living(session, bench) {
        Ok((session, user)) => {
            let role = if user.role == bearer.user.role {
                Role::clone(&bearer.role)
            } else {
                Role::clone(&user.role)
            };
            let signed = Signed { session, user, role, generation: None };
            matches!(weigh(&signed, &ruling, bench).outcome, Outcome::Allow(_))
        }
        Err(_) => false,
    }
}

impl Bench<'_> {
    /// Puts an outcome and its reason together.
    pub fn says(&self, outcome: Outcome, reason: Reason, page: Option<&Page>) -> Judgement {
        let page = page.map(|page| Arc::clone(&page.name));
        Judgement { outcome, reason, page, decision: self.decision, at: self.at }
    }
}

fn refuse_ambiguity(facts: &Facts, ruling: &Ruling<'_>, bench: Bench<'_>) -> Option<Judgement> {
    let opened = |class| ruling.page.is_some_and(|page| page.allow_in_path.contains(class));
    let closed = facts.target.ambiguities.iter().any(|class| !opened(class));
    let reason = Reason::AmbiguousTarget;
    closed.then(|| bench.says(Outcome::BadRequest(reason), reason, ruling.page))
}

fn open_to_all(page: &Page, ruling: &Ruling<'_>, bench: Bench<'_>) -> Judgement {
    let site = Arc::clone(&bench.site.id);
    let name = Some(Arc::clone(&page.name));
    let grant = Grant::new(None, page.anonymous, ruling.needs, site, name, bench.decision);
    bench.says(Outcome::Allow(Box::new(grant)), Reason::Anonymous, Some(page))
}

/// The claims of our own access token, if one was presented. "Malformed" is never "absent" (R3).
fn own_claims(facts: &Facts, bench: Bench<'_>) -> Result<Option<AccessClaims>, Reason> {
    let presented = &facts.presented;
    let cookie = match presented.access.as_slice() {
        [] => None,
        [one] => Some(one),
        [_, _, ..] => return Err(Reason::ConflictingCredentials),
    };
    let read = |text: &str| bench.keys.read_access(text, &bench.site.id, bench.at);
    let cookie = cookie.map(|text| read(text.expose()).map_err(|_| Reason::BadCredential)).transpose()?;
    // The panel may use bearer tokens of its own: only one that is ours counts, and only one that is nobody's and
    // stands alone is refused.
    let bearer = presented.bearer.as_ref().and_then(|text| read(text.expose()).ok());
    match (cookie, bearer) {
        (Some(cookie), Some(bearer)) if cookie.sid != bearer.sid => Err(Reason::ConflictingCredentials),
        (Some(claims), _) | (None, Some(claims)) => Ok(Some(claims)),
        (None, None) => Ok(None),
    }
}

/// Our own session, unless a trusted issuer's token beside it names another account: the panel reads that one itself.
fn own_session(facts: &Facts, claims: &AccessClaims, bench: Bench<'_>) -> Step<Result<Signed, Reason>> {
    let Some(session) = bench.view.session(&claims.sid) else { return Step::NeedSession(claims.sid) };
    let (session, user) = match living(session, bench) {
        Ok(living) => living,
        Err(reason) => return Step::Done(Err(reason)),
    };
    if bench.at >= claims.exp {
        return external_session(facts, Reason::AccessExpired, bench);
    }
    let contradicted = match external_identity(facts, bench) {
        Ok(found) => found.is_some_and(|identity| identity.name != user.name),
        Err(reason) => reason == Reason::ConflictingCredentials,
    };
    if contradicted {
        return Step::Done(Err(Reason::ConflictingCredentials));
    }
    let role = Role::clone(&user.role);
    let generation = Some(claims.generation);
    Step::Done(Ok(Signed { session, user, role, generation }))
}

/// The session of a trusted issuer's token; `otherwise` is the answer when none was presented.
fn external_session(facts: &Facts, otherwise: Reason, bench: Bench<'_>) -> Step<Result<Signed, Reason>> {
    let identity = match external_identity(facts, bench) {
        Ok(Some(identity)) => identity,
        Ok(None) => return Step::Done(Err(otherwise)),
        Err(Reason::BadCredential) if otherwise != Reason::NoCredential => return Step::Done(Err(otherwise)),
        Err(reason) => return Step::Done(Err(reason)),
    };
    let Some(session) = bench.view.external(&identity.key) else {
        return Step::NeedExternal(Box::new(identity));
    };
    Step::Done(living(session, bench).and_then(|(session, user)| {
        if user.name != identity.name {
            return Err(Reason::ConflictingCredentials);
        }
        let role = identity.role.unwrap_or_else(|| Role::clone(&user.role));
        Ok(Signed { session, user, role, generation: None })
    }))
}

/// Whom the presented tokens of trusted issuers name. Two of one cookie's values that name different sessions, or of
/// which one is forged, are a conflict: nobody knows which of them the panel reads (R19). A stale one is no matter.
fn external_identity(facts: &Facts, bench: Bench<'_>) -> Result<Option<ExternalIdentity>, Reason> {
    let presented = &facts.presented;
    let mut found: Option<ExternalIdentity> = None;
    let mut bad = None;
    for (issuer, text) in &presented.external {
        match bench.issuers.verify(issuer, text.expose(), bench.at) {
            Ok(identity) if found.as_ref().is_some_and(|first| first.key != identity.key) => {
                return Err(Reason::ConflictingCredentials);
            }
            Ok(identity) => found = Some(identity),
            Err(BadToken::Invalid) => bad = Some(BadToken::Invalid),
            Err(BadToken::Expired) => bad = bad.or(Some(BadToken::Expired)),
        }
    }
    match (found, bad) {
        (Some(_), Some(BadToken::Invalid)) if presented.external_doubled => {
            Err(Reason::ConflictingCredentials)
        }
        (None, Some(_)) => Err(Reason::BadCredential),
        (found, _) => Ok(found),
    }
}

/// The session with its account, if both can be used now (R12).
fn living(session: Arc<Session>, bench: Bench<'_>) -> Result<(Arc<Session>, Arc<User>), Reason> {
    if session.site != bench.site.id {
        return Err(Reason::BadCredential);
    }
    match status(&session, bench.view.last_seen(&session), bench.at) {
        Status::Alive => {}
        Status::Ended(EndReason::AccountDisabled) => return Err(Reason::AccountDisabled),
        Status::Ended(_) => return Err(Reason::SessionEnded),
        Status::Idle | Status::Expired => return Err(Reason::SessionExpired),
    }
    let user = bench.view.user(&session.user).ok_or(Reason::SessionEnded)?;
    if user.disabled { Err(Reason::AccountDisabled) } else { Ok((session, user)) }
}

/// The policy's word on a live session.
fn weigh(signed: &Signed, ruling: &Ruling<'_>, bench: Bench<'_>) -> Judgement {
    let policy = &bench.site.policy;
    let page = ruling.page;
    let deny = |reason| bench.says(Outcome::Deny(reason), reason, page);
    if !policy.roles().contains(&signed.role) {
        return deny(Reason::UnknownRole);
    }
    if policy.requires_second_factor(&signed.role) && signed.user.totp.is_none() {
        return deny(Reason::NeedsEnrolment);
    }
    let until = policy.elevated_until(page, signed.session.elevation).filter(|until| *until > bench.at);
    let levels = policy.levels(page, &signed.role);
    let have = if until.is_some() { levels.elevated } else { levels.unelevated };
    if have >= ruling.needs {
        let reason =
            if levels.unelevated >= ruling.needs { Reason::RoleAllows } else { Reason::ElevatedAllows };
        let grant = grant(signed, have, until, ruling, bench);
        return bench.says(Outcome::Allow(Box::new(grant)), reason, page);
    }
    refuse(levels, ruling, until.is_some(), bench)
}

fn refuse(levels: Levels, ruling: &Ruling<'_>, elevated: bool, bench: Bench<'_>) -> Judgement {
    if !elevated && levels.elevated >= ruling.needs {
        let readable = levels.unelevated >= Access::Read;
        return bench.says(Outcome::StepUp { readable }, Reason::NeedsElevation, ruling.page);
    }
    let reason = if ruling.page.is_some() { Reason::RoleLacksAccess } else { Reason::NoPage };
    bench.says(Outcome::Deny(reason), reason, ruling.page)
}

fn grant(signed: &Signed, have: Access, until: Option<Wall>, ruling: &Ruling<'_>, bench: Bench<'_>) -> Grant {
    let bearer = bearer(signed, until);
    let page = ruling.page.map(|page| Arc::clone(&page.name));
    Grant::new(Some(bearer), have, ruling.needs, Arc::clone(&bench.site.id), page, bench.decision)
}

/// Who is signed in, as the panel and the portal see it.
pub fn bearer(signed: &Signed, elevated_until: Option<Wall>) -> Bearer {
    Bearer {
        user: Arc::clone(&signed.user),
        role: Role::clone(&signed.role),
        sid: signed.session.sid,
        public: signed.session.sid.public(),
        elevated_until,
    }
}
