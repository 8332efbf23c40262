//! Failures in memory, and tries that are under way: whoever tries a hundred things at once gets no more of them than
//! whoever tries one after the other.

#[cfg(test)]
mod tests;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use dashmap::DashMap;

use crate::{
    clock::Wall,
    rules::{
        address::NetworkKey,
        failures::{Account, Barred, Kind, Lockout, Subject, What},
    },
};

/// Failures in memory; fed by the store's change stream, which bounds them.
#[derive(Default)]
pub struct Failures {
    of: DashMap<Subject, Arc<Account>>,
    under_way: DashMap<Lane, u32>,
    counted: [AtomicU64; What::ALL.len()],
    barred: AtomicU64,
}

/// Tries that count together.
type Lane = (Subject, Kind, Option<NetworkKey>);

/// A try that is under way, until it is dropped. What it came to has to be in memory by then.
pub struct Try<'a> {
    failures: &'a Failures,
    lane: Lane,
    /// How many are free, this one included.
    pub free: u32,
}

impl Failures {
    /// Begins a try. Looks at memory alone, so that whoever has to wait costs nothing.
    ///
    /// # Errors
    /// With what bars it.
    pub fn begin(
        &self,
        (subject, kind): (Subject, Kind),
        network: NetworkKey,
        rules: &Lockout,
        now: Wall,
    ) -> Result<Try<'_>, Barred> {
        let account = self.get(&subject);
        let lane = account.as_ref().and_then(|account| account.lane(&network, kind, rules, now));
        let lane = (subject, kind, lane);
        let account = account.unwrap_or_default();
        // The entry is held while it is decided, so that of two at once one sees the other.
        let mut under_way = self.under_way.entry(lane).or_insert(0);
        let permitted = account.permits(&network, kind, rules, now, *under_way);
        match permitted {
            Ok(free) => {
                *under_way += 1;
                Ok(Try { failures: self, lane, free })
            }
            Err(barred) => {
                drop(under_way);
                self.under_way.remove_if(&lane, |_, count| *count == 0);
                self.barred.fetch_add(1, Ordering::Relaxed);
                Err(barred)
            }
        }
    }

    /// What failures have left of an account or a name.
    pub fn get(&self, subject: &Subject) -> Option<Arc<Account>> {
        self.of.get(subject).map(|account| Arc::clone(&account))
    }

    /// What failures have left of every account, and of every name that is none.
    pub fn all(&self) -> Vec<(Subject, Arc<Account>)> {
        self.of.iter().map(|entry| (*entry.key(), Arc::clone(entry.value()))).collect()
    }

    /// Counts a failure for the metrics.
    pub fn count(&self, what: What) {
        if let Some(count) = self.counted.get(what as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Such failures since the start.
    pub fn counted(&self, what: What) -> u64 {
        self.counted.get(what as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Tries that were not made since the start, because of failures before them.
    pub fn barred(&self) -> u64 {
        self.barred.load(Ordering::Relaxed)
    }

    pub(super) fn load(&self, all: Vec<(Subject, Account)>) {
        let keep: std::collections::HashSet<Subject> = all.iter().map(|(subject, _)| *subject).collect();
        self.of.retain(|subject, _| keep.contains(subject));
        for (subject, account) in all {
            self.of.insert(subject, Arc::new(account));
        }
    }

    pub(super) fn put(&self, subject: Subject, account: Option<Arc<Account>>) {
        match account {
            Some(account) => drop(self.of.insert(subject, account)),
            None => drop(self.of.remove(&subject)),
        }
    }
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        if let Some(mut count) = self.failures.under_way.get_mut(&self.lane) {
            *count = count.saturating_sub(1);
        }
        self.failures.under_way.remove_if(&self.lane, |_, count| *count == 0);
    }
}
