//! The order of the questions, from credential to grant. The only place where a [`Grant`] is made.

use std::sync::Arc;

use super::{
    api_key::{ApiKey, KeyId},
    facts::{Facts, PresentedKey},
    identity::{Role, User, UserId},
    outcome::{Access, Actor, Bearer, DecisionId, Grant, Holder, Judgement, Outcome},
    policy::{Page, Ruling, Verdict},
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
    /// The API key with this id.
    fn key(&self, id: &KeyId) -> Option<Arc<ApiKey>>;
    /// Whether High Security Mode is on for this account: for it and for the installation.
    fn high_security(&self, user: &User) -> bool;
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

/// A credential that is good, with the account that it belongs to.
#[derive(Clone, Debug)]
pub struct Signed {
    /// What was shown.
    pub credential: Credential,
    /// The account whose credential it is: the operator's own while somebody is impersonated.
    pub user: Arc<User>,
    /// The role of that account that counts now.
    pub role: Role,
    /// The refresh generation that an access token of ours proves to have arrived.
    pub generation: Option<u64>,
}

/// What was shown, with its record.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A token of this session.
    Session(Arc<Session>),
    /// This API key.
    Key(Arc<ApiKey>),
}

impl Credential {
    /// The session, unless it is an API key.
    pub fn session(&self) -> Option<&Arc<Session>> {
        match self {
            Self::Session(session) => Some(session),
            Self::Key(_) => None,
        }
    }
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
    if let Some(presented) = facts.presented.api_key {
        return Step::Done(alone(facts, bench).and_then(|()| key_holder(presented, bench)));
    }
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
    let signed = match bearer.holder {
        Holder::Key(id) => key_holder(PresentedKey::Key(id), bench),
        Holder::Session(sid) => {
            let Some(session) = bench.view.session(&sid) else { return false };
            living(session, bench).map(|(session, user)| {
                let unchanged = user.role == bearer.owner().role;
                let role = Role::clone(if unchanged { bearer.owner_role() } else { &user.role });
                Signed { credential: Credential::Session(session), user, role, generation: None }
            })
        }
    };
    let again = signed.map(|signed| weigh(&signed, &ruling, bench).outcome);
    // The tunnel was opened in somebody's name: it must still be the same one.
    let same = |grant: &Grant| grant.bearer().is_some_and(|now| now.user.id == bearer.user.id);
    matches!(again, Ok(Outcome::Allow(grant)) if same(&grant))
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
    let (role, credential) = (Role::clone(&user.role), Credential::Session(session));
    Step::Done(Ok(Signed { credential, user, role, generation: Some(claims.generation) }))
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
        Ok(Signed { credential: Credential::Session(session), user, role, generation: None })
    }))
}

/// An API key stands alone: whoever sends a session or an issuer's token beside it does not know in whose name he asks
/// (R19).
fn alone(facts: &Facts, bench: Bench<'_>) -> Result<(), Reason> {
    let conflict = Err(Reason::ConflictingCredentials);
    match (own_claims(facts, bench), external_identity(facts, bench)) {
        (Ok(None), Ok(None) | Err(Reason::BadCredential)) if facts.presented.access.is_empty() => Ok(()),
        _ => conflict,
    }
}

/// The key with its owner, if both can be used now.
fn key_holder(presented: PresentedKey, bench: Bench<'_>) -> Result<Signed, Reason> {
    let PresentedKey::Key(id) = presented else { return Err(Reason::BadCredential) };
    let key = bench.view.key(&id).filter(|key| key.site == bench.site.id).ok_or(Reason::BadCredential)?;
    if key.has_expired(bench.at) {
        return Err(Reason::KeyExpired);
    }
    let user = bench.view.user(&key.user).ok_or(Reason::BadCredential)?;
    if user.disabled {
        return Err(Reason::AccountDisabled);
    }
    let role = Role::clone(&user.role);
    Ok(Signed { credential: Credential::Key(key), user, role, generation: None })
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

/// The policy's word on a good credential.
fn weigh(signed: &Signed, ruling: &Ruling<'_>, bench: Bench<'_>) -> Judgement {
    let policy = &bench.site.policy;
    let weighed = match &signed.credential {
        _ if !policy.roles().contains(&signed.role) => Err(Refused::Deny(Reason::UnknownRole)),
        _ if policy.requires_second_factor(&signed.role) && signed.user.totp.is_none() => {
            Err(Refused::Deny(Reason::NeedsEnrolment))
        }
        Credential::Key(key) => weigh_key(signed, key, ruling, bench),
        Credential::Session(session) => weigh_session(signed, session, ruling, bench),
    };
    match weighed {
        Ok(Weighed { have, reason, bearer }) => {
            let page = ruling.page.map(|page| Arc::clone(&page.name));
            let site = Arc::clone(&bench.site.id);
            let grant = Grant::new(Some(bearer), have, ruling.needs, site, page, bench.decision);
            bench.says(Outcome::Allow(Box::new(grant)), reason, ruling.page)
        }
        Err(Refused::StepUp { readable }) => {
            bench.says(Outcome::StepUp { readable }, Reason::NeedsElevation, ruling.page)
        }
        Err(Refused::Deny(reason)) => bench.says(Outcome::Deny(reason), reason, ruling.page),
    }
}

/// A no of the policy.
enum Refused {
    StepUp { readable: bool },
    Deny(Reason),
}

/// What a yes is made of.
struct Weighed {
    have: Access,
    reason: Reason,
    bearer: Bearer,
}

fn weigh_session(
    signed: &Signed,
    session: &Session,
    ruling: &Ruling<'_>,
    bench: Bench<'_>,
) -> Result<Weighed, Refused> {
    let policy = &bench.site.policy;
    let until = policy.elevated_until(ruling.page, session.elevation).filter(|until| *until > bench.at);
    let relaxed = !bench.view.high_security(&signed.user);
    let over = |_| Refused::Deny(Reason::ImpersonationOver);
    let acting = acting(&signed.user, &signed.role, session, bench).map_err(over)?;
    let role = acting.as_ref().map_or(&signed.role, |acting| &acting.user.role);
    let (have, reason) = match policy.verdict(ruling, role, until.is_some() || relaxed) {
        Verdict::Allow { have, at_once: true } => (have, Reason::RoleAllows),
        Verdict::Allow { have, .. } if until.is_some() => (have, Reason::ElevatedAllows),
        Verdict::Allow { have, .. } => (have, Reason::RelaxedAllows),
        Verdict::StepUp { readable } => return Err(Refused::StepUp { readable }),
        Verdict::Deny(reason) => return Err(Refused::Deny(reason)),
    };
    let most = if acting.as_ref().is_none_or(|acting| acting.write) { Access::Full } else { Access::Read };
    if ruling.needs > most {
        return Err(Refused::Deny(Reason::ImpersonationReadOnly));
    }
    let bearer = Bearer {
        user: Arc::clone(acting.as_ref().map_or(&signed.user, |acting| &acting.user)),
        role: Role::clone(role),
        holder: Holder::Session(session.sid),
        public: session.sid.public(),
        elevated_until: until,
        actor: acting.map(|_| Actor { user: Arc::clone(&signed.user), role: Role::clone(&signed.role) }),
    };
    Ok(Weighed { have: have.min(most), reason, bearer })
}

/// The lower of the key's scope and what its owner's role has elevated: that more than its owner has at once needed
/// the second factor was asked for when the key was made.
fn weigh_key(
    signed: &Signed,
    key: &ApiKey,
    ruling: &Ruling<'_>,
    bench: Bench<'_>,
) -> Result<Weighed, Refused> {
    let Verdict::Allow { have, .. } = bench.site.policy.verdict(ruling, &signed.role, true) else {
        let reason = if ruling.page.is_some() { Reason::RoleLacksAccess } else { Reason::NoPage };
        return Err(Refused::Deny(reason));
    };
    let reads = ruling.page.is_some_and(|page| key.has(page.scope_read.as_ref()));
    let writes = ruling.page.is_some_and(|page| key.has(page.scope_write.as_ref()));
    let scope = match ruling.needs {
        Access::Full if writes => Access::Full,
        Access::Read if reads && writes => Access::Full,
        Access::Read if reads => Access::Read,
        Access::None | Access::Read | Access::Full => return Err(Refused::Deny(Reason::KeyLacksScope)),
    };
    let bearer = Bearer {
        user: Arc::clone(&signed.user),
        role: Role::clone(&signed.role),
        holder: Holder::Key(key.id),
        public: key.id.public(),
        elevated_until: None,
        actor: None,
    };
    Ok(Weighed { have: have.min(scope), reason: Reason::KeyAllows, bearer })
}

/// As whom an operator acts.
#[derive(Clone, Debug)]
pub struct Acting {
    /// The account that is acted for.
    pub user: Arc<User>,
    /// Whether changes are allowed.
    pub write: bool,
}

/// Why an impersonation that nobody has left is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Its time is up.
    Time,
    /// The account that was acted for is gone or disabled.
    Account,
    /// The operator has lost the right: a role has changed, or the own second factor is gone.
    Right,
}

/// Whom the session's user acts for, if anybody. Whatever has ended the impersonation, it has to be left first: a
/// form that was filled in for somebody else must not be carried out in the operator's own name.
pub fn acting(
    operator: &User,
    role: &Role,
    session: &Session,
    bench: Bench<'_>,
) -> Result<Option<Acting>, Over> {
    let Some(impersonation) = &session.impersonation else { return Ok(None) };
    if bench.at >= impersonation.until {
        return Err(Over::Time);
    }
    let target = bench.view.user(&impersonation.user).filter(|user| !user.disabled).ok_or(Over::Account)?;
    if !may_impersonate(bench.site, operator, role, &target.role) {
        return Err(Over::Right);
    }
    Ok(Some(Acting { user: target, write: impersonation.write }))
}

/// Whether an operator may act as an account of this role: administrators with a second factor of their own, and only
/// for lower roles.
pub fn may_impersonate(site: &Site, operator: &User, role: &Role, target: &Role) -> bool {
    site.policy.administers(role) && operator.totp.is_some() && site.policy.outranks(role, target)
}
