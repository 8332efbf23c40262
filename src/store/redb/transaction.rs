//! redb's transactions as tables.

use std::{collections::BTreeMap, ops::Bound};

use ::redb::{
    Durability, Error as Fault, ReadOnlyTable, ReadTransaction, ReadableTable, Table as Open,
    TableDefinition, WriteTransaction,
};

use super::super::{
    StoreError,
    tables::{Entry, Read, Table, Tables, is_empty},
};

type Bytes = &'static [u8];

const fn definition(table: Table) -> TableDefinition<'static, Bytes, Bytes> {
    TableDefinition::new(table.name())
}

/// A consistent view of the committed state.
pub(super) struct Snapshot(BTreeMap<Table, ReadOnlyTable<Bytes, Bytes>>);

impl Snapshot {
    /// Opens all tables; one that is missing means that the file is not ours.
    pub(super) fn over(transaction: ReadTransaction) -> Result<Self, StoreError> {
        let open = |table| Ok((table, transaction.open_table(definition(table)).map_err(fault)?));
        Ok(Self(Table::ALL.into_iter().map(open).collect::<Result<_, StoreError>>()?))
    }
}

impl Read for Snapshot {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        get(self.0.get(&table), key)
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        upto: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        range(self.0.get(&table), from, upto, limit)
    }
}

/// The tables of a write transaction.
pub(super) struct Pending<'t>(BTreeMap<Table, Open<'t, Bytes, Bytes>>);

impl<'t> Pending<'t> {
    /// Opens all tables, making those that are missing.
    pub(super) fn over(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        let open = |table| Ok((table, transaction.open_table(definition(table)).map_err(fault)?));
        Ok(Self(Table::ALL.into_iter().map(open).collect::<Result<_, StoreError>>()?))
    }

    fn table(&mut self, table: Table) -> Result<&mut Open<'t, Bytes, Bytes>, StoreError> {
        self.0.get_mut(&table).ok_or_else(no_table)
    }
}

impl Read for Pending<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        get(self.0.get(&table), key)
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        upto: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        range(self.0.get(&table), from, upto, limit)
    }
}

impl Tables for Pending<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.table(table)?.insert(key, value).map(drop).map_err(fault)
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.table(table)?.remove(key).map(drop).map_err(fault)
    }
}

/// Starts a transaction that is on the disk when its commit returns, that never leaves a half-written header to be
/// guessed at, and after which the file opens without a repair.
pub(super) fn begin(database: &::redb::Database) -> Result<WriteTransaction, StoreError> {
    let mut transaction = database.begin_write().map_err(fault)?;
    transaction.set_durability(Durability::Immediate).map_err(fault)?;
    transaction.set_two_phase_commit(true);
    transaction.set_quick_repair(true);
    Ok(transaction)
}

fn get(table: Option<&impl ReadableTable<Bytes, Bytes>>, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let found = table.ok_or_else(no_table)?.get(key).map_err(fault)?;
    Ok(found.map(|value| value.value().to_vec()))
}

fn range(
    table: Option<&impl ReadableTable<Bytes, Bytes>>,
    from: &[u8],
    upto: Bound<&[u8]>,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    if is_empty(from, upto) {
        return Ok(vec![]);
    }
    let entries = table.ok_or_else(no_table)?.range::<&[u8]>((Bound::Included(from), upto)).map_err(fault)?;
    let owned = entries.take(limit).map(|entry| {
        let (key, value) = entry.map_err(fault)?;
        Ok((key.value().to_vec(), value.value().to_vec()))
    });
    owned.collect()
}

fn no_table() -> StoreError {
    StoreError::Damaged("a table is missing: restore a backup".into())
}

/// What a fault of redb means to us.
pub(super) fn fault(error: impl Into<Fault>) -> StoreError {
    let error = error.into();
    if matches!(error, Fault::DatabaseAlreadyOpen) {
        StoreError::Locked
    } else if is_damage(&error) {
        StoreError::Damaged(format!("{error}: restore a backup"))
    } else {
        StoreError::Unavailable(error.to_string())
    }
}

fn is_damage(error: &Fault) -> bool {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    if let Fault::Io(error) = error {
        return matches!(error.kind(), InvalidData | UnexpectedEof);
    }
    matches!(
        error,
        Fault::Corrupted(_)
            | Fault::TableDoesNotExist(_)
            | Fault::TableTypeMismatch { .. }
            | Fault::TypeDefinitionChanged { .. }
            | Fault::TableIsMultimap(_)
            | Fault::UpgradeRequired(_)
            | Fault::RepairAborted
    )
}
