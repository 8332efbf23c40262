//! Counters, levels and histograms of atomics: whatever counts takes no lock, allocates nothing and waits for nobody.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

#[cfg(test)]
mod tests;

/// Bounds of histograms of time, in nanoseconds: from what a decision takes in memory to what nobody waits for.
pub const LATENCY: &[u64] = &[
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    10_000_000_000,
];

/// Bounds of histograms of how many things went together.
pub const LENGTH: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/// Something that happens, counted since the process started.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// It happened.
    pub fn count(&self) {
        self.add(1);
    }

    /// It happened so often.
    pub fn add(&self, times: u64) {
        self.0.fetch_add(times, Ordering::Relaxed);
    }

    /// How often it has happened.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many there are of something now.
#[derive(Debug, Default)]
pub struct Level(AtomicU64);

/// One of a [`Level`], until it is dropped.
#[derive(Debug)]
pub struct Held<'a>(&'a Level);

impl Level {
    /// One more, until what is returned is dropped.
    pub fn hold(&self) -> Held<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Held(self)
    }

    /// How many there are.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Values by size. Bounds are included in their bucket, as Prometheus has it.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what is beyond the last.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a histogram holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Each bound with how many values were at most so large.
    pub buckets: Vec<(u64, u64)>,
    /// How many values there were.
    pub count: u64,
    /// What they come to together.
    pub sum: u64,
}

impl Histogram {
    /// Empty, with ascending bounds.
    pub fn new(bounds: &'static [u64]) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, buckets, sum: AtomicU64::new(0) }
    }

    /// Takes a value, in the unit of the bounds.
    pub fn observe(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Takes a time; the bounds are nanoseconds.
    pub fn took(&self, time: Duration) {
        self.observe(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// What it holds. Values that come meanwhile may be in the buckets and not in the sum, or the other way round.
    pub fn read(&self) -> Reading {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let mut count = 0;
        let buckets = self
            .bounds
            .iter()
            .zip(&counts)
            .map(|(bound, own)| {
                count += own;
                (*bound, count)
            })
            .collect();
        // Counted from the buckets, so that they always agree.
        count += counts.last().copied().unwrap_or(0);
        Reading { buckets, count, sum: self.sum.load(Ordering::Relaxed) }
    }
}
