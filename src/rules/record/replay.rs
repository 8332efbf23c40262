//! Decisions judged again: what another policy would have answered to the requests that there were.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};

use ipnet::IpNet;
use serde::Serialize;

use super::{Acted, Held, Record, Said};
use crate::{
    clock::Wall,
    rules::{
        identity::Role,
        outcome::{Access, DecisionId},
        policy::{
            Conditions, Decided, RuleSet,
            diff::{Effect, Outcome, Totals},
        },
        reason::Reason,
    },
};

/// Kinds of flips that are told apart; what comes beyond them is only counted.
const KINDS: usize = 10_000;

/// Which decisions are judged again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Those of this site.
    pub site: Option<String>,
    /// Not those before.
    pub since: Option<Wall>,
    /// Only those before.
    pub until: Option<Wall>,
    /// Those of the account with this name.
    pub user: Option<String>,
    /// Those on the page of this name, under the policy that decided or the one that is tried.
    pub page: Option<String>,
}

/// Judges records again, one after the other.
#[derive(Debug)]
pub struct Replay<'p> {
    policy: &'p RuleSet,
    chosen: Chosen,
    found: Replayed,
    flips: HashMap<Kind, Flip>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// The version of the policy that was tried.
    pub policy: Arc<str>,
    /// Decisions that were judged again.
    pub judged: u64,
    /// Of those, the ones that come out as they did.
    pub unchanged: u64,
    /// The others.
    pub totals: Totals,
    /// Decisions that were not judged again, and why.
    pub not_judged: BTreeMap<Unjudged, u64>,
    /// How many were decided by which version of the policy.
    pub decided_by: BTreeMap<Arc<str>, u64>,
    /// What the policy that was tried had decided itself.
    pub control: Control,
    /// When the oldest decision that was judged again was taken, and the newest.
    pub span: Option<(Wall, Wall)>,
    /// Flips that are alike together; the most frequent first.
    pub flips: Vec<Flip>,
    /// Flips that are in none of them: there are too many kinds.
    pub more: u64,
}

/// Decisions of the very policy that is tried: none of them can come out differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Control {
    /// How many were judged again.
    pub judged: u64,
    /// How many came out differently all the same.
    pub flipped: u64,
}

/// Why a decision was not judged again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unjudged {
    /// One of the gate's own pages, which no policy covers.
    Portal,
    /// Turned away by a limit or a quota.
    Limit,
    /// Turned away by a ban.
    Ban,
    /// A fault on our side, or a panel that did not answer.
    Fault,
    /// Refused before a policy was asked: credentials, origins, hosts.
    Before,
    /// The request could not be described, or its path was too long to be kept.
    Undescribed,
    /// Its address is shortened, and the policy that is tried tells networks apart that are smaller than what is left.
    Shortened,
}

impl Unjudged {
    /// In words.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Portal => "on the gate's own pages, which no policy covers",
            Self::Limit => "turned away by a limit or a quota",
            Self::Ban => "turned away by a ban",
            Self::Fault => "faults, and a panel that did not answer",
            Self::Before => "refused before a policy is asked: credentials, origins, hosts",
            Self::Undescribed => "could not be read, or have a path too long to be kept",
            Self::Shortened => {
                "have shortened addresses, and the policy tells networks apart that are smaller than that"
            }
        }
    }
}

/// Decisions that come out differently, and alike among each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flip {
    /// Better, worse or different for who asked.
    pub effect: Effect,
    /// The page under the policy that decided.
    pub old: Option<Arc<str>>,
    /// The page under the one that is tried, and where it stands.
    pub new: Option<(Arc<str>, String)>,
    /// Whose request it was; `None` for strangers.
    pub user: Option<String>,
    /// The role that counted, `ROLE for ROLE` while acting for somebody; `None` for strangers.
    pub role: Option<String>,
    /// Whether it was a program with an API key.
    pub key: bool,
    /// What it needs under the policy that is tried.
    pub needs: Access,
    /// What was answered.
    pub before: Outcome,
    /// What is answered.
    pub after: Outcome,
    /// How many there were.
    pub count: u64,
    /// When the first was, and the last.
    pub span: (Wall, Wall),
    /// The name of the newest, for `panelgate why`.
    pub example: DecisionId,
    /// What the newest asked for.
    pub request: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    old: Option<Arc<str>>,
    new: Option<Arc<str>>,
    user: Option<String>,
    role: Option<String>,
    key: bool,
    needs: Access,
    before: Outcome,
    after: Outcome,
}

impl<'p> Replay<'p> {
    /// Begins, with the policy that is tried.
    pub fn under(policy: &'p RuleSet, chosen: Chosen) -> Self {
        let found = Replayed { policy: Arc::clone(policy.version()), ..Replayed::default() };
        Self { policy, chosen, found, flips: HashMap::new() }
    }

    /// Judges one, if it is wanted.
    pub fn take(&mut self, record: &Record) {
        if !self.chosen.takes(record) {
            return;
        }
        let on = self.chosen.page.as_deref();
        let was_on = record.reply.page.as_ref().map(|page| &*page.name);
        let (before, decided) = match self.judge(record) {
            Ok(judged) => judged,
            Err(why) => {
                if on.is_none() || on == was_on {
                    *self.found.not_judged.entry(why).or_default() += 1;
                }
                return;
            }
        };
        let is_on = decided.ruling.page.map(|page| &*page.name);
        if on.is_some() && on != was_on && on != is_on {
            return;
        }
        self.count(record, before, &decided);
    }

    /// What came of it.
    pub fn finish(self) -> Replayed {
        let mut flips: Vec<Flip> = self.flips.into_values().collect();
        flips.sort_by(|one, other| {
            let key = |flip: &Flip| (std::cmp::Reverse(flip.count), flip.effect, flip.example.0);
            key(one).cmp(&key(other))
        });
        Replayed { flips, ..self.found }
    }

    fn judge(&self, record: &Record) -> Result<(Outcome, Decided<'p>), Unjudged> {
        let case = record.case().ok_or_else(|| why_not(record))?;
        let before = record.answered().ok_or_else(|| why_not(record))?;
        let refused = matches!(record.reply.said, Said::Deny | Said::BadRequest);
        if refused && !record.reply.reason.is_of_policy() {
            return Err(why_not(record));
        }
        let decided = self.policy.decide(&case);
        if record.shortened.is_some() && !self.is_certain(record, &decided) {
            return Err(Unjudged::Shortened);
        }
        Ok((before.into(), decided))
    }

    /// Whether every address that may have been the client's meets the same conditions on networks.
    fn is_certain(&self, record: &Record, decided: &Decided<'_>) -> bool {
        let (Some(page), Some(left)) = (decided.ruling.page, left_of(record.client.ip)) else { return true };
        let role = record.who.as_ref().filter(|person| person.accepted).map(|person| match &person.acting {
            Some(Acted::For { role, .. }) => role,
            Some(Acted::Over) | None => &person.role,
        });
        let own = role.and_then(|role| self.policy.role_access(page, role)).map(|own| &own.when);
        [Some(&page.when), own].into_iter().flatten().all(|when| is_one(when, left))
    }

    fn count(&mut self, record: &Record, before: Outcome, decided: &Decided<'_>) {
        let after = Outcome::from(decided.answer);
        let (found, at) = (&mut self.found, record.at);
        let flipped = before != after;
        found.judged += 1;
        *found.decided_by.entry(Arc::clone(&record.policy)).or_default() += 1;
        found.span = Some(found.span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        if record.policy == found.policy {
            found.control.judged += 1;
            found.control.flipped += u64::from(flipped);
        }
        if !flipped {
            found.unchanged += 1;
            return;
        }
        found.totals.add(Effect::between(before, after));
        let kind = Kind::of(record, before, after, decided);
        let full = self.flips.len() >= KINDS;
        match self.flips.get_mut(&kind) {
            Some(flip) => flip.add(record),
            None if full => found.more += 1,
            None => {
                let place = decided.ruling.page.map(|page| format!("{}:{}", page.file, page.line));
                self.flips.insert(kind.clone(), Flip::first(kind, place.unwrap_or_default(), record));
            }
        }
    }
}

impl Chosen {
    fn takes(&self, record: &Record) -> bool {
        let user = record.who.as_ref().map(|person| person.user.as_str());
        self.site.as_deref().is_none_or(|site| record.is_of(site))
            && self.since.is_none_or(|since| record.at >= since)
            && self.until.is_none_or(|until| record.at < until)
            && self.user.as_deref().is_none_or(|wanted| user == Some(wanted))
    }
}

impl Kind {
    fn of(record: &Record, before: Outcome, after: Outcome, decided: &Decided<'_>) -> Self {
        let person = record.who.as_ref().filter(|person| person.accepted);
        let role = person.map(|person| match &person.acting {
            Some(Acted::For { role, .. }) => format!("{} for {role}", person.role),
            Some(Acted::Over) | None => Role::clone(&person.role).to_string(),
        });
        Self {
            old: record.reply.page.as_ref().map(|page| Arc::clone(&page.name)),
            new: decided.ruling.page.map(|page| Arc::clone(&page.name)),
            user: person.map(|person| person.user.to_string()),
            role,
            key: person.is_some_and(|person| matches!(person.held, Held::Key { .. })),
            needs: decided.ruling.needs,
            before,
            after,
        }
    }
}

impl Flip {
    fn first(kind: Kind, place: String, record: &Record) -> Self {
        let Kind { old, new, user, role, key, needs, before, after } = kind;
        Self {
            effect: Effect::between(before, after),
            old,
            new: new.map(|name| (name, place)),
            user,
            role,
            key,
            needs,
            before,
            after,
            count: 1,
            span: (record.at, record.at),
            example: record.decision,
            request: request(record),
        }
    }

    fn add(&mut self, record: &Record) {
        self.count += 1;
        if record.at >= self.span.1 {
            self.example = record.decision;
            self.request = request(record);
        }
        self.span = (self.span.0.min(record.at), self.span.1.max(record.at));
    }
}

fn request(record: &Record) -> String {
    format!("{} {}", record.asked.method, record.asked.path.shown())
}

/// Why there is no case.
fn why_not(record: &Record) -> Unjudged {
    let path = record.asked.path.target();
    let own = path.is_some_and(|target| target.segments.first().is_some_and(|first| first == "_gate"));
    match (record.reply.said, record.reply.reason) {
        (_, Reason::Banned) => Unjudged::Ban,
        (_, Reason::Portal) => Unjudged::Portal,
        _ if own => Unjudged::Portal,
        (_, Reason::PageLimit) | (Said::Throttle { .. }, _) => Unjudged::Limit,
        (Said::Unavailable | Said::BadGateway | Said::GatewayTimeout, _) | (_, Reason::PageUnmarkable) => {
            Unjudged::Fault
        }
        _ if path.is_none() => Unjudged::Undescribed,
        _ => Unjudged::Before,
    }
}

/// The network that a shortened address stands for; `None` where nothing was taken away.
fn left_of(ip: IpAddr) -> Option<IpNet> {
    let bits = if ip.is_ipv4() { 24 } else { 48 };
    IpNet::new(ip, bits).ok().filter(|_| !ip.is_loopback())
}

/// Whether all of a network is inside the conditions' networks, or all of it outside.
fn is_one(when: &Conditions, left: IpNet) -> bool {
    let Some(networks) = &when.networks else { return true };
    networks.iter().any(|network| network.contains(&left))
        || !networks.iter().any(|network| left.contains(network))
}
