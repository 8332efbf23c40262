//! Staged writes look like written ones, and are written as they looked.

use std::ops::Bound;

use proptest::prelude::*;

use super::{Read, Staged, Table, Tables};
use crate::store::memory::Maps;

const TABLES: [Table; 3] = [Table::Users, Table::Names, Table::Meta];

/// Table, key, and the value to put or `None` to remove.
type Write = (usize, u8, Option<u8>);

fn write(tables: &mut dyn Tables, (table, key, value): &Write) {
    match value {
        Some(value) => tables.put(TABLES[*table], &[*key], &[*value]).unwrap(),
        None => tables.remove(TABLES[*table], &[*key]).unwrap(),
    }
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
    prop::collection::vec((0..TABLES.len(), 0_u8..12, prop::option::of(any::<u8>())), 0..30)
}

fn same(one: &dyn Read, other: &dyn Read, from: u8, upto: u8, limit: usize) {
    let (from, end) = ([from], [upto]);
    for table in TABLES {
        for upto in [Bound::Unbounded, Bound::Included(&end[..]), Bound::Excluded(&end[..])] {
            let seen = one.range(table, &from, upto, limit).unwrap();
            assert_eq!(
                seen,
                other.range(table, &from, upto, limit).unwrap(),
                "{table:?} {from:?} {upto:?} {limit}"
            );
        }
        assert_eq!(one.get(table, &from).unwrap(), other.get(table, &from).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn staged_writes_look_like_written_ones(
        before in writes(),
        after in writes(),
        from in 0_u8..12,
        upto in 0_u8..12,
        limit in 0_usize..15,
    ) {
        let (mut below, mut truth) = (Maps::default(), Maps::default());
        for entry in &before {
            write(&mut below, entry);
            write(&mut truth, entry);
        }
        let mut staged = Staged::over(&below);
        for entry in &after {
            write(&mut staged, entry);
            write(&mut truth, entry);
        }
        same(&staged, &truth, from, upto, limit);
        staged.into_writes().play(&mut below).unwrap();
        same(&below, &truth, from, upto, limit);
    }
}
