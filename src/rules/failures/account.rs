//! What failures have left of one account, or of a name that is none.

use serde::{Deserialize, Serialize};

use super::{Barred, ByKind, Consequence, Kind, Known, Lockout, Standing, Success, Tally, WINDOW};
use crate::{clock::Wall, rules::address::NetworkKey};

/// How many networks of an account are told apart.
pub(super) const NETWORKS: usize = 16;
/// A success is written down again after so long.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(86_400);

/// The failures at one account.
///
/// Whoever comes from a known network, one with a success of the same kind not long ago, has a counter of his own there.
/// All others share one. A password alone makes a network known for codes as little as the other way round: otherwise
/// whoever has the password would have new guesses at the code on every network that he signs in from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    strangers: ByKind<Tally>,
    networks: Vec<Seen>,
}

/// What failed with one kind from one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// From where.
    pub network: NetworkKey,
    /// What was guessed.
    pub kind: Kind,
    /// How often.
    pub count: u32,
    /// The first of them.
    pub since: Wall,
    /// The last.
    pub last: Wall,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    network: NetworkKey,
    of: ByKind<Side>,
}

/// One kind on one network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Side {
    /// On a network that is not known these are in the strangers' counter as well.
    tally: Tally,
    succeeded: Option<Wall>,
}

impl Account {
    /// How many tries are free from this network, this one included, while `under_way` others of the same lane are not
    /// decided.
    ///
    /// # Errors
    /// With what bars it.
    pub fn permits(
        &self,
        network: &NetworkKey,
        kind: Kind,
        rules: &Lockout,
        now: Wall,
        under_way: u32,
    ) -> Result<u32, Barred> {
        self.tally(network, kind, rules, now).permits(rules.steps(kind), now, under_way)
    }

    /// Whose tries count together with those from this network: its own, if it is known, or those of all strangers.
    pub fn lane(&self, network: &NetworkKey, kind: Kind, rules: &Lockout, now: Wall) -> Option<NetworkKey> {
        self.known(network, kind, rules, now).map(|_| *network)
    }

    /// Counts a failure.
    pub fn fail(&mut self, network: &NetworkKey, kind: Kind, rules: &Lockout, now: Wall) -> Consequence {
        let steps = rules.steps(kind);
        let strange = self.known(network, kind, rules, now).is_none();
        if strange {
            self.strangers.of_mut(kind).fail(steps, now);
        }
        if let Some(seen) = self.seen(network, Rank::Nothing) {
            seen.of.of_mut(kind).tally.fail(steps, now);
        }
        let counts = self.tally(network, kind, rules, now);
        Consequence {
            barred: counts.barred(steps, now),
            left: counts.permits(steps, now, 0).unwrap_or(0),
            strangers: strange,
            banned: Vec::new(),
        }
    }

    /// Takes note of a success. It takes back what failed from the same network, and nothing that failed elsewhere.
    pub fn succeed(&mut self, success: &Success, rules: &Lockout) {
        for (kind, known) in [(Kind::Password, success.password), (Kind::Factor, success.factor)] {
            if let Some(known) = known {
                self.succeed_in(&success.network, kind, known, rules, success.at);
            }
        }
    }

    fn succeed_in(&mut self, network: &NetworkKey, kind: Kind, known: Known, rules: &Lockout, now: Wall) {
        let steps = rules.steps(kind);
        let strange = self.known(network, kind, rules, now).is_none();
        let worth_a_place = known == Known::Yes || self.networks.iter().any(|seen| seen.network == *network);
        let rank = if kind == Kind::Factor { Rank::Code } else { Rank::Password };
        let Some(seen) = worth_a_place.then(|| self.seen(network, rank)).flatten() else { return };
        let side = seen.of.of_mut(kind);
        let own = side.tally.at(steps, now);
        // Codes are so short that every wrong one counts towards the stop, whoever it was.
        let total = if kind == Kind::Factor { 0 } else { own.total };
        side.tally.take_back(side.tally.row, total);
        if known == Known::Yes && side.succeeded.is_none_or(|at| at > now || now.since(at) >= AGAIN) {
            side.succeeded = Some(now);
        }
        if strange {
            self.strangers.of_mut(kind).take_back(own.row, total);
        }
    }

    /// Forgets the failures of a kind, wherever they came from. What is known of networks stays.
    pub fn forgive(&mut self, kind: Kind) {
        *self.strangers.of_mut(kind) = Tally::default();
        for seen in &mut self.networks {
            seen.of.of_mut(kind).tally = Tally::default();
        }
    }

    /// How it stands.
    pub fn standing(&self, rules: &Lockout, now: Wall) -> Standing {
        let of = |kind| (self.strangers.of(kind), rules.steps(kind));
        let barred = |kind| of(kind).0.barred(of(kind).1, now);
        let failures = |kind| of(kind).0.at(of(kind).1, now).total;
        Standing {
            barred: ByKind { password: barred(Kind::Password), factor: barred(Kind::Factor) },
            failures: ByKind { password: failures(Kind::Password), factor: failures(Kind::Factor) },
        }
    }

    /// What failed with one kind within [`WINDOW`], wherever it came from.
    pub fn failed(&self, kind: Kind, rules: &Lockout, now: Wall) -> (u32, Wall) {
        let steps = rules.steps(kind);
        let strangers = self.strangers.of(kind);
        // What fails on a network that is not known is the strangers' already.
        let known = self.networks.iter().filter(|seen| self.known(&seen.network, kind, rules, now).is_some());
        known
            .map(|seen| &seen.of.of(kind).tally)
            .fold((strangers.at(steps, now).total, strangers.last()), |(count, last), tally| {
                (count.saturating_add(tally.at(steps, now).total), last.max(tally.last()))
            })
    }

    /// What failed within [`WINDOW`], by network; of many networks the last ones are known.
    pub fn by_network(&self, rules: &Lockout, now: Wall) -> impl Iterator<Item = Failed> {
        let of = move |seen: &Seen, kind| {
            let tally = seen.of.of(kind).tally.at(rules.steps(kind), now);
            (tally.total > 0).then(|| Failed {
                network: seen.network,
                kind,
                count: tally.total,
                since: tally.since(),
                last: tally.last(),
            })
        };
        let kinds = [Kind::Password, Kind::Factor];
        self.networks.iter().flat_map(move |seen| kinds.into_iter().filter_map(move |kind| of(seen, kind)))
    }

    /// The last failure.
    pub fn last(&self) -> Wall {
        self.strangers.of(Kind::Password).last().max(self.strangers.of(Kind::Factor).last())
    }

    /// Whether nothing in it counts any more, for a name that is no account's.
    pub fn is_over(&self, now: Wall) -> bool {
        now.since(self.last()) >= WINDOW
    }

    /// The counter that counts for this network.
    fn tally(&self, network: &NetworkKey, kind: Kind, rules: &Lockout, now: Wall) -> &Tally {
        self.known(network, kind, rules, now).map_or(self.strangers.of(kind), |side| &side.tally)
    }

    /// What there is about a network that is known. One that has come to the stop is known no more.
    fn known(&self, network: &NetworkKey, kind: Kind, rules: &Lockout, now: Wall) -> Option<&Side> {
        let seen = self.networks.iter().find(|seen| seen.network == *network)?;
        let side = seen.of.of(kind);
        let lately = side.succeeded.is_some_and(|at| now.since(at) < rules.known_for);
        let stopped = side.tally.at(rules.steps(kind), now).is_stopped(rules.steps(kind));
        (lately && !stopped).then_some(side)
    }

    /// The place of a network; in a full list that of the one with the least standing, if that is at most `upto`.
    fn seen(&mut self, network: &NetworkKey, upto: Rank) -> Option<&mut Seen> {
        if let Some(at) = self.networks.iter().position(|seen| seen.network == *network) {
            return self.networks.get_mut(at);
        }
        if self.networks.len() >= NETWORKS {
            let (at, least) =
                self.networks.iter().enumerate().min_by_key(|(_, seen)| (seen.rank(), seen.last()))?;
            if least.rank() > upto {
                return None;
            }
            self.networks.remove(at);
        }
        self.networks.push(Seen { network: *network, of: ByKind::default() });
        self.networks.last_mut()
    }
}

/// By what a network is known. Nobody takes the place of a network that is known by more: failures make an account
/// forget no network that its owner comes from, and a password none where a code was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Nothing,
    Password,
    Code,
}

impl Seen {
    fn rank(&self) -> Rank {
        match (self.of.of(Kind::Password).succeeded, self.of.of(Kind::Factor).succeeded) {
            (_, Some(_)) => Rank::Code,
            (Some(_), None) => Rank::Password,
            (None, None) => Rank::Nothing,
        }
    }

    fn last(&self) -> Wall {
        let sides = [self.of.of(Kind::Password), self.of.of(Kind::Factor)];
        sides
            .iter()
            .map(|side| side.succeeded.unwrap_or_default().max(side.tally.last()))
            .max()
            .unwrap_or_default()
    }
}
