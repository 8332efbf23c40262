//! Failures. Those of accounts have a record each. Names that are no account's, and networks, have one of two places
//! that a digest says, so that no number of them makes the store grow: of three that meet, the one that was quiet for
//! longest is forgotten.

use std::{cmp::Reverse, ops::Bound, sync::Arc};

use serde::de::DeserializeOwned;

use super::{Reading, Writing, damaged, decode, encode, network_key};
use crate::{
    clock::Wall,
    rules::{
        address::NetworkKey,
        failures::{Account, Network, Subject},
        identity::UserId,
    },
    store::{
        Change, StoreError,
        tables::{Read, Table},
    },
};

/// The places of a digest.
const WAYS: [u8; 2] = [0, 1];
/// What stands before the id of an account and before a digest.
const ACCOUNT: u8 = 0;
const NAME: u8 = 1;

type Kept = (Subject, Account);

/// Where a record goes, and what has to go for it.
struct Place<T> {
    key: Vec<u8>,
    evicted: Option<T>,
}

impl Reading<'_> {
    /// The failures at an account or a name.
    pub(in crate::store) fn failures(&self, subject: &Subject) -> Result<Option<Account>, StoreError> {
        for key in keys(subject) {
            if let Some((whose, account)) = get::<Kept>(self.0, Table::Failures, &key)?
                && whose == *subject
            {
                return Ok(Some(account));
            }
        }
        Ok(None)
    }

    /// All failures at accounts and names.
    pub(in crate::store) fn all_failures(&self) -> Result<Vec<Kept>, StoreError> {
        self.all(Table::Failures, |key, value| {
            let kept: Kept = decode(value, WHAT)?;
            if keys(&kept.0).iter().any(|place| place == key) { Ok(kept) } else { Err(misfiled()) }
        })
    }

    /// The failures of a network.
    pub(in crate::store) fn network(&self, network: &NetworkKey) -> Result<Option<Network>, StoreError> {
        for key in network_keys(network) {
            let found = get::<Network>(self.0, Table::Networks, &key)?;
            if let Some(found) = found.filter(|found| found.network == *network) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The networks that failed last, the last one first, at most `most`.
    pub(in crate::store) fn networks(&self, most: usize) -> Result<Vec<Network>, StoreError> {
        let mut all = self.all(Table::Networks, |_, value| decode::<Network>(value, WHAT))?;
        all.sort_by_key(|one| (Reverse(one.last()), one.network.0));
        all.truncate(most);
        Ok(all)
    }

    /// Names in this part of the table whose failures count no more.
    pub(in crate::store) fn names_over(&self, part: u8, now: Wall) -> Result<Vec<Subject>, StoreError> {
        let kept: Vec<Kept> = self.part(Table::Failures, &[NAME, part])?;
        Ok(kept.into_iter().filter(|(_, account)| account.is_over(now)).map(|(subject, _)| subject).collect())
    }

    /// Networks in this part of the table whose failures count no more.
    pub(in crate::store) fn networks_over(&self, part: u8, now: Wall) -> Result<Vec<NetworkKey>, StoreError> {
        let kept: Vec<Network> = self.part(Table::Networks, &[part])?;
        Ok(kept.into_iter().filter(|one| one.is_over(now)).map(|one| one.network).collect())
    }

    /// Everything whose place begins like this.
    fn part<T: DeserializeOwned>(&self, table: Table, prefix: &[u8]) -> Result<Vec<T>, StoreError> {
        let last = [prefix, &[u8::MAX; 2]].concat();
        let entries = self.0.range(table, prefix, Bound::Included(&last), usize::MAX)?;
        entries.iter().map(|(_, value)| decode(value, WHAT)).collect()
    }
}

impl Writing<'_> {
    /// Writes the failures at an account or a name.
    pub(in crate::store) fn put_failures(
        &mut self,
        subject: Subject,
        account: Account,
    ) -> Result<(), StoreError> {
        let place = place(
            &*self.tables,
            Table::Failures,
            keys(&subject),
            |(whose, _): &Kept| *whose == subject,
            |(_, one)| one.last(),
        )?;
        if let Some((evicted, _)) = place.evicted {
            self.changes.push(Change::Failures(evicted, None));
        }
        let kept = (subject, account);
        self.tables.put(Table::Failures, &place.key, &encode(&kept)?)?;
        self.changes.push(Change::Failures(subject, Some(Arc::new(kept.1))));
        Ok(())
    }

    /// Forgets the failures at an account or a name.
    pub(in crate::store) fn remove_failures(&mut self, subject: Subject) -> Result<(), StoreError> {
        for key in keys(&subject) {
            if get::<Kept>(&*self.tables, Table::Failures, &key)?.is_some_and(|(whose, _)| whose == subject) {
                self.tables.remove(Table::Failures, &key)?;
                self.changes.push(Change::Failures(subject, None));
            }
        }
        Ok(())
    }

    /// Writes the failures of a network.
    pub(in crate::store) fn put_network(&mut self, network: &Network) -> Result<(), StoreError> {
        let own = |one: &Network| one.network == network.network;
        let place =
            place(&*self.tables, Table::Networks, network_keys(&network.network), own, Network::last)?;
        self.tables.put(Table::Networks, &place.key, &encode(network)?)
    }

    /// Forgets the failures of a network.
    pub(in crate::store) fn remove_network(&mut self, network: &NetworkKey) -> Result<(), StoreError> {
        for key in network_keys(network) {
            if get::<Network>(&*self.tables, Table::Networks, &key)?
                .is_some_and(|one| one.network == *network)
            {
                self.tables.remove(Table::Networks, &key)?;
            }
        }
        Ok(())
    }
}

const WHAT: &str = "a record of failures";

fn misfiled() -> StoreError {
    damaged(WHAT, "it is filed under something else")
}

fn get<T: DeserializeOwned>(
    tables: &(impl Read + ?Sized),
    table: Table,
    key: &[u8],
) -> Result<Option<T>, StoreError> {
    tables.get(table, key)?.map(|bytes| decode(&bytes, WHAT)).transpose()
}

/// Its own place, or a free one, or that of the one that was quiet for longest.
fn place<T: DeserializeOwned>(
    tables: &(impl Read + ?Sized),
    table: Table,
    keys: Vec<Vec<u8>>,
    own: impl Fn(&T) -> bool,
    last: impl Fn(&T) -> Wall,
) -> Result<Place<T>, StoreError> {
    let mut best: Option<Place<T>> = None;
    for key in keys {
        let there = get::<T>(tables, table, &key)?;
        if there.as_ref().is_some_and(&own) {
            return Ok(Place { key, evicted: None });
        }
        let age = |place: &Option<T>| place.as_ref().map(&last);
        if best.as_ref().is_none_or(|best| age(&there) < age(&best.evicted)) {
            best = Some(Place { key, evicted: there });
        }
    }
    best.ok_or_else(misfiled)
}

/// The places that a record can have.
fn keys(subject: &Subject) -> Vec<Vec<u8>> {
    match subject {
        Subject::Account(UserId(id)) => vec![[&[ACCOUNT][..], id].concat()],
        Subject::Name([a, b, ..]) => WAYS.iter().map(|way| vec![NAME, *a, *b, *way]).collect(),
    }
}

fn network_keys(network: &NetworkKey) -> Vec<Vec<u8>> {
    // FNV-1a; networks are not secret, and whoever finds two that meet has gained nothing over a third network.
    let hash = network_key(&network.0).iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let [a, b, c, d, ..] = hash.to_be_bytes();
    WAYS.iter().map(|way| vec![a ^ c, b ^ d, *way]).collect()
}
