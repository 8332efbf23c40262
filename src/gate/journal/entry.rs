//! A decision on its way to the journal: what the request path holds anyway, turned into a record by whoever writes.

use std::sync::Arc;

use smol_str::SmolStr;

use crate::{
    clock::Wall,
    gate::Visit,
    live::{Live, Tried},
    rules::{
        facts::{Door, Facts, PresentedKey},
        identity::User,
        judge::{self, Bench, Credential, Signed, View},
        outcome::{Access, DecisionId, Grant, Judgement, Outcome},
        place::Country,
        policy::RuleSet,
        reason::Reason,
        record::{Acted, Asked, Client, Held, Kept, Person, Place, Record, Reply, Said, Shown},
        session::{PublicId, Session},
    },
};

/// What the queue holds.
#[expect(clippy::large_enum_variant, reason = "nearly all are the large one, and the queue has them boxed")]
#[derive(Clone, Debug)]
pub enum Entry {
    /// A request that was described.
    Judged(Judged),
    /// One that was not, with all that is known.
    Bare(Box<Record>),
}

/// A request that was described, with the answer. Cheap to make: it shares what the request holds.
#[derive(Clone)]
pub struct Judged {
    pub(in crate::gate) visit: Visit,
    pub(in crate::gate) signed: Option<Signed>,
    /// Where nobody is `signed`: whether the credential was good all the same.
    pub(in crate::gate) known: bool,
    pub(in crate::gate) relaxed: bool,
    pub(in crate::gate) decision: DecisionId,
    pub(in crate::gate) at: Wall,
    /// Whether the policy was asked for this answer.
    pub(in crate::gate) by_policy: bool,
    pub(in crate::gate) said: Said,
    pub(in crate::gate) reason: Reason,
    pub(in crate::gate) detail: Option<&'static str>,
    pub(in crate::gate) page: Option<Arc<str>>,
    pub(in crate::gate) have: Option<Access>,
    pub(in crate::gate) until: Option<Wall>,
    /// The public id of what was shown, and what the request needed: where they are known already, they are not looked
    /// for again.
    pub(in crate::gate) public: Option<PublicId>,
    pub(in crate::gate) needed: Option<Access>,
}

impl std::fmt::Debug for Judged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Judged({})", self.decision)
    }
}

impl Entry {
    /// The target as it was judged, with its query, or what is known of one that could not be.
    pub(super) fn target(&self) -> String {
        match self {
            Self::Bare(record) => record.asked.path.shown(),
            Self::Judged(judged) => judged.visit.facts.target.raw.to_string(),
        }
    }

    /// Where it arrived.
    pub(super) fn door(&self) -> Door {
        match self {
            Self::Bare(record) => record.asked.door,
            Self::Judged(judged) => judged.visit.facts.door,
        }
    }

    /// The record. Looks people and places up, which the request did not have to wait for.
    pub fn into_record(self, live: &Live) -> Record {
        match self {
            Self::Bare(record) => *record,
            Self::Judged(judged) => judged.record(live),
        }
    }

    /// The same request under the site's candidate policy, if it has one and a policy was asked. Here rather than in the
    /// request, which a candidate so can neither change nor delay.
    pub fn tried(&self, live: &Live) -> Option<Tried> {
        let Self::Judged(judged) = self else { return None };
        let Visit { facts, site, snapshot, .. } = &judged.visit;
        let candidate = site.shadow.as_ref().filter(|_| judged.by_policy && !facts.target.is_ours())?;
        let bench = Bench {
            site,
            keys: &snapshot.keys,
            issuers: &snapshot.issuers,
            view: &live.records,
            places: &snapshot.places,
            at: judged.at,
            decision: judged.decision,
        };
        Some(Tried {
            site: Arc::clone(&site.id),
            policies: (Arc::clone(site.policy.version()), Arc::clone(candidate.version())),
            generation: snapshot.generation,
            decision: judged.decision,
            at: judged.at,
            request: format!("{} {}", facts.method, Kept::of(&facts.target).shown()),
            compared: judge::compare(candidate, facts, judged.signed.as_ref(), bench)?,
        })
    }
}

impl Judged {
    /// A judgement of the gate.
    pub(in crate::gate) fn new(
        visit: &Visit,
        judgement: &Judgement,
        signed: Option<&Signed>,
        live: &Live,
    ) -> Self {
        let said = Said::of(&judgement.outcome);
        let grant = match &judgement.outcome {
            Outcome::Allow(grant) => Some(grant),
            Outcome::SignIn(_)
            | Outcome::StepUp { .. }
            | Outcome::Deny(_)
            | Outcome::Throttle { .. }
            | Outcome::Unavailable(_)
            | Outcome::BadRequest(_) => None,
        };
        let bearer = grant.and_then(Grant::bearer);
        Self {
            relaxed: signed.is_some_and(|signed| !live.records.high_security(&signed.user)),
            visit: visit.clone(),
            signed: signed.cloned(),
            known: false,
            decision: judgement.decision,
            at: judgement.at,
            // Whoever comes too often, or while nothing is known, is turned away before.
            by_policy: judgement.reason != Reason::RateLimited && said != Said::Unavailable,
            said,
            reason: judgement.reason,
            detail: None,
            page: judgement.page.clone(),
            have: grant.map(Grant::access),
            until: bearer.and_then(|bearer| bearer.elevated_until),
            public: bearer.map(|bearer| bearer.public.clone()),
            needed: grant.map(Grant::needed),
        }
    }

    fn record(self, live: &Live) -> Record {
        let Visit { facts, site, snapshot, .. } = &self.visit;
        let who = match &self.signed {
            Some(signed) => Some(self.person(signed, live)),
            None => named(&self.visit, self.known, live),
        };
        let country = facts.client.certain().and_then(|ip| snapshot.places.country_code(ip));
        let mut record = Record {
            decision: self.decision,
            at: self.at,
            site: Some(Arc::clone(&site.id)),
            policy: Arc::clone(site.policy.version()),
            generation: snapshot.generation,
            asked: asked(facts),
            client: client(facts, country),
            shown: shown(facts),
            reply: self.reply(&site.policy, who.as_ref()),
            who,
            shortened: None,
        };
        if !record.is_allowed() && record.who.as_ref().is_some_and(|person| person.accepted) {
            record.reply.ways = record.ways(&site.policy);
        }
        record
    }

    fn person(&self, signed: &Signed, live: &Live) -> Person {
        let (held, acting) = match &signed.credential {
            Credential::Session(session) => {
                (of_session(session, self.public.clone()), acting(session, self.at, live))
            }
            Credential::Key(key) => (Held::Key { id: key.id.public(), scopes: key.scopes.clone() }, None),
        };
        Person { relaxed: self.relaxed, held, acting, accepted: true, ..account(&signed.user, &signed.role) }
    }

    fn reply(&self, policy: &RuleSet, who: Option<&Person>) -> Reply {
        let page = self.page.as_deref().and_then(|name| policy.page(name));
        // What was turned away before the policy was asked, or is none of its business, needed nothing.
        let before = [Reason::Banned, Reason::RateLimited, Reason::Portal].contains(&self.reason)
            || self.visit.facts.target.raw.starts_with("/_gate/");
        let needed = || self.needed.unwrap_or_else(|| policy.rule(&self.visit.facts).needs);
        let needs = (!before).then(needed);
        let role = who.filter(|person| person.accepted).map(|person| match &person.acting {
            Some(Acted::For { role, .. }) => role,
            Some(Acted::Over) | None => &person.role,
        });
        let levels = role.filter(|_| !before).map(|role| policy.levels(page, role));
        Reply {
            said: self.said,
            reason: self.reason,
            detail: self.detail.map(str::to_owned),
            page: page.map(|page| Place {
                name: Arc::clone(&page.name),
                file: Arc::clone(&page.file),
                line: page.line,
            }),
            needs,
            have: self.have,
            levels: levels.map(|levels| (levels.unelevated, levels.elevated)),
            until: self.until,
            ways: Vec::new(),
        }
    }
}

fn asked(facts: &Facts) -> Asked {
    Asked {
        door: facts.door,
        dialect: SmolStr::new_static(facts.trail.dialect),
        scheme: Some(facts.scheme),
        host: facts.host.as_str().into(),
        method: facts.method.clone(),
        path: Kept::of(&facts.target),
        upgrade: facts.upgrade,
        method_override: facts.method_override,
    }
}

fn client(facts: &Facts, country: Option<Country>) -> Client {
    let hops = facts.trail.hops();
    Client { peer: facts.trail.peer, hops, ip: facts.client.ip, from: facts.client.from, country }
}

fn shown(facts: &Facts) -> Vec<Shown> {
    let presented = &facts.presented;
    let key = presented.api_key.map(|key| {
        Shown::ApiKey(match key {
            PresentedKey::Key(id) => Some(id.public()),
            PresentedKey::Malformed => None,
        })
    });
    let cookie = (!presented.access.is_empty()).then_some(Shown::Cookie);
    let bearer = presented.bearer.as_ref().map(|_| Shown::Bearer);
    let mut issuers: Vec<Shown> = Vec::new();
    for (issuer, _) in &presented.external {
        let issuer = Shown::Issuer(issuer.clone());
        if !issuers.contains(&issuer) {
            issuers.push(issuer);
        }
    }
    key.into_iter().chain(cookie).chain(bearer).chain(issuers).collect()
}

/// Whose credential it was that was not good: of a token that we signed, or a key that we know.
fn named(visit: &Visit, known: bool, live: &Live) -> Option<Person> {
    let Visit { facts, site, snapshot, moment, trace: _ } = visit;
    if let Some(PresentedKey::Key(id)) = facts.presented.api_key {
        let key = live.records.key(&id)?;
        let user = live.records.user(&key.user)?;
        let held = Held::Key { id: id.public(), scopes: key.scopes.clone() };
        return Some(Person { held, accepted: known, ..account(&user, &user.role) });
    }
    let tokens = facts.presented.access.iter().chain(&facts.presented.bearer);
    let mut claims =
        tokens.filter_map(|token| snapshot.keys.read_access(token.expose(), &site.id, moment.wall).ok());
    let claims = claims.next()?;
    let session = live.records.session(&claims.sid)?;
    let user = live.records.user(&session.user)?;
    let accepted = known && session.ended.is_none() && moment.wall < claims.exp;
    let acting = acting(&session, moment.wall, live);
    Some(Person { held: of_session(&session, None), acting, accepted, ..account(&user, &user.role) })
}

fn account(user: &User, role: &Arc<str>) -> Person {
    Person {
        user: user.name.as_str().into(),
        role: Arc::clone(role),
        enrolled: user.totp.is_some(),
        relaxed: false,
        held: Held::Key { id: PublicId(SmolStr::default()), scopes: Vec::new() },
        acting: None,
        accepted: true,
    }
}

fn of_session(session: &Session, public: Option<PublicId>) -> Held {
    Held::Session {
        id: public.unwrap_or_else(|| session.sid.public()),
        opened: session.opened,
        proof: session.elevation,
        ended: session.ended,
    }
}

fn acting(session: &Session, at: Wall, live: &Live) -> Option<Acted> {
    let impersonation = session.impersonation.as_ref()?;
    let target = live.records.user(&impersonation.user).filter(|user| !user.disabled);
    Some(match target {
        Some(user) if at < impersonation.until => Acted::For {
            user: user.name.to_string(),
            role: Arc::clone(&user.role),
            write: impersonation.write,
            until: impersonation.until,
        },
        _ => Acted::Over,
    })
}
