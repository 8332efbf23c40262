//! Buckets of keys, and larger ones of what these keys are a part of: who has very many networks has one /48.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::buckets::{self, Key, Limiter};
use crate::rules::{address::WIDER_TIMES, limit::Quota};

/// What both lack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Levels<K> {
    own: buckets::Levels<K>,
    wider: buckets::Levels<K>,
}

/// The buckets of one class.
pub(super) struct Nested<K: Key> {
    own: Limiter<K>,
    wider: Limiter<K>,
}

impl<K: Key> Nested<K> {
    pub(super) fn new(quota: Quota, capacity: usize) -> Self {
        Self { own: Limiter::new(quota, capacity), wider: Limiter::new(quota.times(WIDER_TIMES), capacity) }
    }

    /// Itself if the quota is the same, else full buckets under the new one.
    pub(super) fn with(self: &Arc<Self>, quota: Quota, capacity: usize) -> Arc<Self> {
        if self.own.quota() == quota { Arc::clone(self) } else { Arc::new(Self::new(quota, capacity)) }
    }

    /// Takes one out of the bucket of a key and out of the wider one, or none and says how long to wait. The wider one
    /// comes first, so that whoever has used it up makes no more buckets; and what a single network is refused costs its
    /// neighbours nothing.
    pub(super) fn charge(&self, key: &K, mono: Duration) -> Result<(), Duration> {
        let Some(wider) = key.wider() else { return self.own.charge(key, mono) };
        self.wider.charge(&wider, mono)?;
        self.own.charge(key, mono).inspect_err(|_| self.wider.give_back(&wider))
    }

    pub(super) fn levels(&self, mono: Duration) -> Levels<K> {
        Levels { own: self.own.levels(mono), wider: self.wider.levels(mono) }
    }

    /// Lets buckets lack what another process has counted, or what they lack already, whichever is more.
    pub(super) fn take_over(&self, levels: Levels<K>, mono: Duration) {
        self.own.take_over(levels.own, mono);
        self.wider.take_over(levels.wider, mono);
    }

    /// How many have buckets of their own, and how many wider ones there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.own.len(), self.wider.len())
    }
}
