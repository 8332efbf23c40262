//! What the gate says about each kind of decision, for the metrics and the journal.

use std::{net::IpAddr, sync::Arc};

use smol_str::{SmolStr, ToSmolStr};

use super::{Entry, Judged};
use crate::{
    clock::Wall,
    gate::{DECISION, Gate, Refusal, RefusalKind, Visit},
    rules::{
        address::AddrSource,
        facts::{Ask, BadAsk, Door, Host, Scheme, Trail},
        judge::Signed,
        outcome::{DecisionId, Grant, Judgement},
        reason::Reason,
        record::{Asked, Client, Kept, Record, Reply, Said, Shown},
    },
};

/// The longest host and method that are kept of what could not be described.
const HOST_CHARS: usize = 255;
const METHOD_CHARS: usize = 32;

/// A request that no question could be made of, as far as a door knows it.
#[derive(Clone, Copy, Debug)]
pub struct Stray<'a> {
    /// Where it arrived.
    pub door: Door,
    /// The name of the dialect.
    pub dialect: &'static str,
    /// Who is connected.
    pub peer: IpAddr,
    /// The host that it names, if any.
    pub host: &'a [u8],
    /// Its method.
    pub method: &'a [u8],
    /// Its target.
    pub target: &'a [u8],
    /// What is wrong with it; never contains any of it.
    pub what: &'a str,
}

/// What one of the gate's own pages answered.
#[derive(Clone, Copy, Debug)]
pub struct Noted {
    /// What kind of answer.
    pub said: Said,
    /// Why.
    pub reason: Reason,
    /// What exactly, in a fixed phrase.
    pub detail: Option<&'static str>,
    /// Whether the credential that came with the request was good.
    pub known: bool,
}

impl Gate {
    /// Counts a judgement and hands it to the journal.
    pub(in crate::gate) fn note(&self, visit: &Visit, judgement: &Judgement, signed: Option<&Signed>) {
        let said = Said::of(&judgement.outcome);
        self.live.tally.count(visit.facts.door, said, judgement.reason);
        self.journal.note(&self.live, judgement.at, || {
            Entry::Judged(Judged::new(visit, judgement, signed, &self.live))
        });
    }

    /// Notes that one of the gate's own pages was refused, under the name that the page shows.
    pub fn note_portal(&self, visit: &Visit, decision: DecisionId, noted: Noted) {
        self.live.tally.count(visit.facts.door, noted.said, noted.reason);
        let at = visit.moment.wall;
        self.journal.note(&self.live, at, || {
            Entry::Judged(Judged {
                visit: visit.clone(),
                signed: None,
                known: noted.known,
                relaxed: false,
                decision,
                at,
                by_policy: false,
                said: noted.said,
                reason: noted.reason,
                detail: noted.detail,
                page: None,
                have: None,
                until: None,
                public: None,
                needed: None,
            })
        });
    }

    /// The refusal of something that was allowed and then went wrong.
    pub fn failed(&self, visit: &Visit, grant: &Grant, kind: RefusalKind, reason: Reason) -> Refusal {
        let (decision, at) = (grant.decision(), self.clock.wall());
        let said = match kind {
            RefusalKind::SignIn => Said::SignIn,
            RefusalKind::StepUp { readable } => Said::StepUp { readable },
            RefusalKind::Deny => Said::Deny,
            RefusalKind::Throttle { retry_after } => {
                Said::Throttle { millis: u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX) }
            }
            RefusalKind::Unavailable => Said::Unavailable,
            RefusalKind::BadRequest => Said::BadRequest,
            RefusalKind::BadGateway => Said::BadGateway,
            RefusalKind::GatewayTimeout => Said::GatewayTimeout,
        };
        self.live.tally.count(visit.facts.door, said, reason);
        if matches!(reason, Reason::UpstreamUnreachable | Reason::UpstreamTimeout) {
            self.live.meters.panel.failed(at);
        }
        let page = grant.page().cloned();
        self.journal.note(&self.live, at, || {
            Entry::Judged(Judged {
                visit: visit.clone(),
                signed: None,
                known: true,
                relaxed: false,
                decision,
                at,
                by_policy: false,
                said,
                reason,
                detail: None,
                page: page.clone(),
                have: Some(grant.access()),
                until: None,
                public: None,
                needed: None,
            })
        });
        Refusal {
            kind,
            reason,
            page,
            acting_for: None,
            url: visit.facts.url(),
            method: visit.facts.method.to_string(),
            audience: visit.facts.audience.into(),
            decision,
            at: visit.moment.wall,
        }
    }

    /// Notes a request that no question could be made of, and names the decision to send it away.
    pub fn note_stray(&self, stray: Stray<'_>) -> DecisionId {
        let (decision, at, reason) = (self.decision(), self.clock.wall(), Reason::Malformed);
        self.live.tally.count(stray.door, Said::BadRequest, reason);
        let Stray { peer, what, .. } = stray;
        tracing::info!(target: DECISION, %decision, client = %peer, reason = reason.code(), what);
        self.journal.note(&self.live, at, || {
            let asked = Asked {
                door: stray.door,
                dialect: SmolStr::new_static(stray.dialect),
                scheme: None,
                host: shown(stray.host, HOST_CHARS),
                method: shown(stray.method, METHOD_CHARS),
                path: Kept::text(stray.target),
                upgrade: false,
                method_override: false,
            };
            let client =
                Client { peer, hops: Vec::new(), ip: peer, from: AddrSource::Unforwarded, country: None };
            Entry::Bare(Box::new(self.bare(decision, at, asked, client, (reason, what))))
        });
        decision
    }

    pub(in crate::gate) fn undescribed(&self, ask: &Ask<'_>, bad: &BadAsk, at: Wall) -> Refusal {
        let decision = self.decision();
        let (reason, what) = (bad.reason, bad.what);
        self.live.tally.count(ask.door, undescribed(reason), reason);
        tracing::info!(target: DECISION, %decision, client = %ask.client.ip, reason = reason.code(), what);
        self.journal.note(&self.live, at, || {
            let asked = asked(ask);
            let hops = Trail::of(ask.route, ask.headers).hops();
            let country = self.country(ask);
            let client =
                Client { peer: ask.route.peer, hops, ip: ask.client.ip, from: ask.client.from, country };
            Entry::Bare(Box::new(self.bare(decision, at, asked, client, (reason, what))))
        });
        Refusal::undescribed(ask.headers, reason, decision, at)
    }

    fn country(&self, ask: &Ask<'_>) -> Option<crate::rules::place::Country> {
        let ip = ask.client.certain()?;
        self.live.snapshot().places.country_code(ip)
    }

    fn bare(
        &self,
        decision: DecisionId,
        at: Wall,
        asked: Asked,
        client: Client,
        (reason, what): (Reason, &str),
    ) -> Record {
        let snapshot = self.live.snapshot();
        let host = Host::parse(asked.host.as_bytes()).ok();
        let site = host.and_then(|host| snapshot.sites.find(&host).map(|site| Arc::clone(&site.id)));
        Record {
            decision,
            at,
            site,
            policy: Arc::from(""),
            generation: snapshot.generation,
            asked,
            client,
            shown: Vec::<Shown>::new(),
            who: None,
            reply: Reply {
                said: undescribed(reason),
                reason,
                detail: Some(what.to_owned()),
                page: None,
                needs: None,
                have: None,
                levels: None,
                until: None,
                ways: Vec::new(),
            },
            shortened: None,
        }
    }
}

/// What is answered to what no question could be made of.
fn undescribed(reason: Reason) -> Said {
    if reason == Reason::Banned { Said::Deny } else { Said::BadRequest }
}

fn asked(ask: &Ask<'_>) -> Asked {
    Asked {
        door: ask.door,
        dialect: SmolStr::new_static(ask.route.dialect),
        scheme: match ask.scheme {
            b"http" | b"ws" => Some(Scheme::Http),
            b"https" | b"wss" => Some(Scheme::Https),
            _ => None,
        },
        host: shown(ask.authority, HOST_CHARS),
        method: shown(ask.method, METHOD_CHARS),
        path: Kept::text(ask.target),
        upgrade: false,
        method_override: false,
    }
}

fn shown(bytes: &[u8], most: usize) -> SmolStr {
    bytes.get(..most).unwrap_or(bytes).escape_ascii().to_smolstr()
}
