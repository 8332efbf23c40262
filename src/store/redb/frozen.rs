//! A view of one moment that is copied into a fresh file while everybody goes on reading and writing.

use std::{
    fs::File,
    ops::{Bound, ControlFlow},
    sync::Arc,
};

use ::redb::backends::FileBackend;

use super::{
    super::{
        Cursor, StoreError,
        records::{Reading, session_from},
        tables::{Read, Table, Tables},
    },
    RedbStore, Shared, Snapshot, file,
    lend::Holder,
    transaction::{Pending, begin, fault},
};

/// Entries that are held in memory at a time.
const AT_A_TIME: usize = 512;

/// The store as it was at one moment. What is written meanwhile goes elsewhere in the file, which keeps the pages of
/// this moment until it is dropped.
pub struct Frozen {
    shared: Arc<Shared>,
    snapshot: Snapshot,
}

/// What is in a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// The layout of the tables.
    pub schema: u32,
    /// The position in the change stream.
    pub cursor: Cursor,
    /// Accounts.
    pub users: u64,
    /// Sessions, tombstones included.
    pub sessions: u64,
    /// API keys.
    pub keys: u64,
    /// Bans.
    pub bans: u64,
}

impl RedbStore {
    /// Holds this moment fast. Blocks for a moment only.
    ///
    /// # Errors
    /// When the store is closed, has failed, or is just being handed over.
    pub fn freeze(&self) -> Result<Frozen, StoreError> {
        let snapshot = match self.shared.database().as_ref() {
            Some(database) => Snapshot::of(database)?,
            None => return Err(self.shared.why_not_now()),
        };
        Ok(Frozen { shared: Arc::clone(&self.shared), snapshot })
    }
}

impl Frozen {
    /// Copies everything into an empty file, as a store that can be opened; blocks. `told` hears how many entries were
    /// copied now and then, and can end it.
    ///
    /// # Errors
    /// When a page cannot be read or written, when the store is handed over meanwhile, and when it was told to end.
    pub fn copy_into(
        &self,
        into: File,
        told: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Copied, StoreError> {
        let records = Reading(&self.snapshot);
        let schema =
            records.schema()?.ok_or_else(|| StoreError::Damaged("it has no schema number".into()))?;
        let mut copied = Copied { schema, cursor: records.cursor()?, ..Copied::default() };
        let backend = FileBackend::new(into).map_err(fault)?;
        let database = file::builder().create_with_backend(backend).map_err(fault)?;
        let transaction = begin(&database)?;
        let mut tables = Pending::over(&transaction)?;
        let mut done = 0;
        for table in Table::ALL {
            let count = self.copy_table(table, &mut tables, &mut |entries| {
                done += entries;
                told(done)
            })?;
            copied.count(table, count);
        }
        drop(tables);
        transaction.commit().map_err(fault)?;
        database.close().map_err(fault)?;
        Ok(copied)
    }

    fn copy_table(
        &self,
        table: Table,
        into: &mut dyn Tables,
        told: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<u64, StoreError> {
        let (mut from, mut count) = (Vec::new(), 0);
        loop {
            let entries = self.snapshot.range(table, &from, Bound::Unbounded, AT_A_TIME);
            let entries = entries.map_err(|error| self.explained(error))?;
            let Some((last, _)) = entries.last() else { return Ok(count) };
            // The least key behind the last one.
            from = [last.as_slice(), &[0]].concat();
            for (key, value) in &entries {
                if table == Table::Sessions {
                    // A copy that could not be restored is none.
                    session_from(value, key)?;
                }
                into.put(table, key, value)?;
            }
            let read = u64::try_from(entries.len()).unwrap_or(u64::MAX);
            count += read;
            if told(read).is_break() {
                return Err(StoreError::Unavailable("the copy was ended before it was complete".into()));
            }
        }
    }

    /// The file is closed below us when another process takes over.
    fn explained(&self, error: StoreError) -> StoreError {
        if self.shared.database().is_none() { self.shared.why_not_now() } else { error }
    }
}

impl Shared {
    fn why_not_now(&self) -> StoreError {
        match *self.holder.borrow() {
            Holder::Us => self.why_not(),
            Holder::Borrower | Holder::Heir => StoreError::HandedOver,
        }
    }
}

impl Copied {
    fn count(&mut self, table: Table, count: u64) {
        match table {
            Table::Users => self.users = count,
            Table::Sessions => self.sessions = count,
            Table::Keys => self.keys = count,
            Table::Bans => self.bans = count,
            Table::Failures
            | Table::Networks
            | Table::Names
            | Table::External
            | Table::ByUser
            | Table::Due
            | Table::Meta => {}
        }
    }
}
