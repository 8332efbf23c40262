//! The order of the questions, from credential to grant. The only place where a [`Grant`] is made.

mod shadow;

use std::sync::Arc;

pub use self::shadow::{Compared, compare};
use super::{
    api_key::{ApiKey, KeyId},
    facts::{Facts, PresentedKey},
    identity::{Role, User, UserId},
    outcome::{Actor, Bearer, DecisionId, Grant, Holder, Judgement, Outcome},
    place::Places,
    policy::{ActingAs, Answer, Case, Circumstances, Decided, Manner, Page, RuleSet, Ruling, Sitting, Who},
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
    /// What an access token says, as [`KeySet::read_access`] answers; memory may have it from an earlier request.
    fn access(&self, keys: &KeySet, text: &str, site: &str, now: Wall) -> Result<AccessClaims, BadToken> {
        keys.read_access(text, site, now)
    }
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
    /// Where addresses are.
    pub places: &'a Places,
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
    let docket = Docket::of(&bench.site.policy, facts, bench);
    match docket.decide(Who::Nobody).answer {
        Answer::SignIn => {}
        answer @ (Answer::Allow { .. } | Answer::StepUp { .. } | Answer::Deny(_) | Answer::BadRequest) => {
            return Step::Done((docket.judgement(answer, None), None));
        }
    }
    match who(facts, bench) {
        Step::Done(Ok(signed)) => Step::Done((docket.weigh(&signed), Some(signed))),
        Step::Done(Err(reason)) => {
            Step::Done((bench.says(Outcome::SignIn(reason), reason, docket.ruling.page), None))
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
    let docket = Docket::of(&bench.site.policy, facts, bench);
    let Some(bearer) = grant.bearer() else {
        return matches!(docket.decide(Who::Nobody).answer, Answer::Allow { .. });
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
    let again = signed.map(|signed| docket.weigh(&signed).outcome);
    // The tunnel was opened in somebody's name: it must still be the same one.
    let same = |grant: &Grant| grant.bearer().is_some_and(|now| now.user.id == bearer.user.id);
    matches!(again, Ok(Outcome::Allow(grant)) if same(&grant))
}

impl Bench<'_> {
    /// Puts an outcome and its reason together.
    pub fn says(&self, outcome: Outcome, reason: Reason, page: Option<&Page>) -> Judgement {
        let page = page.map(|page| Arc::clone(&page.name));
        Judgement { outcome, reason, page, acting_for: None, decision: self.decision, at: self.at }
    }
}

/// The claims of our own access token, if one was presented. "Malformed" is never "absent" (R3).
fn own_claims(facts: &Facts, bench: Bench<'_>) -> Result<Option<AccessClaims>, Reason> {
    let presented = &facts.presented;
    let cookie = match presented.access.as_slice() {
        [] => None,
        [one] => Some(one),
        [_, _, ..] => return Err(Reason::ConflictingCredentials),
    };
    let read = |text: &str| bench.view.access(bench.keys, text, &bench.site.id, bench.at);
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

/// What another policy answers to the same request, made by the same person.
pub fn under(policy: &RuleSet, facts: &Facts, signed: Option<&Signed>, bench: Bench<'_>) -> Answer {
    let docket = Docket::of(policy, facts, bench);
    match signed {
        None => docket.decide(Who::Nobody).answer,
        Some(signed) => docket.decide_for(signed, docket.acting(signed).as_ref()).answer,
    }
}

/// From where and when a request comes, as far as the page's conditions ask.
pub fn circumstances(page: Option<&Page>, facts: &Facts, bench: Bench<'_>) -> Circumstances {
    let client = facts.client.certain();
    // Looked up only where it matters: it is the slowest question of all.
    let asked = page.is_some_and(RuleSet::asks_country);
    let country = client.filter(|_| asked).and_then(|ip| bench.places.country_code(ip));
    Circumstances { client, country, at: bench.at }
}

/// A request with what the policy says about it before anybody is known.
struct Docket<'a> {
    bench: Bench<'a>,
    policy: &'a RuleSet,
    facts: &'a Facts,
    ruling: Ruling<'a>,
    circumstances: Circumstances,
}

impl<'a> Docket<'a> {
    fn of(policy: &'a RuleSet, facts: &'a Facts, bench: Bench<'a>) -> Self {
        let ruling = policy.rule(facts);
        Self { bench, policy, facts, ruling, circumstances: circumstances(ruling.page, facts, bench) }
    }

    fn decide(&self, who: Who<'_>) -> Decided<'a> {
        let (target, manner) = (&self.facts.target, Manner::of(self.facts));
        self.policy.decide_on(self.ruling, &Case { target, manner, circumstances: self.circumstances, who })
    }

    fn acting(&self, signed: &Signed) -> Option<Result<Acting, Over>> {
        let session = signed.credential.session()?;
        acting_under(self.policy, &signed.user, &signed.role, session, self.bench).transpose()
    }

    fn decide_for(&self, signed: &Signed, acting: Option<&Result<Acting, Over>>) -> Decided<'a> {
        let (role, enrolled) = (&signed.role, signed.user.totp.is_some());
        let who = match &signed.credential {
            Credential::Key(key) => Who::Key { role, enrolled, scopes: &key.scopes },
            Credential::Session(session) => Who::Session(Sitting {
                role,
                enrolled,
                proof: session.elevation,
                relaxed: !self.bench.view.high_security(&signed.user),
                acting: acting.map(|acting| match acting {
                    Ok(acting) => ActingAs::Account { role: &acting.user.role, write: acting.write },
                    Err(_) => ActingAs::Over,
                }),
            }),
        };
        self.decide(who)
    }

    /// The policy's word on a good credential.
    fn weigh(&self, signed: &Signed) -> Judgement {
        let acting = self.acting(signed);
        let decided = self.decide_for(signed, acting.as_ref());
        let acting = acting.as_ref().and_then(|acting| acting.as_ref().ok());
        let bearer = bearer(signed, acting, decided.until);
        let acting_for = acting.map(|acting| Arc::clone(&acting.user));
        Judgement { acting_for, ..self.judgement(decided.answer, Some(bearer)) }
    }

    fn judgement(&self, answer: Answer, bearer: Option<Bearer>) -> Judgement {
        let reason = answer.reason();
        let outcome = match answer {
            Answer::Allow { have, .. } => {
                let page = self.ruling.page.map(|page| Arc::clone(&page.name));
                let (site, decision) = (Arc::clone(&self.bench.site.id), self.bench.decision);
                Outcome::Allow(Grant::new(bearer, have, self.ruling.needs, site, page, decision))
            }
            Answer::SignIn => Outcome::SignIn(reason),
            Answer::StepUp { readable } => Outcome::StepUp { readable },
            Answer::Deny(reason) => Outcome::Deny(reason),
            Answer::BadRequest => Outcome::BadRequest(reason),
        };
        self.bench.says(outcome, reason, self.ruling.page)
    }
}

fn bearer(signed: &Signed, acting: Option<&Acting>, until: Option<Wall>) -> Bearer {
    let user = acting.map_or(&signed.user, |acting| &acting.user);
    let role = acting.map_or(&signed.role, |acting| &acting.user.role);
    let (holder, public) = match &signed.credential {
        Credential::Session(session) => (Holder::Session(session.sid), session.sid.public()),
        Credential::Key(key) => (Holder::Key(key.id), key.id.public()),
    };
    Bearer {
        user: Arc::clone(user),
        role: Role::clone(role),
        holder,
        public,
        elevated_until: until,
        actor: acting.map(|_| Actor { user: Arc::clone(&signed.user), role: Role::clone(&signed.role) }),
    }
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
    acting_under(&bench.site.policy, operator, role, session, bench)
}

fn acting_under(
    policy: &RuleSet,
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
    if !may_impersonate(policy, operator, role, &target.role) {
        return Err(Over::Right);
    }
    Ok(Some(Acting { user: target, write: impersonation.write }))
}

/// Whether an operator may act as an account of this role: administrators with a second factor of their own, and only
/// for lower roles.
pub fn may_impersonate(policy: &RuleSet, operator: &User, role: &Role, target: &Role) -> bool {
    policy.administers(role) && operator.totp.is_some() && policy.outranks(role, target)
}
