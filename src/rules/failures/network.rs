//! What failures have left of one network.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Patience;
use crate::{
    clock::Wall,
    rules::{
        address::{NetworkKey, WIDER_TIMES},
        ban::Ban,
    },
};

/// Who bans by itself.
pub const BANNED_BY: &str = "panelgate";
/// A ban so long ago does not make the next one longer.
const FORGETS: Duration = Duration::from_secs(7 * 86_400);

/// The failures from one network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Which.
    pub network: NetworkKey,
    count: u32,
    since: Wall,
    last: Wall,
    bans: u32,
    banned: Wall,
}

impl Network {
    /// Without failures.
    pub fn new(network: NetworkKey) -> Self {
        let never = Wall::default();
        Self { network, count: 0, since: never, last: never, bans: 0, banned: never }
    }

    /// Counts failures. One too many is a ban, and the count starts again. A /48 may fail
    /// [`WIDER_TIMES`] as often.
    pub fn fail(&mut self, count: u32, rules: &Patience, now: Wall) -> Option<Ban> {
        if self.count == 0 || now.since(self.since) >= rules.per {
            (self.count, self.since) = (0, now);
        }
        self.count = self.count.saturating_add(count);
        self.last = now;
        let times = if self.network.is_wider() { WIDER_TIMES } else { 1 };
        if self.count < rules.failures.saturating_mul(times) {
            return None;
        }
        let before = self.bans(now);
        let lasts = usize::try_from(before).ok().and_then(|step| rules.bans.get(step));
        let lasts = *lasts.or(rules.bans.last())?;
        let reason = format!("{} failed sign-ins or guesses", self.count);
        (self.count, self.bans, self.banned) = (0, before.saturating_add(1), now);
        let (whom, by) = (self.network.0.into(), BANNED_BY.to_owned());
        Some(Ban { whom, reason, by, since: now, until: Some(now.plus(lasts)) })
    }

    /// Failures that count towards a ban, and since when.
    pub fn counted(&self, rules: &Patience, now: Wall) -> Option<(u32, Wall)> {
        (self.count > 0 && now.since(self.since) < rules.per).then_some((self.count, self.since))
    }

    /// How often it was banned in a row; a week without a ban starts over.
    pub fn bans(&self, now: Wall) -> u32 {
        if now.since(self.banned) < FORGETS { self.bans } else { 0 }
    }

    /// The last failure.
    pub const fn last(&self) -> Wall {
        self.last
    }

    /// Whether nothing in it counts any more.
    pub fn is_over(&self, now: Wall) -> bool {
        now.since(self.last) >= FORGETS
    }
}
