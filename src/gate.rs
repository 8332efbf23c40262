//! The order of one request: limit → credential → session → policy → grant, touch.
//!
//! Both doors and the portal ask here. At most two store reads, only on a miss.

pub mod accounts;
pub mod failure_line;
pub mod failures;
pub mod journal;
mod missing;
pub mod panel;
mod quotas;
mod refusal;
#[cfg(test)]
mod tests;
pub mod trace;
mod traps;

use std::{net::IpAddr, sync::Arc, time::Duration};

use http::HeaderValue;
use tokio::sync::mpsc;

pub use self::refusal::{Refusal, RefusalAudience, RefusalKind};
use self::{
    accounts::{Accounts, Matter},
    journal::{Archive, Item, watch::Watches},
    panel::{AskPanel, Panels},
};
pub use crate::live::Stage;
use crate::{
    clock::{Clock, Moment, Wall},
    entropy::Entropy,
    live::{Class, Live, Opener, Snapshot},
    rules::{
        address::NetworkKey,
        api_key::KeyUse,
        facts::{Ask, BadAsk, Door, Facts},
        failures::Failure,
        identity::{Role, User, UserId},
        judge::{self, Acting, Bench, Credential, Over, Signed, Step, View},
        outcome::{Access, Actor, Bearer, DecisionId, Grant, Holder, Judgement, Outcome},
        reason::Reason,
        session::{ExternalIdentity, Family, Origin, PublicId, Session, Sid},
        site::{Assertion, Site},
        token::{AssertionClaims, RequestBinding},
    },
    secret::SecretBytes,
    store::{ExternalOpened, Store, StoreError, Written},
};

/// One request on its way through the gate: what it is, which site it is for, and the snapshot it is judged under.
#[derive(Clone)]
pub struct Visit {
    /// The canonical description.
    pub facts: Arc<Facts>,
    /// The site.
    pub site: Arc<Site>,
    /// One generation for the whole request.
    pub snapshot: Arc<Snapshot>,
    /// Sampled once, at arrival.
    pub moment: Moment,
    /// Its place in a trace, while traces are on.
    pub trace: Option<Arc<trace::Trace>>,
}

/// Whose session a request to the portal belongs to.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session's own account, also while it impersonates another.
    pub user: Arc<User>,
    /// Its role that counts now.
    pub role: Role,
    /// The record.
    pub session: Arc<Session>,
    /// Its secret id.
    pub sid: Sid,
    /// Its public id.
    pub public: PublicId,
    /// End of the elevation where no page says otherwise, if elevated.
    pub elevated_until: Option<Wall>,
}

/// What the request path notices and leaves to a background task, so that no request waits for a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The current refresh generation has arrived in an access token.
    Seen {
        /// Of this session.
        sid: Sid,
        /// The generation.
        generation: u64,
        /// When.
        at: Wall,
    },
    /// Something was guessed that is no account's, such as a refresh token.
    Failed(Failure),
}

/// The gate.
pub struct Gate {
    live: Arc<Live>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    notes: mpsc::Sender<Note>,
    refusals: failures::Refusals,
    panels: Arc<Panels>,
    journal: journal::Journal,
    accounts: Option<Arc<dyn Accounts>>,
    tracer: Option<trace::Tracer>,
}

/// How many of its fetches one request may wait for.
const FETCHES: usize = 2;

/// The log target of decisions.
const DECISION: &str = "panelgate::decision";

impl Gate {
    /// Composes a gate. `notes` is drained by a task that writes to the store.
    pub fn new(
        live: Arc<Live>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        notes: mpsc::Sender<Note>,
    ) -> Self {
        Self {
            live,
            store,
            clock,
            entropy,
            notes,
            refusals: failures::Refusals::default(),
            panels: Arc::default(),
            journal: journal::Journal::default(),
            accounts: None,
            tracer: None,
        }
    }

    /// The same gate, which does nothing that has to be accounted for while that is not possible.
    pub fn accounting(self, accounts: Arc<dyn Accounts>) -> Self {
        Self { accounts: Some(accounts), ..self }
    }

    /// Whether what is done now can be accounted for.
    pub fn can_account(&self) -> bool {
        self.accounts.as_ref().is_none_or(|accounts| accounts.is_open())
    }

    /// The same gate, with a way to ask panels that keep their users.
    pub fn asking(self, panels: Arc<dyn AskPanel>) -> Self {
        Self { panels: Arc::new(Panels::new(panels)), ..self }
    }

    /// The same gate, with a journal of its decisions.
    pub fn journaling(self, queue: mpsc::Sender<Item>, archive: Arc<dyn Archive>) -> Self {
        Self { journal: journal::Journal::new(queue, archive), ..self }
    }

    /// Reads its decisions again.
    pub fn archive(&self) -> &dyn Archive {
        &*self.journal.archive
    }

    /// Requests that somebody follows while he sends them.
    pub fn watches(&self) -> &Watches {
        &self.journal.watches
    }

    /// The panels' own sessions.
    pub fn panels(&self) -> &Arc<Panels> {
        &self.panels
    }

    /// The memory it reads.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// The store it fetches from.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Samples the clocks; once per request.
    pub fn moment(&self) -> Moment {
        self.clock.moment()
    }

    /// Monotonic time, for measuring how long something takes.
    pub fn mono(&self) -> Duration {
        self.clock.mono()
    }

    /// The clock itself, for whatever runs beside the requests.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Random bytes for the portal and the doors.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// Describes a request under the snapshot of this moment. One that cannot be described, or comes from a banned
    /// address, is refused at once.
    pub fn describe(&self, ask: &Ask<'_>) -> Result<Visit, Box<Refusal>> {
        self.describe_under(self.live.snapshot(), ask)
    }

    /// The same under the snapshot by which the client's address was found.
    pub fn describe_under(&self, snapshot: Arc<Snapshot>, ask: &Ask<'_>) -> Result<Visit, Box<Refusal>> {
        let moment = self.moment();
        if self.live.banned_under(&snapshot, ask.client.ip, moment.wall).is_some() {
            self.live.records.bans().count_turned_away();
            let bad = BadAsk { reason: Reason::Banned, what: "the client's network is banned" };
            let refusal = self.undescribed(ask, &bad, moment.wall);
            return Err(Box::new(Refusal { kind: RefusalKind::Deny, ..refusal }));
        }
        match Facts::new(ask, &snapshot.sites) {
            Ok((facts, site)) => Ok(Visit { facts: Arc::new(facts), site, snapshot, moment, trace: None }),
            Err(bad) => Err(Box::new(self.undescribed(ask, &bad, moment.wall))),
        }
    }

    /// Whether a connection from this address is not worth a handshake.
    pub fn turns_away(&self, ip: IpAddr) -> bool {
        let banned = self.live.banned(ip, self.clock.wall()).is_some();
        if banned {
            self.live.records.bans().count_turned_away();
        }
        banned
    }

    /// Judges a request: charges its network, checks its credential, asks the policy. A yes that has to be accounted for
    /// comes when it is (R29); a refusal does not wait for that to succeed.
    pub async fn decide(&self, visit: &Visit) -> Judgement {
        let decision = DecisionId(self.entropy().array());
        let (judgement, receipt) =
            accounts::run(Matter::of(visit, decision), self.judge(visit, decision)).await;
        let accounted = !matches!(judgement.outcome, Outcome::Allow(_)) || receipt.is_written().await;
        let judgement = if accounted { judgement } else { failed(visit, decision, Reason::AuditUnavailable) };
        self.took(visit.facts.door, Stage::Decision, visit.moment.mono);
        self.trace_decision(visit, &judgement);
        judgement
    }

    /// Notes how long something took that began at `since`.
    pub fn took(&self, door: Door, stage: Stage, since: Duration) {
        let time = self.clock.mono().saturating_sub(since);
        self.live.meters.took(door, stage, time);
    }

    /// Notes that a panel has answered what was asked of it at `since`.
    pub fn panel_answered(&self, since: Duration) {
        self.live.meters.panel.answered();
        self.took(Door::Edge, Stage::Panel, since);
    }

    async fn judge(&self, visit: &Visit, decision: DecisionId) -> Judgement {
        if let Some(throttled) = self.charge(visit, decision) {
            self.note(visit, &throttled, None);
            return throttled;
        }
        let judged = self.fetching(visit, decision, judge::judge).await;
        let (judgement, signed) = judged.unwrap_or_else(|reason| (failed(visit, decision, reason), None));
        self.note_unknown_key(visit, &judgement);
        let judgement = self.spring(visit, judgement).await;
        let judgement = self.charge_holder(visit, judgement);
        let judgement = self.charge_page(visit, judgement);
        let judgement = self.accountable(visit, judgement);
        if let Some(signed) = &signed {
            self.notice(visit, signed);
        }
        self.record(visit, &judgement, signed.as_ref());
        judgement
    }

    /// Whose session makes this request, whatever the policy says about the page: for the portal, which no API key
    /// opens. Not charged.
    pub async fn signed_in(&self, visit: &Visit) -> Result<SignedIn, Reason> {
        let signed = self.fetching(visit, self.decision(), judge::who).await.and_then(|who| who)?;
        let Some(session) = signed.credential.session().cloned() else { return Err(Reason::NoCredential) };
        self.notice(visit, &signed);
        let until = visit.site.policy.elevated_elsewhere_until(session.elevation);
        let elevated_until = until.filter(|until| *until > visit.moment.wall);
        let (sid, public) = (session.sid, session.sid.public());
        Ok(SignedIn { user: signed.user, role: signed.role, session, sid, public, elevated_until })
    }

    /// Whom somebody in the portal acts for, if anybody; the error says why an impersonation that was not left is over.
    pub fn acting(&self, visit: &Visit, member: &SignedIn) -> Result<Option<Acting>, Over> {
        let bench = self.bench(&visit.site, &visit.snapshot, visit.moment.wall, self.decision());
        judge::acting(&member.user, &member.role, &member.session, bench)
    }

    /// The same at this moment, for whoever follows a session from outside a request.
    pub fn acting_still(&self, session: &Session) -> Result<Option<Acting>, Over> {
        let snapshot = self.live.snapshot();
        let site = snapshot.sites.all().iter().find(|site| site.id == session.site).ok_or(Over::Right)?;
        let operator = self.live.records.user(&session.user).ok_or(Over::Right)?;
        let bench = self.bench(site, &snapshot, self.clock.wall(), self.decision());
        judge::acting(&operator, &operator.role, session, bench)
    }

    /// Whether a grant would be given again now: for connections that stay open. Cheap; ask every 250 ms.
    ///
    /// The newest snapshot counts, so that a new policy cuts as well.
    pub fn still_holds(&self, visit: &Visit, grant: &Grant) -> bool {
        let snapshot = self.live.snapshot();
        let Some(site) = snapshot.sites.find(&visit.facts.host) else { return false };
        let bench = self.bench(site, &snapshot, self.clock.wall(), grant.decision());
        let banned = self.live.banned(visit.facts.client.ip, bench.at).is_some();
        let holds = !banned && !self.live.records.is_lost() && judge::still_holds(grant, &visit.facts, bench);
        if let Some(bearer) = grant.bearer().filter(|_| holds) {
            self.touch(bearer.holder, &visit.facts, bench.at);
        }
        holds
    }

    /// The signed assertion for the panel as the value of a header; empty when the site wants none or the page is
    /// anonymous.
    pub fn assertion(&self, visit: &Visit, grant: &Grant) -> HeaderValue {
        let none = HeaderValue::from_static("");
        let Some(bearer) = grant.bearer() else { return none };
        let sign = |request| {
            let claims = assertion_claims(visit, bearer, grant.access(), request);
            // base64url and dots are always a value.
            HeaderValue::try_from(visit.snapshot.keys.sign_assertion(&claims))
                .unwrap_or_else(|_| none.clone())
        };
        match visit.site.assertion {
            Assertion::Off => none.clone(),
            Assertion::Request => sign(Some(request_binding(&visit.facts))),
            Assertion::Session => {
                let now = visit.moment.wall;
                self.live.assertions.get_or_sign(bearer, grant.access(), now, || sign(None))
            }
        }
    }

    /// What a refused judgement looks like on its way to rendering; `None` for Allow.
    pub fn refusal(&self, visit: &Visit, judgement: &Judgement) -> Option<Refusal> {
        Refusal::of(&visit.facts, judgement)
    }

    /// Seals a refusal for `X-Gate-Outcome`; at most 2 KB of printable ASCII.
    pub fn seal(&self, refusal: &Refusal) -> String {
        refusal.seal(self.live.snapshot().keys.master(), self.entropy().array())
    }

    /// Opens a sealed refusal; `None` if we did not seal it in the last minute.
    pub fn unseal(&self, text: &str) -> Option<Refusal> {
        Refusal::unseal(text, self.live.snapshot().keys.master(), self.clock.wall())
    }

    /// What is done on somebody's behalf is not done while it cannot be written down.
    fn accountable(&self, visit: &Visit, judgement: Judgement) -> Judgement {
        if acts_for(&judgement).is_none() || self.can_account() {
            return judgement;
        }
        failed(visit, judgement.decision, Reason::AuditUnavailable)
    }

    /// Waits until this process shows a write of its own, and gives its value.
    pub async fn settled<T>(&self, written: Written<T>) -> T {
        let mut applied = self.live.records.applied();
        // The sender lives in `live`, which `self` holds, so waiting cannot fail.
        let _ = applied.wait_for(|cursor| *cursor >= written.cursor).await;
        written.value
    }

    /// The name of the decision about the request that runs, or a fresh one.
    pub fn decision(&self) -> DecisionId {
        accounts::decision().unwrap_or_else(|| DecisionId(self.entropy().array()))
    }

    fn charge(&self, visit: &Visit, decision: DecisionId) -> Option<Judgement> {
        let network = NetworkKey::of(visit.facts.client.ip);
        let counters = &self.live.counters;
        let charged = counters.charge(network, Class::Request, visit.moment);
        let charged = charged.and_then(|()| match self.known_key(&visit.facts) {
            Some(key) => counters.charge_key(key, visit.moment),
            None => Ok(()),
        });
        let retry_after = charged.err()?;
        let bench = self.bench(&visit.site, &visit.snapshot, visit.moment.wall, decision);
        Some(bench.says(Outcome::Throttle { retry_after }, Reason::RateLimited, None))
    }

    /// Asks a question of `rules::judge`, fetching what it needs; the error is a reason for not knowing.
    async fn fetching<T>(
        &self,
        visit: &Visit,
        decision: DecisionId,
        question: impl Fn(&Facts, Bench<'_>) -> Step<T>,
    ) -> Result<T, Reason> {
        if self.live.records.is_lost() {
            return Err(Reason::StoreUnavailable);
        }
        for _ in 0..=FETCHES {
            // The bench is not held over the await below.
            let step = {
                let bench = self.bench(&visit.site, &visit.snapshot, visit.moment.wall, decision);
                question(&visit.facts, bench)
            };
            match step {
                Step::Done(done) => return Ok(done),
                // Boxed, like everything rare: connections keep room for the whole future of a request.
                Step::NeedSession(sid) => Box::pin(self.fetch(sid)).await?,
                Step::NeedExternal(identity) => Box::pin(self.open_external(visit, *identity)).await?,
            }
        }
        Err(Reason::StoreUnavailable)
    }

    async fn open_external(&self, visit: &Visit, identity: ExternalIdentity) -> Result<(), Reason> {
        if !self.can_account() {
            return Err(Reason::AuditUnavailable);
        }
        let fresh_user = UserId(self.entropy().array());
        let template = self.external_template(visit, &identity, fresh_user);
        let (user, role) = (identity.name.clone(), identity.role.clone().unwrap_or_default());
        let opened = self.store.open_external(identity, fresh_user, template).await;
        match self.settled(opened.map_err(|error| unavailable(&error))?).await {
            ExternalOpened::New(session) => {
                self.live.meters.opened(Opener::Issuer).count();
                let (client, made) = (visit.facts.client.ip, session.user == fresh_user);
                let session = session.sid.public();
                if made {
                    tracing::info!(target: "panelgate::audit", event = "user-added", %user, %role, %client, by = "issuer");
                }
                tracing::info!(target: "panelgate::audit", event = "session-opened", %user, %session, %client, by = "issuer");
            }
            ExternalOpened::Known(session) => self.live.records.put_missing([Arc::new(session)]),
        }
        Ok(())
    }

    fn external_template(&self, visit: &Visit, identity: &ExternalIdentity, user: UserId) -> Session {
        let now = visit.moment.wall;
        let lifetimes = &visit.site.lifetimes;
        Session {
            sid: Sid(self.entropy().array()),
            user,
            site: Arc::clone(&visit.site.id),
            origin: Origin::External(Box::new(identity.key.clone())),
            opened: now,
            seen: now,
            idle_millis: u64::try_from(lifetimes.idle.as_millis()).unwrap_or(u64::MAX),
            // A tombstone has to outlive every token that can name the session.
            expires: now.plus(lifetimes.absolute).max(identity.expires),
            family: Family {
                seed: SecretBytes::new(self.entropy().array::<32>()),
                key: visit.snapshot.keys.current_refresh_key().into(),
                generation: 0,
                current_seen: None,
            },
            elevation: None,
            device: visit.facts.user_agent.to_string(),
            address: visit.facts.client.ip,
            impersonation: None,
            enrolment: None,
            panel: None,
            ended: None,
        }
    }

    fn notice(&self, visit: &Visit, signed: &Signed) {
        let at = visit.moment.wall;
        let session = match &signed.credential {
            Credential::Session(session) => session,
            Credential::Key(key) => return self.touch(Holder::Key(key.id), &visit.facts, at),
        };
        self.touch(Holder::Session(session.sid), &visit.facts, at);
        let family = &session.family;
        if let Some(generation) = signed.generation.filter(|seen| *seen == family.generation)
            && family.current_seen.is_none()
        {
            // A full queue loses nothing: the next request notices again.
            let _ = self.notes.try_send(Note::Seen { sid: session.sid, generation, at });
        }
    }

    fn touch(&self, holder: Holder, facts: &Facts, at: Wall) {
        match holder {
            Holder::Session(sid) => self.live.records.touch(sid, at),
            Holder::Key(id) => self.live.records.touch_key(id, KeyUse { at, address: facts.client.ip }),
        }
    }

    /// Notes the decision and, unless it is an everyday Allow, writes a line about it. No query, no credential.
    fn record(&self, visit: &Visit, judgement: &Judgement, signed: Option<&Signed>) {
        self.note(visit, judgement, signed);
        let (decision, reason, client) = (judgement.decision, judgement.reason.code(), visit.facts.client.ip);
        let page = judgement.page.as_deref().unwrap_or("");
        let user = signed.map_or("", |signed| signed.user.name.as_str());
        let (facts, method) = (&visit.facts, &*visit.facts.method);
        if let Some((bearer, actor)) = acts_for(judgement) {
            let (operator, user, session) = (&actor.user.name, &bearer.user.name, &bearer.public);
            tracing::info!(target: "panelgate::audit", event = "impersonated-write", %decision, %client, %operator, %user, %session, page, method, path = ?facts.target.path());
        }
        if matches!(judgement.outcome, Outcome::Allow(_)) {
            // The macro evaluates its fields only when somebody listens.
            tracing::debug!(target: DECISION, %decision, %client, reason, page, user, method, path = ?facts.target.path());
        } else {
            tracing::info!(target: DECISION, %decision, %client, reason, page, user, method, path = ?facts.target.path());
        }
    }

    fn bench<'a>(
        &'a self,
        site: &'a Site,
        snapshot: &'a Snapshot,
        at: Wall,
        decision: DecisionId,
    ) -> Bench<'a> {
        Bench {
            site,
            keys: &snapshot.keys,
            issuers: &snapshot.issuers,
            view: &self.live.records,
            places: &snapshot.places,
            at,
            decision,
        }
    }
}

/// Who changes something for whom, if that is what is allowed.
fn acts_for(judgement: &Judgement) -> Option<(&Bearer, &Actor)> {
    let Outcome::Allow(grant) = &judgement.outcome else { return None };
    let bearer = grant.bearer().filter(|_| grant.needed() == Access::Full)?;
    Some((bearer, bearer.actor.as_ref()?))
}

/// A question that could not be answered: the gate stays closed.
fn failed(visit: &Visit, decision: DecisionId, reason: Reason) -> Judgement {
    let outcome = if matches!(reason, Reason::StoreUnavailable | Reason::AuditUnavailable) {
        Outcome::Unavailable(reason)
    } else {
        Outcome::SignIn(reason)
    };
    Judgement { outcome, reason, page: None, acting_for: None, decision, at: visit.moment.wall }
}

fn unavailable(error: &StoreError) -> Reason {
    tracing::error!(%error, "the store did not answer");
    Reason::StoreUnavailable
}

fn assertion_claims(
    visit: &Visit,
    bearer: &Bearer,
    access: Access,
    request: Option<RequestBinding>,
) -> AssertionClaims {
    AssertionClaims {
        aud: Arc::clone(&visit.site.id),
        sub: bearer.user.name.clone(),
        role: Arc::clone(&bearer.role),
        session: bearer.public.clone(),
        access,
        elevated_until: bearer.elevated_until,
        actor: bearer.actor.as_ref().map(|actor| actor.user.name.clone()),
        iat: visit.moment.wall,
        request,
    }
}

fn request_binding(facts: &Facts) -> RequestBinding {
    RequestBinding {
        method: facts.method.to_string(),
        host: facts.host.to_string(),
        path: facts.target.path(),
    }
}
