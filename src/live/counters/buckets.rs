//! One class of token buckets: governor on our own clock, in bounded memory.

use std::{
    hash::Hash,
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{
    RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{
        InMemoryState, NotKeyed, StateStore,
        keyed::{DashMapStateStore, ShrinkableKeyedStateStore},
    },
};
use serde::{Deserialize, Serialize};

use crate::rules::{address::NetworkKey, api_key::KeyId, identity::UserId, limit::Quota};

/// How often full buckets, which say nothing, are forgotten.
const SWEEP: Duration = Duration::from_secs(60);
/// How often while there is no room for new keys.
const SWEEP_WHEN_FULL: Duration = Duration::from_secs(1);
/// How many coarse buckets there are once there is no room.
const COARSE: usize = 1 << 16;

/// What buckets are kept for.
pub(super) trait Key: Hash + Eq + Clone {
    /// Which of the coarse buckets is shared with others when there is no room for an own one.
    fn coarse(&self) -> u16;

    /// What it is a part of, if that is counted as well.
    fn wider(&self) -> Option<Self> {
        None
    }
}

impl Key for NetworkKey {
    /// The /16 of an IPv4 address. IPv6 addresses of one /32, what a provider is given, share a bucket too.
    fn coarse(&self) -> u16 {
        match self.0.addr() {
            IpAddr::V4(ip) => {
                let [a, b, ..] = ip.octets();
                u16::from_be_bytes([a, b])
            }
            IpAddr::V6(ip) => {
                let [a, b, ..] = ip.segments();
                a.rotate_left(5) ^ b
            }
        }
    }

    fn wider(&self) -> Option<Self> {
        self.wider()
    }
}

impl Key for KeyId {
    fn coarse(&self) -> u16 {
        let [a, b, ..] = self.0;
        u16::from_be_bytes([a, b])
    }
}

impl Key for UserId {
    fn coarse(&self) -> u16 {
        let [a, b, ..] = self.0;
        u16::from_be_bytes([a, b])
    }
}

/// What the buckets of one quota lack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Levels<K> {
    quota: Quota,
    own: Vec<(K, u64)>,
    coarse: Vec<(u32, u64)>,
}

/// The buckets of one class.
pub(super) struct Limiter<K: Key> {
    quota: Quota,
    governor: RateLimiter<K, Buckets<K>, Mono, NoOpMiddleware<Nanos>>,
    /// The same that governor has.
    buckets: Buckets<K>,
    clock: Mono,
    full: Arc<AtomicBool>,
    swept: AtomicU64,
}

impl<K: Key> Limiter<K> {
    pub(super) fn new(quota: Quota, capacity: usize) -> Self {
        let clock = Mono::default();
        let full = Arc::<AtomicBool>::default();
        let buckets =
            Buckets { own: Arc::default(), coarse: Arc::default(), capacity, full: Arc::clone(&full) };
        let governor = RateLimiter::new(rate(quota), buckets.clone(), clock.clone());
        Self { quota, governor, buckets, clock, full, swept: AtomicU64::new(0) }
    }

    pub(super) const fn quota(&self) -> Quota {
        self.quota
    }

    /// Takes one out of the bucket of a key, or says how long to wait.
    pub(super) fn charge(&self, key: &K, mono: Duration) -> Result<(), Duration> {
        let now = self.clock.advance(mono);
        self.sweep(now);
        let charged = self.governor.check_key(key);
        charged.map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }

    /// Puts one back that a charge has just taken.
    pub(super) fn give_back(&self, key: &K) {
        let one = Nanos::from(refill(self.quota));
        let sooner = |full_at: Option<Nanos>| Ok(((), full_at.ok_or(())?.saturating_sub(one)));
        // A bucket that is gone meanwhile was full.
        let _: Result<(), ()> = self.buckets.measure_and_replace(key, sooner);
    }

    /// What the buckets lack: for each key the nanoseconds until it is full again, and the same for the coarse buckets
    /// by their index.
    pub(super) fn levels(&self, mono: Duration) -> Levels<K> {
        let now = self.clock.advance(mono);
        let buckets = &self.buckets;
        let lacks = |bucket: &InMemoryState| full_at(bucket)?.checked_sub(now).filter(|left| *left > 0);
        let own = buckets.own.iter().filter_map(|entry| Some((entry.key().clone(), lacks(entry.value())?)));
        let coarse = buckets.coarse.get().into_iter().flatten().enumerate();
        let coarse = coarse.filter_map(|(index, bucket)| Some((u32::try_from(index).ok()?, lacks(bucket)?)));
        Levels { quota: self.quota, own: own.collect(), coarse: coarse.collect() }
    }

    /// Lets buckets lack what another process has counted, or what they lack already, whichever is more. Levels of
    /// another quota say nothing.
    pub(super) fn take_over(&self, levels: Levels<K>, mono: Duration) {
        if levels.quota != self.quota {
            return;
        }
        let now = self.clock.advance(mono);
        let longest = nanos(self.quota.per);
        let buckets = &self.buckets;
        let until = |left: u64| Nanos::new(now.saturating_add(left.min(longest)));
        for (key, left) in levels.own {
            let raised = |now: Option<Nanos>| Ok::<_, ()>(((), now.unwrap_or_default().max(until(left))));
            // It cannot fail.
            let _ = buckets.measure_and_replace(&key, raised);
        }
        for (index, left) in levels.coarse {
            let bucket = usize::try_from(index).ok().and_then(|index| buckets.coarse().get(index));
            let raised = |now: Option<Nanos>| Ok::<_, ()>(((), now.unwrap_or_default().max(until(left))));
            let _ = bucket.map(|bucket| bucket.measure_and_replace(&NotKeyed::NonKey, raised));
        }
    }

    /// How many keys have buckets of their own.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.governor.len()
    }

    /// Forgets full buckets when it is time; one caller does it, the others go on.
    fn sweep(&self, now: u64) {
        let every = if self.full.load(Ordering::Relaxed) { SWEEP_WHEN_FULL } else { SWEEP };
        let swept = self.swept.load(Ordering::Relaxed);
        let due = now.saturating_sub(swept) >= nanos(every);
        if due && self.swept.compare_exchange(swept, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.governor.retain_recent();
            self.full.store(false, Ordering::Relaxed);
        }
    }
}

/// When a bucket is full again; governor counts from the moment 0 of our clock.
fn full_at(bucket: &InMemoryState) -> Option<u64> {
    let seen = bucket.measure_and_replace(&NotKeyed::NonKey, Err::<((), Nanos), _>);
    seen.err().flatten().map(Nanos::as_u64)
}

/// The clock that governor asks: it shows the latest moment that somebody was charged at.
#[derive(Clone, Default)]
struct Mono(Arc<AtomicU64>);

impl Mono {
    /// Shows `mono` from now on, unless it shows a later one already.
    fn advance(&self, mono: Duration) -> u64 {
        let to = nanos(mono);
        self.0.fetch_max(to, Ordering::AcqRel).max(to)
    }
}

impl Clock for Mono {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.load(Ordering::Acquire))
    }
}

/// A bucket per key up to the capacity, coarse buckets beyond.
#[derive(Clone)]
struct Buckets<K: Key> {
    own: Arc<DashMapStateStore<K>>,
    coarse: Arc<OnceLock<Vec<InMemoryState>>>,
    capacity: usize,
    full: Arc<AtomicBool>,
}

impl<K: Key> Buckets<K> {
    fn coarse(&self) -> &[InMemoryState] {
        self.coarse.get_or_init(|| (0..COARSE).map(|_| InMemoryState::default()).collect())
    }
}

impl<K: Key> StateStore for Buckets<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if let Some(bucket) = self.own.get(key) {
            return bucket.measure_and_replace(&NotKeyed::NonKey, f);
        }
        if self.own.len() < self.capacity {
            return self.own.measure_and_replace(key, f);
        }
        self.full.store(true, Ordering::Relaxed);
        match self.coarse().get(usize::from(key.coarse())) {
            Some(bucket) => bucket.measure_and_replace(&NotKeyed::NonKey, f),
            None => f(None).map(|(result, _)| result),
        }
    }
}

impl<K: Key> ShrinkableKeyedStateStore<K> for Buckets<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.own.retain_recent(drop_below);
    }

    fn len(&self) -> usize {
        self.own.len()
    }

    fn is_empty(&self) -> bool {
        self.own.is_empty()
    }
}

/// How long one takes to come back.
fn refill(quota: Quota) -> Duration {
    (quota.per / quota.count.get()).max(Duration::from_nanos(1))
}

fn rate(quota: Quota) -> governor::Quota {
    governor::Quota::with_period(refill(quota))
        .unwrap_or(governor::Quota::per_second(quota.count))
        .allow_burst(quota.count)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
