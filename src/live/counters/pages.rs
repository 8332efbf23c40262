//! Buckets of the quotas that pages have of their own.

use std::{sync::Arc, time::Duration};

use dashmap::DashMap;
use serde::{Deserialize, Serialize};

use super::{
    buckets::Key,
    nested::{Levels, Nested},
};
use crate::{
    clock::Moment,
    rules::{
        address::NetworkKey,
        api_key::KeyId,
        identity::{Role, UserId},
        policy::PageQuota,
        session::{Sid, SiteId},
    },
};

/// How many subjects a quota tells apart; further ones share coarse buckets.
const CAPACITY: usize = 20_000;

/// Which quota: one that is changed in the policy is another one, with full buckets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct QuotaKey {
    /// The site.
    pub site: SiteId,
    /// The page.
    pub page: Arc<str>,
    /// Whose, if the quota is one role's own.
    pub role: Option<Role>,
    /// What it says.
    pub quota: PageQuota,
}

/// What is counted on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Subject {
    /// A session.
    Session(Sid),
    /// An API key.
    Key(KeyId),
    /// An account.
    User(UserId),
    /// A network.
    Network(NetworkKey),
}

impl Key for Subject {
    fn coarse(&self) -> u16 {
        let head = |bytes: &[u8]| bytes.first_chunk().map_or(0, |head| u16::from_be_bytes(*head));
        match self {
            Self::Session(sid) => head(&sid.0),
            Self::Key(id) => id.coarse(),
            Self::User(id) => id.coarse(),
            Self::Network(network) => network.coarse(),
        }
    }

    fn wider(&self) -> Option<Self> {
        let Self::Network(network) = self else { return None };
        network.wider().map(Self::Network)
    }
}

/// The buckets of all pages' quotas.
#[derive(Default)]
pub(super) struct PageBuckets(DashMap<QuotaKey, Arc<Nested<Subject>>>);

impl PageBuckets {
    pub(super) fn charge(&self, key: QuotaKey, subject: Subject, at: Moment) -> Result<(), Duration> {
        self.limiter(key).charge(&subject, at.mono)
    }

    pub(super) fn levels(&self, mono: Duration) -> Vec<(QuotaKey, Levels<Subject>)> {
        self.0.iter().map(|entry| (entry.key().clone(), entry.value().levels(mono))).collect()
    }

    pub(super) fn take_over(&self, levels: Vec<(QuotaKey, Levels<Subject>)>, mono: Duration) {
        for (key, levels) in levels {
            self.limiter(key).take_over(levels, mono);
        }
    }

    fn limiter(&self, key: QuotaKey) -> Arc<Nested<Subject>> {
        let quota = key.quota.quota;
        let known = self.0.get(&key).map(|limiter| Arc::clone(&limiter));
        known.unwrap_or_else(|| {
            Arc::clone(&self.0.entry(key).or_insert_with(|| Arc::new(Nested::new(quota, CAPACITY))))
        })
    }

    pub(super) fn keep(&self, still: impl Fn(&QuotaKey) -> bool) {
        self.0.retain(|key, _| still(key));
    }
}
