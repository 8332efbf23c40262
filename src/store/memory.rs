//! A store that lives as long as the process: for tests.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard},
};

use super::{
    Cursor, StoreError,
    engine::{Engine, Failure, Job, Position, View, apply, gone},
    feed::Feed,
    tables::{Entry, Read, Table, Tables, is_empty},
};

/// A store that lives as long as the process.
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    /// `None` once closed.
    tables: Mutex<Option<Maps>>,
    feed: Feed,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            tables: Mutex::new(Some(Maps::default())),
            feed: Feed::starting_at(Cursor::default()),
        }))
    }

    fn tables(&self) -> Result<MutexGuard<'_, Option<Maps>>, StoreError> {
        self.0.tables.lock().map_err(|_| gone())
    }

    fn run(&self, job: &mut dyn Job) -> Result<Cursor, StoreError> {
        let mut tables = self.tables()?;
        let tables = tables.as_mut().ok_or_else(gone)?;
        let mut position = Position::of(tables)?;
        let applied = apply(job, tables, &mut position)
            .map_err(|(Failure::Job(error) | Failure::Transaction(error))| error)?;
        position.keep(tables)?;
        // Still under the lock, so that the stream has the order of the writes.
        self.0.feed.publish(applied.changes);
        Ok(applied.cursor)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine for MemoryStore {
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Read) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let tables = self.tables()?;
        question(tables.as_ref().ok_or_else(gone)?)
    }

    async fn view(&self) -> Result<Option<View>, StoreError> {
        let tables = self.tables()?;
        Ok(Some(Arc::new(tables.as_ref().ok_or_else(gone)?.clone())))
    }

    async fn submit(&self, mut job: Box<dyn Job>) -> Result<(), StoreError> {
        let outcome = self.run(&mut *job);
        job.answer(outcome);
        Ok(())
    }

    fn feed(&self) -> &Feed {
        &self.0.feed
    }

    async fn shut(&self) -> Result<(), StoreError> {
        *self.tables()? = None;
        self.0.feed.close();
        Ok(())
    }
}

/// Tables in memory.
#[derive(Clone, Default)]
pub(super) struct Maps(BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>>);

impl Read for Maps {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(&table).and_then(|map| map.get(key)).cloned())
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        upto: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let Some(map) = self.0.get(&table).filter(|_| !is_empty(from, upto)) else { return Ok(vec![]) };
        let entries = map.range::<[u8], _>((Bound::Included(from), upto)).take(limit);
        Ok(entries.map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

impl Tables for Maps {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.0.entry(table).or_default().insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.0.entry(table).or_default().remove(key);
        Ok(())
    }
}
