//! A record as JSON, for scripts and for the API. Times are Unix seconds; what is not known is `null`.

use serde_json::{Value, json};

use super::{Acted, Change, Gap, Held, Missing, Now, Person, Record, Report, Said, Shown, Span, Way};
use crate::{
    clock::Wall,
    rules::{
        address::AddrSource,
        facts::{Door, Scheme},
        outcome::Access,
        session::{EndReason, Factor},
    },
};

impl Report {
    /// Everything.
    pub fn document(&self) -> Value {
        json!({
            "decisions": self.records.iter().map(Record::document).collect::<Vec<_>>(),
            "would_have_allowed_it": ways(self.ways()),
            "now": self.now.as_ref().map(|now| self.now_document(now)),
            "journal": self.span.document(),
        })
    }

    fn now_document(&self, now: &Now) -> Value {
        json!({
            "policy": now.policy,
            "same_policy": self.record().map(|record| record.policy == now.policy),
            "answer": now.answer,
            "reason": now.reason.map(crate::rules::reason::Reason::code),
            "would_allow_it": ways(&now.ways),
        })
    }
}

impl Span {
    /// What the journal covers.
    pub fn document(&self) -> Value {
        json!({
            "since": {
                "allowed": self.allowed.map(Wall::secs),
                "refused": self.refused.map(Wall::secs),
                "strangers": self.strangers.map(Wall::secs),
            },
            "bytes": self.bytes,
            "missing": self.gaps.iter().map(gap).collect::<Vec<_>>(),
        })
    }
}

impl Record {
    /// Everything that is kept.
    pub fn document(&self) -> Value {
        let mut document = json!({
            "decision": self.decision.to_string(),
            "at": self.at.secs(),
            "site": self.site,
            "policy": self.policy,
            "generation": self.generation,
            "request": self.request(),
            "client": self.origin(),
            "credentials": self.shown.iter().map(shown).collect::<Vec<_>>(),
            "who": self.who.as_ref().map(|person| person.document(self.at)),
            "addresses_shortened": self.shortened.map(Wall::secs),
        });
        if let (Some(into), Value::Object(reply)) = (document.as_object_mut(), self.answer()) {
            into.extend(reply);
        }
        document
    }

    fn request(&self) -> Value {
        let asked = &self.asked;
        let target = asked.path.target();
        json!({
            "door": match asked.door { Door::Sidecar => "sidecar", Door::Edge => "edge" },
            "dialect": asked.dialect,
            "scheme": asked.scheme.map(Scheme::as_str),
            "host": asked.host,
            "method": asked.method,
            "path": asked.path.shown(),
            "segments": target.map(|target| &target.segments),
            "ambiguities": target.map(|target| target.ambiguities.iter().map(|class| class.as_str()).collect::<Vec<_>>()),
            "upgrade": asked.upgrade,
            "method_override": asked.method_override,
        })
    }

    fn origin(&self) -> Value {
        let client = &self.client;
        json!({
            "address": client.ip,
            "found": found(client.from),
            "peer": client.peer,
            "forwarded": client.hops,
            "walk": client.steps().iter().map(|step| json!({ "hop": step.text, "taken_for": step.taken.as_str() })).collect::<Vec<_>>(),
            "country": client.country.map(|country| country.to_string()),
        })
    }

    fn answer(&self) -> Value {
        let reply = &self.reply;
        let retry_after =
            if let Said::Throttle { millis } = reply.said { Some(millis.div_ceil(1000)) } else { None };
        json!({
            "answer": reply.said.as_str(),
            "reason": reply.reason.code(),
            "reason_text": reply.reason.sentence(),
            "detail": reply.detail,
            "page": reply.page.as_ref().map(|page| json!({
                "name": page.name, "file": page.file, "line": page.line,
            })),
            "needs": reply.needs.map(Access::as_str),
            "have": reply.have.map(Access::as_str),
            "levels": reply.levels.map(|(before, after)| json!({
                "unelevated": before.as_str(), "elevated": after.as_str(),
            })),
            "elevated_until": reply.until.map(Wall::secs),
            "retry_after": retry_after,
        })
    }
}

impl Person {
    fn document(&self, at: Wall) -> Value {
        json!({
            "user": self.user,
            "role": self.role,
            "accepted": self.accepted,
            "second_factor": self.enrolled,
            "high_security": !self.relaxed,
            "session": match &self.held {
                Held::Session { id, opened, proof, ended } => json!({
                    "id": id.to_string(),
                    "opened": opened.secs(),
                    "age": at.since(*opened).as_secs(),
                    "second_factor_at": proof.map(|proof| proof.at.secs()),
                    "second_factor_by": proof.map(|proof| factor(proof.by)),
                    "ended": ended.map(|ended| ended.at.secs()),
                    "ended_by": ended.map(|ended| end(ended.why)),
                }),
                Held::Key { .. } => Value::Null,
            },
            "key": match &self.held {
                Held::Key { id, scopes } => json!({ "id": id.to_string(), "scopes": scopes }),
                Held::Session { .. } => Value::Null,
            },
            "acting": self.acting.as_ref().map(acting),
        })
    }
}

/// How an end is called.
pub fn end(why: EndReason) -> &'static str {
    match why {
        EndReason::SignedOut => "signed-out",
        EndReason::Revoked => "revoked",
        EndReason::RefreshReuse => "refresh-reuse",
        EndReason::PasswordChanged => "password-changed",
        EndReason::AccountDisabled => "account-disabled",
    }
}

/// How a way to the client's address is called.
pub fn found(from: AddrSource) -> &'static str {
    match from {
        AddrSource::Peer => "peer",
        AddrSource::Forwarded => "forwarded",
        AddrSource::ProxyProtocol => "proxy-protocol",
        AddrSource::Stopped => "stopped",
        AddrSource::Unforwarded => "unforwarded",
    }
}

fn factor(by: Factor) -> &'static str {
    match by {
        Factor::Totp => "totp",
        Factor::BackupCode => "backup-code",
    }
}

fn shown(shown: &Shown) -> Value {
    match shown {
        Shown::Cookie => json!({ "kind": "cookie" }),
        Shown::Bearer => json!({ "kind": "bearer" }),
        Shown::Issuer(name) => json!({ "kind": "issuer", "issuer": name }),
        Shown::ApiKey(id) => json!({ "kind": "api-key", "id": id.as_ref().map(ToString::to_string) }),
    }
}

fn acting(acted: &Acted) -> Value {
    match acted {
        Acted::For { user, role, write, until } => {
            json!({ "user": user, "role": role, "write": write, "until": until.secs() })
        }
        Acted::Over => json!({ "over": true }),
    }
}

fn gap(gap: &Gap) -> Value {
    let why = match gap.why {
        Missing::Busy => "busy",
        Missing::Disk => "disk",
    };
    json!({ "from": gap.since.secs(), "until": gap.until.secs(), "decisions": gap.missing, "why": why })
}

fn ways(ways: &[Way]) -> Vec<Vec<Value>> {
    ways.iter().map(|way| way.iter().map(change).collect()).collect()
}

fn change(change: &Change) -> Value {
    match change {
        Change::SignIn(roles) => json!({ "sign_in_as": roles }),
        Change::Enrol => json!({ "enrol": "second-factor" }),
        Change::SecondFactor => json!({ "prove": "second-factor" }),
        Change::Role(roles) => json!({ "role": roles }),
        Change::From(networks) => json!({ "networks": networks }),
        Change::In(countries) => {
            json!({ "countries": countries.iter().map(ToString::to_string).collect::<Vec<_>>() })
        }
        Change::At(at) => json!({ "at": at.secs() }),
        Change::Method(methods) => json!({ "methods": methods }),
        Change::Scope(scopes) => json!({ "scopes": scopes }),
        Change::Session => json!({ "credential": "session" }),
        Change::EndActing => json!({ "impersonation": "ended" }),
        Change::WriteActing => json!({ "impersonation": "with-changes" }),
    }
}
