//! Wrong passwords and wrong codes: what they leave behind, and how long whoever guesses has to wait (R14, R16).
//!
//! Failures are counted by account name, whether or not there is such an account (R31), and by network. An account tells
//! networks that it has come from before from all others: what strangers do locks strangers out, never its owner at home.

mod account;
mod network;
mod tally;
#[cfg(test)]
mod tests;
mod what;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::{
    account::{Account, Failed},
    network::{BANNED_BY, Network},
    tally::Tally,
    what::What,
};
use super::{
    address::NetworkKey,
    ban::Ban,
    identity::{UserId, UserName},
    seal::Sealer,
};
use crate::clock::Wall;

/// After so long without a failure the next one is the first in a row again.
pub const CALM: Duration = Duration::from_secs(86_400);
/// What the hard stop looks back on.
pub const WINDOW: Duration = Duration::from_secs(30 * 86_400);
/// What whoever is stopped is told to wait, although waiting alone does not help.
pub const STOPPED_RETRY: Duration = Duration::from_secs(86_400);
/// While a try is under way that may be the last for now.
const MOMENT: Duration = Duration::from_secs(1);

/// What is guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A password.
    Password,
    /// A code of the second factor, of the app or a backup code.
    Factor,
}

impl Kind {
    /// What the audit trail and metrics call it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Factor => "second-factor",
        }
    }
}

/// One value for each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByKind<T> {
    password: T,
    factor: T,
}

impl<T> ByKind<T> {
    /// The value of a kind.
    pub const fn of(&self, kind: Kind) -> &T {
        match kind {
            Kind::Password => &self.password,
            Kind::Factor => &self.factor,
        }
    }

    /// The same, to be changed.
    pub const fn of_mut(&mut self, kind: Kind) -> &mut T {
        match kind {
            Kind::Password => &mut self.password,
            Kind::Factor => &mut self.factor,
        }
    }
}

/// Whose password or code is guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Subject {
    /// An account.
    Account(UserId),
    /// A name that is no account's, as a keyed digest: people type passwords into the wrong field (R29).
    Name([u8; 16]),
}

impl Subject {
    /// A name that is no account's.
    pub fn name(keys: &Sealer, name: &UserName) -> Self {
        Self::Name(keys.digest("failures:name", name.as_str().as_bytes()))
    }
}

/// The steps from a few free tries to a hard stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// So many failures in a row cost nothing.
    pub free: u32,
    /// The wait after the last free one, and after each that follows; the last goes on.
    pub waits: Vec<Duration>,
    /// After so many within [`WINDOW`] nothing but an operator, or a new password, helps.
    pub stop: u32,
}

impl Steps {
    /// The wait after `row` failures in a row, if there is one.
    fn wait_after(&self, row: u32) -> Option<Duration> {
        let step = usize::try_from(row.checked_sub(self.free)?).unwrap_or(usize::MAX);
        self.waits.get(step).or(self.waits.last()).copied()
    }
}

/// What networks are allowed, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// So many failures …
    pub failures: u32,
    /// … from the first on within this time are too many.
    pub per: Duration,
    /// How long the network is banned: the first time, the second time within a week, and so on; the last goes on.
    pub bans: Vec<Duration>,
}

/// How failures are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// Passwords, by account.
    pub password: Steps,
    /// Codes, by account.
    pub factor: Steps,
    /// How long a network stays known after a success.
    pub known_for: Duration,
    /// By network.
    pub network: Patience,
}

impl Default for Lockout {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(count * 60);
        let steps = |waits: [u64; 2], first| Steps {
            free: 5,
            waits: [first].into_iter().chain(waits.map(minutes)).collect(),
            stop: 100,
        };
        Self {
            password: steps([5, 60], Duration::from_secs(30)),
            factor: steps([60, 240], minutes(15)),
            known_for: WINDOW,
            network: Patience {
                failures: 50,
                per: minutes(60),
                bans: [15, 60, 24 * 60].map(minutes).to_vec(),
            },
        }
    }
}

impl Lockout {
    /// The steps of a kind.
    pub const fn steps(&self, kind: Kind) -> &Steps {
        match kind {
            Kind::Password => &self.password,
            Kind::Factor => &self.factor,
        }
    }
}

/// Why nothing is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Barred {
    /// Not before so long.
    For(Duration),
    /// Not from here before an operator, or a new password, says so.
    Stopped,
}

/// One failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose password or code it was; `None`: a refresh token, an API key, or a name that nobody can have.
    pub guessed: Option<(Subject, Kind)>,
    /// From where.
    pub network: NetworkKey,
    /// Whether a ban would reach the network.
    pub bannable: bool,
    /// How many at once.
    pub count: u32,
    /// When.
    pub at: Wall,
}

/// What came of a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consequence {
    /// What bars the same guess from now on.
    pub barred: Option<Barred>,
    /// So many more are free.
    pub left: u32,
    /// Whether it bars everybody but those who come from known networks, and not just a known network.
    pub strangers: bool,
    /// The bans that were made: of the network, and of the wider one that it is a part of.
    pub banned: Vec<Ban>,
}

/// One success.
#[derive(Clone, Copy, Debug)]
pub struct Success {
    /// Whose.
    pub user: UserId,
    /// From where.
    pub network: NetworkKey,
    /// The password was right.
    pub password: Option<Known>,
    /// The code was right.
    pub factor: Option<Known>,
    /// When.
    pub at: Wall,
}

/// What a success says about the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is one that the owner comes from.
    Yes,
    /// Nothing yet: there is another factor to prove.
    NotYet,
}

/// How an account stands, for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What bars strangers from trying, if anything.
    pub barred: ByKind<Option<Barred>>,
    /// The failures of strangers that count towards the stop.
    pub failures: ByKind<u32>,
}

impl Standing {
    /// What bars strangers most.
    pub fn worst(&self) -> Option<Barred> {
        match (*self.barred.of(Kind::Password), *self.barred.of(Kind::Factor)) {
            (Some(Barred::For(one)), Some(Barred::For(other))) => Some(Barred::For(one.max(other))),
            (Some(Barred::Stopped), _) | (_, Some(Barred::Stopped)) => Some(Barred::Stopped),
            (one, other) => one.or(other),
        }
    }
}
