//! Rate limits in memory: token buckets by client network and class, and by account.

mod buckets;
mod nested;
mod pages;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

pub use self::pages::{QuotaKey, Subject};
use self::{
    nested::{Levels, Nested},
    pages::PageBuckets,
};
use crate::{
    clock::Moment,
    meter::Counter,
    rules::{address::NetworkKey, api_key::KeyId, identity::UserId, limit::Quota},
};

/// How many networks, /48s or accounts a class tells apart; further ones share coarse buckets. About 100 bytes each.
const CAPACITY: usize = 100_000;

/// What a request is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Any request.
    Request,
    /// A password being tried.
    SignIn,
    /// A second factor being tried, by network.
    SecondFactor,
    /// A refresh.
    Refresh,
    /// A call of the portal's API.
    Portal,
}

/// What somebody had too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// A class of requests, by network.
    Class(Class),
    /// Requests of one account.
    Account,
    /// Requests with one API key.
    Key,
    /// A page's own quota.
    Page,
}

impl Limited {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Class(Class::Request),
        Self::Class(Class::SignIn),
        Self::Class(Class::SecondFactor),
        Self::Class(Class::Refresh),
        Self::Class(Class::Portal),
        Self::Account,
        Self::Key,
        Self::Page,
    ];

    /// As the metrics call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Class(Class::Request) => "request",
            Self::Class(Class::SignIn) => "sign-in",
            Self::Class(Class::SecondFactor) => "second-factor",
            Self::Class(Class::Refresh) => "refresh",
            Self::Class(Class::Portal) => "portal",
            Self::Account => "account",
            Self::Key => "key",
            Self::Page => "page",
        }
    }

    const fn place(self) -> usize {
        match self {
            Self::Class(class) => class as usize,
            Self::Account => 5,
            Self::Key => 6,
            Self::Page => 7,
        }
    }
}

/// The quotas of the classes.
#[derive(Clone, Copy, Debug)]
pub struct Quotas {
    /// Of any request, per network.
    pub request: Quota,
    /// Of passwords, per network.
    pub sign_in: Quota,
    /// Of second factors, per network.
    pub second_factor: Quota,
    /// Of refreshes, per network.
    pub refresh: Quota,
    /// Of calls of the portal's API, per network.
    pub portal: Quota,
    /// Of allowed requests, per account.
    pub account: Quota,
    /// Of requests with an API key, per key.
    pub key: Quota,
}

/// What all buckets lack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CounterLevels {
    request: Levels<NetworkKey>,
    sign_in: Levels<NetworkKey>,
    second_factor: Levels<NetworkKey>,
    refresh: Levels<NetworkKey>,
    portal: Levels<NetworkKey>,
    account: Levels<UserId>,
    key: Levels<KeyId>,
    pages: Vec<(QuotaKey, Levels<Subject>)>,
}

/// Token buckets. They run on [`Moment::mono`] alone, so that setting the machine's clock neither frees nor locks anybody.
pub struct Counters {
    limits: ArcSwap<Limits>,
    pages: PageBuckets,
    limited: [Counter; Limited::ALL.len()],
    capacity: usize,
}

struct Limits {
    request: Arc<Nested<NetworkKey>>,
    sign_in: Arc<Nested<NetworkKey>>,
    second_factor: Arc<Nested<NetworkKey>>,
    refresh: Arc<Nested<NetworkKey>>,
    portal: Arc<Nested<NetworkKey>>,
    account: Arc<Nested<UserId>>,
    key: Arc<Nested<KeyId>>,
}

impl Quotas {
    /// The same of everything.
    pub const fn all(quota: Quota) -> Self {
        Self {
            request: quota,
            sign_in: quota,
            second_factor: quota,
            refresh: quota,
            portal: quota,
            account: quota,
            key: quota,
        }
    }
}

impl Counters {
    /// Full buckets.
    pub fn new(quotas: Quotas) -> Self {
        Self::with_capacity(quotas, CAPACITY)
    }

    fn with_capacity(quotas: Quotas, capacity: usize) -> Self {
        let limits = ArcSwap::from_pointee(Limits::new(quotas, capacity));
        let limited = std::array::from_fn(|_| Counter::default());
        Self { limits, pages: PageBuckets::default(), limited, capacity }
    }

    /// Charges a network for one request of a class, and the /48 that it is a part of.
    ///
    /// # Errors
    /// With the time until it is worth trying again.
    pub fn charge(&self, network: NetworkKey, class: Class, at: Moment) -> Result<(), Duration> {
        let limits = self.limits.load();
        let limiter = match class {
            Class::Request => &limits.request,
            Class::SignIn => &limits.sign_in,
            Class::SecondFactor => &limits.second_factor,
            Class::Refresh => &limits.refresh,
            Class::Portal => &limits.portal,
        };
        self.counted(Limited::Class(class), limiter.charge(&network, at.mono))
    }

    /// Charges an account for one request that is allowed, whatever session, key or network it comes from.
    ///
    /// # Errors
    /// With the time until it is worth trying again.
    pub fn charge_account(&self, account: UserId, at: Moment) -> Result<(), Duration> {
        self.counted(Limited::Account, self.limits.load().account.charge(&account, at.mono))
    }

    /// Charges an API key for one request. Only keys that there are have buckets, so that nobody can crowd them out.
    ///
    /// # Errors
    /// With the time until it is worth trying again.
    pub fn charge_key(&self, key: KeyId, at: Moment) -> Result<(), Duration> {
        self.counted(Limited::Key, self.limits.load().key.charge(&key, at.mono))
    }

    /// Charges a subject for one use of a page that has a quota of its own.
    ///
    /// # Errors
    /// With the time until it is worth trying again.
    pub fn charge_page(&self, key: QuotaKey, subject: Subject, at: Moment) -> Result<(), Duration> {
        self.counted(Limited::Page, self.pages.charge(key, subject, at))
    }

    /// How often somebody had too much of something.
    pub fn limited(&self, what: Limited) -> u64 {
        self.limited.get(what.place()).map_or(0, Counter::get)
    }

    fn counted(&self, what: Limited, charged: Result<(), Duration>) -> Result<(), Duration> {
        if charged.is_err()
            && let Some(counter) = self.limited.get(what.place())
        {
            counter.count();
        }
        charged
    }

    /// What all buckets lack, for a process that takes over: for each the time until it is full again.
    pub fn levels(&self, at: Moment) -> CounterLevels {
        let limits = self.limits.load();
        CounterLevels {
            request: limits.request.levels(at.mono),
            sign_in: limits.sign_in.levels(at.mono),
            second_factor: limits.second_factor.levels(at.mono),
            refresh: limits.refresh.levels(at.mono),
            portal: limits.portal.levels(at.mono),
            account: limits.account.levels(at.mono),
            key: limits.key.levels(at.mono),
            pages: self.pages.levels(at.mono),
        }
    }

    /// Lets buckets lack what the process before has counted, or what they lack already, whichever is more. What was
    /// counted under another quota is forgotten, as on a reload.
    pub fn take_over(&self, levels: CounterLevels, at: Moment) {
        let limits = self.limits.load();
        limits.request.take_over(levels.request, at.mono);
        limits.sign_in.take_over(levels.sign_in, at.mono);
        limits.second_factor.take_over(levels.second_factor, at.mono);
        limits.refresh.take_over(levels.refresh, at.mono);
        limits.portal.take_over(levels.portal, at.mono);
        limits.account.take_over(levels.account, at.mono);
        limits.key.take_over(levels.key, at.mono);
        self.pages.take_over(levels.pages, at.mono);
    }

    /// Forgets the buckets of pages' quotas that are no more.
    pub fn keep_pages(&self, still: impl Fn(&QuotaKey) -> bool) {
        self.pages.keep(still);
    }

    /// Replaces the quotas. A class whose quota stays the same keeps its buckets, the others start with full ones.
    pub fn set_quotas(&self, quotas: Quotas) {
        self.limits.rcu(|now| now.changed(quotas, self.capacity));
    }
}

impl Limits {
    fn new(quotas: Quotas, capacity: usize) -> Self {
        Self {
            request: Arc::new(Nested::new(quotas.request, capacity)),
            sign_in: Arc::new(Nested::new(quotas.sign_in, capacity)),
            second_factor: Arc::new(Nested::new(quotas.second_factor, capacity)),
            refresh: Arc::new(Nested::new(quotas.refresh, capacity)),
            portal: Arc::new(Nested::new(quotas.portal, capacity)),
            account: Arc::new(Nested::new(quotas.account, capacity)),
            key: Arc::new(Nested::new(quotas.key, capacity)),
        }
    }

    fn changed(&self, quotas: Quotas, capacity: usize) -> Self {
        Self {
            request: self.request.with(quotas.request, capacity),
            sign_in: self.sign_in.with(quotas.sign_in, capacity),
            second_factor: self.second_factor.with(quotas.second_factor, capacity),
            refresh: self.refresh.with(quotas.refresh, capacity),
            portal: self.portal.with(quotas.portal, capacity),
            account: self.account.with(quotas.account, capacity),
            key: self.key.with(quotas.key, capacity),
        }
    }
}
