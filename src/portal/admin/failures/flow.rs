//! Failed attempts, added up by network, by account and by place. No I/O.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use ipnet::IpNet;

use crate::{
    clock::Wall,
    rules::{
        address::NetworkKey,
        ban::Whom,
        failures::{Account, Kind, Lockout, Network},
        place::{Places, Systems},
        reason::Reason,
        record::Record,
    },
};

/// What failed, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Wrong passwords, within 30 days.
    pub(super) passwords: u32,
    /// Wrong codes, within 30 days.
    pub(super) codes: u32,
    /// Credentials that do not verify, among the refusals that were looked at.
    pub(super) credentials: u32,
    /// Traps, among the same.
    pub(super) traps: u32,
}

impl Counts {
    /// All together.
    pub(super) fn sum(&self) -> u32 {
        self.parts().iter().fold(0, |sum, part| sum.saturating_add(*part))
    }

    pub(super) const fn parts(&self) -> [u32; 4] {
        [self.passwords, self.codes, self.credentials, self.traps]
    }

    fn add(&mut self, other: &Self) {
        for (mine, more) in [
            (&mut self.passwords, other.passwords),
            (&mut self.codes, other.codes),
            (&mut self.credentials, other.credentials),
            (&mut self.traps, other.traps),
        ] {
            *mine = mine.saturating_add(more);
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut u32 {
        match kind {
            Kind::Password => &mut self.passwords,
            Kind::Factor => &mut self.codes,
        }
    }
}

/// What failed from one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) network: IpNet,
    pub(super) counts: Counts,
    /// The first of them.
    pub(super) since: Wall,
    pub(super) last: Wall,
    /// Failures that count towards a ban, and since when.
    pub(super) towards: Option<(u32, Wall)>,
    /// How often it was banned in a row.
    pub(super) bans: u32,
}

impl Seen {
    fn new(network: IpNet) -> Self {
        let (counts, since) = (Counts::default(), Wall::from_millis(u64::MAX));
        Self { network, counts, since, last: Wall::default(), towards: None, bans: 0 }
    }

    /// Whether it is a /48, whose networks are listed as well.
    pub(super) const fn is_wider(&self) -> bool {
        NetworkKey(self.network).is_wider()
    }

    /// An address that stands for it.
    pub(super) fn address(&self) -> IpAddr {
        self.network.addr()
    }
}

/// What failed at one country or one autonomous system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Somewhere {
    /// `None`: where that is, is not known.
    pub(super) whom: Option<Whom>,
    pub(super) counts: Counts,
    pub(super) last: Wall,
    /// So many networks.
    pub(super) networks: usize,
}

/// All networks that failed, those that failed last first: those that are counted, those that accounts and names know
/// of, and those of refusals.
pub(super) fn by_network<'a>(
    counted: &[Network],
    accounts: impl Iterator<Item = &'a Account>,
    refusals: &[Record],
    rules: &Lockout,
    now: Wall,
) -> Vec<Seen> {
    let mut all: HashMap<IpNet, Seen> = HashMap::new();
    for network in counted {
        let seen = all.entry(network.network.0).or_insert_with_key(|net| Seen::new(*net));
        (seen.since, seen.last) = (network.last(), network.last());
        seen.towards = network.counted(&rules.network, now);
        seen.since = seen.towards.map_or(seen.since, |(_, since)| since);
        seen.bans = network.bans(now);
    }
    for account in accounts {
        for failed in account.by_network(rules, now) {
            let seen = all.entry(failed.network.0).or_insert_with_key(|net| Seen::new(*net));
            let count = seen.counts.of_mut(failed.kind);
            *count = count.saturating_add(failed.count);
            (seen.since, seen.last) = (seen.since.min(failed.since), seen.last.max(failed.last));
        }
    }
    for refusal in refusals.iter().filter(|refusal| refusal.shortened.is_none()) {
        let network = NetworkKey::of(refusal.client.ip).0;
        let seen = all.entry(network).or_insert_with_key(|net| Seen::new(*net));
        let trap = refusal.reply.reason == Reason::Trap;
        *(if trap { &mut seen.counts.traps } else { &mut seen.counts.credentials }) += 1;
        (seen.since, seen.last) = (seen.since.min(refusal.at), seen.last.max(refusal.at));
    }
    add_up_wider(&mut all);
    let mut all: Vec<Seen> = all.into_values().collect();
    all.sort_by_key(|seen| (std::cmp::Reverse(seen.last), seen.network));
    all
}

/// Lets a /48 have what its networks have together. One that stands for a single network says nothing that this one does
/// not.
fn add_up_wider(all: &mut HashMap<IpNet, Seen>) {
    let mut sums: HashMap<IpNet, (usize, Counts)> = HashMap::new();
    for seen in all.values() {
        let Some(NetworkKey(wider)) = NetworkKey(seen.network).wider() else { continue };
        let (networks, counts) = sums.entry(wider).or_default();
        *networks += 1;
        counts.add(&seen.counts);
    }
    all.retain(|network, seen| {
        let (networks, counts) = sums.get(network).copied().unwrap_or_default();
        if seen.is_wider() {
            seen.counts = counts;
        }
        !seen.is_wider() || networks > 1 || seen.bans > 0
    });
}

/// Whether a refusal is a failed attempt, and not one of somebody who has just lost his session.
pub(super) fn is_attempt(record: &Record) -> bool {
    matches!(record.reply.reason, Reason::BadCredential | Reason::Trap)
}

/// The countries that networks are in, those with the most failures first.
pub(super) fn by_country(networks: &[Seen], places: &Places) -> Vec<Somewhere> {
    gathered(networks, |ip| places.country_code(ip).map(Whom::Country))
}

/// The autonomous systems that networks are in, those with the most failures first.
pub(super) fn by_system(networks: &[Seen], systems: &Systems) -> Vec<Somewhere> {
    gathered(networks, |ip| systems.asn(ip).map(Whom::Asn))
}

fn gathered(networks: &[Seen], whom: impl Fn(IpAddr) -> Option<Whom>) -> Vec<Somewhere> {
    let mut all: BTreeMap<Option<Whom>, Somewhere> = BTreeMap::new();
    for seen in networks.iter().filter(|seen| !seen.is_wider()) {
        let whom = whom(seen.address());
        let counts = Counts::default();
        let place = all.entry(whom).or_insert(Somewhere { whom, counts, last: Wall::default(), networks: 0 });
        place.counts.add(&seen.counts);
        place.last = place.last.max(seen.last);
        place.networks += 1;
    }
    let mut all: Vec<Somewhere> = all.into_values().collect();
    all.sort_by_key(|place| std::cmp::Reverse((place.counts.sum(), place.networks, place.last)));
    all
}

/// What failed at one account, wherever it came from.
pub(super) fn at_account(account: &Account, rules: &Lockout, now: Wall) -> (Counts, Wall, Vec<IpNet>) {
    let mut counts = Counts::default();
    let mut networks: Vec<(Wall, IpNet)> = Vec::new();
    let mut last = Wall::default();
    for kind in [Kind::Password, Kind::Factor] {
        let (count, at) = account.failed(kind, rules, now);
        *counts.of_mut(kind) = count;
        last = last.max(at);
    }
    for failed in account.by_network(rules, now) {
        networks.push((failed.last, failed.network.0));
    }
    networks.sort_by(|one, other| other.cmp(one));
    let mut seen = std::collections::HashSet::new();
    let networks = networks.into_iter().map(|(_, network)| network).filter(|one| seen.insert(*one)).collect();
    (counts, last, networks)
}
