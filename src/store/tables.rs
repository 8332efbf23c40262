//! The few tables that the embedded stores keep, as bytes.
//!
//! Everything with a meaning stands above, in `records` and `operations`, and is written once. A backend is whatever
//! can get, put, remove and walk in key order.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use serde::{Deserialize, Serialize};

use super::StoreError;

/// The tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Table {
    /// sid → session record.
    Sessions,
    /// user id → account.
    Users,
    /// account name → user id.
    Names,
    /// key id → API key.
    Keys,
    /// network → ban.
    Bans,
    /// account, or a place for names that are none → failures.
    Failures,
    /// a place → failures of a network.
    Networks,
    /// issuer and session claim → sid.
    External,
    /// user id, sid → nothing.
    ByUser,
    /// when nothing can name it any more (milliseconds, big-endian), sid → nothing.
    Due,
    /// Schema and cursor.
    Meta,
}

impl Table {
    /// All of them.
    pub(super) const ALL: [Self; 11] = [
        Self::Sessions,
        Self::Users,
        Self::Names,
        Self::Keys,
        Self::Bans,
        Self::Failures,
        Self::Networks,
        Self::External,
        Self::ByUser,
        Self::Due,
        Self::Meta,
    ];

    /// The name in a file. Never changes within a schema.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Users => "users",
            Self::Names => "names",
            Self::Keys => "api_keys",
            Self::Bans => "bans",
            Self::Failures => "failures",
            Self::Networks => "failures_by_network",
            Self::External => "external",
            Self::ByUser => "sessions_by_user",
            Self::Due => "sessions_due",
            Self::Meta => "meta",
        }
    }
}

/// A key and its value.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

/// A consistent view.
pub(super) trait Read {
    /// The value of a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// At most `limit` entries from `from` on, in key order, as long as `upto` is not passed.
    fn range(
        &self,
        table: Table,
        from: &[u8],
        upto: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;
}

/// A transaction.
pub(super) trait Tables: Read {
    /// Sets the value of a key.
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError>;

    /// Removes a key, if it is there.
    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError>;
}

/// The writes of one operation, held back until it has succeeded: one that fails leaves no trace in the transaction
/// that it shares with others.
pub(super) struct Staged<'a> {
    below: &'a dyn Read,
    writes: Writes,
    /// A value that is not written below yet and that others are to see all the same.
    ahead: Option<(Table, &'static [u8], Vec<u8>)>,
}

/// Values to put, or `None` to remove.
type Writes = BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>;

impl<'a> Staged<'a> {
    /// Starts with no writes of its own.
    pub(super) fn over(below: &'a dyn Read) -> Self {
        Self { below, writes: Writes::new(), ahead: None }
    }

    /// The same, where the value of one key stands elsewhere as yet.
    pub(super) fn ahead_of(below: &'a dyn Read, table: Table, key: &'static [u8], value: Vec<u8>) -> Self {
        Self { ahead: Some((table, key, value)), ..Self::over(below) }
    }

    /// The writes, to be played into the transaction.
    pub(super) fn into_writes(self) -> StagedWrites {
        StagedWrites(self.writes)
    }
}

/// What an operation wants written.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct StagedWrites(Writes);

impl StagedWrites {
    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes everything.
    pub(super) fn play(self, into: &mut dyn Tables) -> Result<(), StoreError> {
        for ((table, key), value) in self.0 {
            match value {
                Some(value) => into.put(table, &key, &value)?,
                None => into.remove(table, &key)?,
            }
        }
        Ok(())
    }
}

impl Read for Staged<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(staged) = self.writes.get(&(table, key.to_vec())) {
            return Ok(staged.clone());
        }
        match &self.ahead {
            Some((of, at, value)) if *of == table && *at == key => Ok(Some(value.clone())),
            Some(_) | None => self.below.get(table, key),
        }
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        upto: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        if is_empty(from, upto) {
            return Ok(vec![]);
        }
        let end = upto.map(|key| (table, key.to_vec()));
        // Keys start with the table, so an open end must not run into the next one.
        let ours: Vec<_> = self
            .writes
            .range((Bound::Included((table, from.to_vec())), end))
            .take_while(|((of, _), _)| *of == table)
            .collect();
        let hidden: BTreeSet<&[u8]> = ours.iter().map(|((_, key), _)| key.as_slice()).collect();
        let mut entries = self.below.range(table, from, upto, limit.saturating_add(hidden.len()))?;
        entries.retain(|(key, _)| !hidden.contains(key.as_slice()));
        let added = ours.iter().filter_map(|((_, key), value)| Some((key.clone(), (*value).clone()?)));
        entries.extend(added);
        entries.sort();
        entries.truncate(limit);
        Ok(entries)
    }
}

impl Tables for Staged<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.writes.insert((table, key.to_vec()), Some(value.to_vec()));
        Ok(())
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.writes.insert((table, key.to_vec()), None);
        Ok(())
    }
}

/// Whether nothing can lie between the two; the maps of the standard library panic on such ranges.
pub(super) fn is_empty(from: &[u8], upto: Bound<&[u8]>) -> bool {
    match upto {
        Bound::Included(end) => from > end,
        Bound::Excluded(end) => from >= end,
        Bound::Unbounded => false,
    }
}
