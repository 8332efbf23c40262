//! Records in tables: how each is spelled, and the indexes that go with it.

mod failures;
mod names;
#[cfg(test)]
mod tests;
mod v1;

use std::{ops::Bound, sync::Arc, time::Duration};

use ipnet::IpNet;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Change, Cursor, Everything, Piece, StoreError,
    pieces::Pages,
    tables::{Entry, Read, Staged, StagedWrites, Table, Tables},
};
use crate::{
    clock::Wall,
    rules::{
        api_key::{ApiKey, KeyId},
        ban::{Ban, Whom},
        identity::{User, UserId, UserName},
        place::Asn,
        session::{ExternalKey, Origin, Session, Sid},
    },
};

/// The layout of all tables together. A change that an older program would misread counts it up.
pub const SCHEMA: u32 = 6;

/// How long a session that nothing can name any more is kept, so that late requests still hear why.
const PURGE_GRACE: Duration = Duration::from_secs(3600);

/// The first byte of every record, so that a record can change its form within a schema. Version 2 differs in how a session
/// stands in the index of expiries, and in nothing else.
const RECORD_VERSION: u8 = 3;
const EXACT_DUE_VERSION: u8 = 2;
const FIRST_VERSION: u8 = 1;

/// The index of expiries has times of so many milliseconds as one, so that most uses of a session leave it alone.
const SPAN: u64 = 600_000;
/// So many entries of that index are looked at beyond what is to be removed: those that are not due yet.
const LOOK: usize = 4096;

/// So many entries of a table are read at once.
const AT_ONCE: usize = 4096;

const SCHEMA_KEY: &[u8] = b"schema";
const CURSOR_KEY: &[u8] = b"cursor";
const HIGH_SECURITY_KEY: &[u8] = b"high_security";

/// A session as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The session.
    pub(super) session: Session,
    /// The latest expiry of any foreign token that names it; its tombstone stays that long.
    pub(super) named_until: Wall,
    /// It stands in the index of expiries with its exact time: it was written before there were spans.
    #[serde(skip)]
    exact: bool,
}

impl Kept {
    /// A session that is to be written.
    pub(super) fn new(session: Session, named_until: Wall) -> Self {
        Self { session, named_until, exact: false }
    }

    /// When nothing can name the session any more. Our own refresh tokens die of idleness, a foreign token only of
    /// its own expiry.
    fn due(&self) -> Wall {
        let session = &self.session;
        let last = match session.origin {
            Origin::Portal => {
                session.expires.min(session.seen.plus(Duration::from_millis(session.idle_millis)))
            }
            Origin::External(_) => session.expires.max(self.named_until),
        };
        last.plus(PURGE_GRACE)
    }

    /// Where it stands in the index of expiries once it is written.
    fn due_key(&self) -> Vec<u8> {
        self.indexed_at(self.due().millis() / SPAN * SPAN)
    }

    /// Where it stands now.
    fn present_due_key(&self) -> Vec<u8> {
        if self.exact { self.indexed_at(self.due().millis()) } else { self.due_key() }
    }

    fn indexed_at(&self, millis: u64) -> Vec<u8> {
        [&millis.to_be_bytes()[..], &self.session.sid.0].concat()
    }
}

/// Questions about records.
pub(super) struct Reading<'a>(pub(super) &'a dyn Read);

impl Reading<'_> {
    /// One session.
    pub(super) fn session(&self, sid: &Sid) -> Result<Option<Kept>, StoreError> {
        let Some(bytes) = self.0.get(Table::Sessions, &sid.0)? else { return Ok(None) };
        session_from(&bytes, &sid.0).map(Some)
    }

    /// The session of an issuer's session claim.
    pub(super) fn external(&self, key: &ExternalKey) -> Result<Option<Kept>, StoreError> {
        let Some(bytes) = self.0.get(Table::External, &external_key(key))? else { return Ok(None) };
        self.session(&Sid(array(&bytes, "external")?))
    }

    /// One account.
    pub(super) fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let Some(bytes) = self.0.get(Table::Users, &id.0)? else { return Ok(None) };
        user_from(&bytes, &id.0).map(Some)
    }

    /// An account by name.
    pub(super) fn user_by_name(&self, name: &UserName) -> Result<Option<User>, StoreError> {
        let Some(bytes) = self.0.get(Table::Names, name.as_str().as_bytes())? else { return Ok(None) };
        self.user(&UserId(array(&bytes, "names")?))
    }

    /// One API key.
    pub(super) fn key(&self, id: &KeyId) -> Result<Option<ApiKey>, StoreError> {
        let Some(bytes) = self.0.get(Table::Keys, &id.0)? else { return Ok(None) };
        key_from(&bytes, &id.0).map(Some)
    }

    /// The API keys of an account. There are few keys, and they are asked for by people.
    pub(super) fn keys_of(&self, user: &UserId) -> Result<Vec<ApiKey>, StoreError> {
        let mut keys = self.all(Table::Keys, |key, value| key_from(value, key))?;
        keys.retain(|key| key.user == *user);
        Ok(keys)
    }

    /// The ban of exactly this network, country or autonomous system.
    pub(super) fn ban(&self, whom: &Whom) -> Result<Option<Ban>, StoreError> {
        let key = ban_key(whom);
        self.0.get(Table::Bans, &key)?.map(|bytes| ban_from(&bytes, &key)).transpose()
    }

    /// All bans, those that are over included.
    pub(super) fn bans(&self) -> Result<Vec<Ban>, StoreError> {
        self.all(Table::Bans, |key, value| ban_from(value, key))
    }

    /// Whether High Security Mode is on, if that was ever said.
    pub(super) fn high_security(&self) -> Result<Option<bool>, StoreError> {
        let Some(bytes) = self.0.get(Table::Meta, HIGH_SECURITY_KEY)? else { return Ok(None) };
        let [on] = array(&bytes, "meta")?;
        Ok(Some(on != 0))
    }

    /// The sessions of an account, tombstones included.
    pub(super) fn sessions_of(&self, user: &UserId) -> Result<Vec<Sid>, StoreError> {
        let last = [&user.0[..], &[u8::MAX; 32]].concat();
        let entries = self.0.range(Table::ByUser, &user.0, Bound::Included(&last), usize::MAX)?;
        entries.iter().map(|(key, _)| sid_at_end(key, 16, "sessions_by_user")).collect()
    }

    /// At most `limit` sessions that nothing can name any more at `now`, longest dead first. One that cannot be read is not
    /// among them: its record stays, since what it may be the tombstone of must not be opened again.
    pub(super) fn due(&self, now: Wall, limit: usize) -> Result<Vec<Kept>, StoreError> {
        let end = now.millis().saturating_add(1).to_be_bytes();
        let entries = self.0.range(Table::Due, &[], Bound::Excluded(&end), limit.saturating_add(LOOK))?;
        let (mut due, mut span) = (Vec::new(), None);
        for (key, _) in &entries {
            // A span that was begun is looked at as a whole: its entries are in no order.
            let of = key.first_chunk::<8>();
            if due.len() >= limit && span != of {
                break;
            }
            span = of;
            let sid = sid_at_end(key, 8, "sessions_due")?;
            match self.readable_session(&sid)? {
                Some(kept) if kept.due() <= now => due.push(kept),
                Some(_) => {}
                None if self.0.get(Table::Sessions, &sid.0)?.is_some() => {}
                None => {
                    return Err(StoreError::Damaged(
                        "the index of expiries names a session that is not there".into(),
                    ));
                }
            }
        }
        due.sort_by_key(|kept| (kept.due(), kept.session.sid));
        due.truncate(limit);
        Ok(due)
    }

    /// The same, and `None` for one that is there and cannot be read: whoever presents it is refused, so that what is
    /// done to all of an account, or to all that are over, can leave it out.
    pub(super) fn readable_session(&self, sid: &Sid) -> Result<Option<Kept>, StoreError> {
        let bytes = self.0.get(Table::Sessions, &sid.0)?;
        Ok(bytes.and_then(|bytes| session_from(&bytes, &sid.0).ok()))
    }

    /// Every record.
    pub(super) fn everything(&self) -> Result<Everything, StoreError> {
        let mut everything = self.rest()?;
        let mut pages = Pages::default();
        while let Some(Piece { sessions, unreadable }) = pages.next(self, AT_ONCE)? {
            everything.sessions.extend(sessions);
            everything.unreadable.extend(unreadable);
        }
        Ok(everything)
    }

    /// Every record but the sessions.
    pub(super) fn rest(&self) -> Result<Everything, StoreError> {
        Ok(Everything {
            cursor: self.cursor()?,
            sessions: Vec::new(),
            unreadable: Vec::new(),
            users: self.all(Table::Users, |key, value| user_from(value, key))?,
            keys: self.all(Table::Keys, |key, value| key_from(value, key))?,
            bans: self.bans()?,
            failures: self.all_failures()?,
            high_security: self.high_security()?,
        })
    }

    /// Whether every record but the sessions can be read; the position of the last change.
    pub(super) fn check(&self) -> Result<Cursor, StoreError> {
        self.each(Table::Users, |key, value| user_from(value, key).map(drop))?;
        self.each(Table::Keys, |key, value| key_from(value, key).map(drop))?;
        self.each(Table::Bans, |key, value| ban_from(value, key).map(drop))?;
        self.all_failures()?;
        self.high_security()?;
        self.cursor()
    }

    /// The position of the last change.
    pub(super) fn cursor(&self) -> Result<Cursor, StoreError> {
        let Some(bytes) = self.0.get(Table::Meta, CURSOR_KEY)? else { return Ok(Cursor::default()) };
        Ok(Cursor(u64::from_be_bytes(array(&bytes, "meta")?)))
    }

    /// The schema, or `None` in a store that holds nothing yet.
    pub(super) fn schema(&self) -> Result<Option<u32>, StoreError> {
        let Some(bytes) = self.0.get(Table::Meta, SCHEMA_KEY)? else { return Ok(None) };
        Ok(Some(u32::from_be_bytes(array(&bytes, "meta")?)))
    }

    fn all<T>(
        &self,
        table: Table,
        mut read: impl FnMut(&[u8], &[u8]) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut all = Vec::new();
        self.each(table, |key, value| {
            all.push(read(key, value)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// Every entry of a table, without ever holding more than a few of them.
    fn each(
        &self,
        table: Table,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut from = Vec::new();
        loop {
            let entries: Vec<Entry> = self.0.range(table, &from, Bound::Unbounded, AT_ONCE)?;
            entries.iter().try_for_each(|(key, value)| visit(key, value))?;
            let Some((last, _)) = entries.last().filter(|_| entries.len() == AT_ONCE) else { return Ok(()) };
            // The least key that is greater.
            from.clone_from(last);
            from.push(0);
        }
    }
}

/// A transaction over records that also notes what changed.
pub(super) struct Writing<'a> {
    tables: &'a mut dyn Tables,
    changes: Vec<Change>,
}

impl<'a> Writing<'a> {
    /// Nothing has changed yet.
    pub(super) fn new(tables: &'a mut dyn Tables) -> Self {
        Self { tables, changes: vec![] }
    }

    /// Questions, own writes included.
    pub(super) fn read(&self) -> Reading<'_> {
        Reading(self.tables)
    }

    /// What is there, own writes included.
    pub(super) fn tables(&self) -> &dyn Read {
        self.tables
    }

    /// The changes, before they have positions.
    pub(super) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    /// Takes over what an operation has left elsewhere.
    pub(super) fn adopt(&mut self, writes: StagedWrites, changes: Vec<Change>) -> Result<(), StoreError> {
        writes.play(self.tables)?;
        self.changes.extend(changes);
        Ok(())
    }

    /// Writes a session and its indexes; `old` is what stood there.
    pub(super) fn put_session(&mut self, old: Option<&Kept>, new: Kept) -> Result<(), StoreError> {
        let sid = new.session.sid;
        let (present, due) = (old.map(Kept::present_due_key), new.due_key());
        if present.as_ref() != Some(&due) {
            if let Some(present) = present {
                self.tables.remove(Table::Due, &present)?;
            }
            self.tables.put(Table::Due, &due, &[])?;
        }
        if old.is_none() {
            self.tables.put(Table::ByUser, &by_user_key(&new.session), &[])?;
            if let Origin::External(key) = &new.session.origin {
                self.tables.put(Table::External, &external_key(key), &sid.0)?;
            }
        }
        self.tables.put(Table::Sessions, &sid.0, &encode(&new)?)?;
        if old.is_none_or(|old| old.session != new.session) {
            self.changes.push(Change::Session(Arc::new(new.session)));
        }
        Ok(())
    }

    /// Removes a session and its indexes.
    pub(super) fn remove_session(&mut self, kept: &Kept) -> Result<(), StoreError> {
        let sid = kept.session.sid;
        self.tables.remove(Table::Due, &kept.present_due_key())?;
        self.tables.remove(Table::ByUser, &by_user_key(&kept.session))?;
        if let Origin::External(key) = &kept.session.origin {
            self.tables.remove(Table::External, &external_key(key))?;
        }
        self.tables.remove(Table::Sessions, &sid.0)?;
        self.changes.push(Change::SessionGone(sid));
        Ok(())
    }

    /// Writes an account. Its name never changes.
    pub(super) fn put_user(&mut self, user: User) -> Result<(), StoreError> {
        self.tables.put(Table::Names, user.name.as_str().as_bytes(), &user.id.0)?;
        self.tables.put(Table::Users, &user.id.0, &encode(&user)?)?;
        self.changes.push(Change::User(Arc::new(user)));
        Ok(())
    }

    /// Removes an account and frees its name.
    pub(super) fn remove_user(&mut self, user: &User) -> Result<(), StoreError> {
        self.tables.remove(Table::Names, user.name.as_str().as_bytes())?;
        self.tables.remove(Table::Users, &user.id.0)?;
        self.changes.push(Change::UserGone(user.id));
        Ok(())
    }

    /// Writes an API key.
    pub(super) fn put_key(&mut self, key: ApiKey) -> Result<(), StoreError> {
        self.tables.put(Table::Keys, &key.id.0, &encode(&key)?)?;
        self.changes.push(Change::Key(Arc::new(key)));
        Ok(())
    }

    /// Removes an API key.
    pub(super) fn remove_key(&mut self, id: KeyId) -> Result<(), StoreError> {
        self.tables.remove(Table::Keys, &id.0)?;
        self.changes.push(Change::KeyGone(id));
        Ok(())
    }

    /// Writes a ban.
    pub(super) fn put_ban(&mut self, ban: Ban) -> Result<(), StoreError> {
        self.tables.put(Table::Bans, &ban_key(&ban.whom), &encode(&ban)?)?;
        self.changes.push(Change::Ban(Arc::new(ban)));
        Ok(())
    }

    /// Removes a ban.
    pub(super) fn remove_ban(&mut self, whom: Whom) -> Result<(), StoreError> {
        self.tables.remove(Table::Bans, &ban_key(&whom))?;
        self.changes.push(Change::BanGone(whom));
        Ok(())
    }

    /// Switches High Security Mode.
    pub(super) fn put_high_security(&mut self, on: bool) -> Result<(), StoreError> {
        self.tables.put(Table::Meta, HIGH_SECURITY_KEY, &[u8::from(on)])?;
        self.changes.push(Change::HighSecurity(on));
        Ok(())
    }

    /// Brings a store of an earlier schema up to ours. Its records are read in their old form, and written in the new
    /// one when they change.
    pub(super) fn upgrade(&mut self) -> Result<(), StoreError> {
        match self.read().schema()? {
            Some(1..SCHEMA) => self.put_schema(SCHEMA),
            _ => Ok(()),
        }
    }

    /// Marks a new store as ours.
    pub(super) fn put_schema(&mut self, schema: u32) -> Result<(), StoreError> {
        self.tables.put(Table::Meta, SCHEMA_KEY, &schema.to_be_bytes())
    }
}

/// Writes the position of the last change down.
pub(super) fn put_cursor(tables: &mut dyn Tables, Cursor(last): Cursor) -> Result<(), StoreError> {
    tables.put(Table::Meta, CURSOR_KEY, &last.to_be_bytes())
}

/// Writes of one operation over tables whose position is not written down yet.
pub(super) fn counted(tables: &dyn Read, Cursor(at): Cursor) -> Staged<'_> {
    Staged::ahead_of(tables, Table::Meta, CURSOR_KEY, at.to_be_bytes().to_vec())
}

fn by_user_key(session: &Session) -> Vec<u8> {
    [&session.user.0[..], &session.sid.0].concat()
}

/// The length in front keeps two keys from running into one.
fn external_key(key: &ExternalKey) -> Vec<u8> {
    let length = u64::try_from(key.issuer.len()).unwrap_or(u64::MAX).to_be_bytes();
    [&length[..], key.issuer.as_bytes(), key.session.as_bytes()].concat()
}

fn encode(record: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(record, vec![RECORD_VERSION])
        .map_err(|error| StoreError::Unavailable(format!("a record cannot be written: {error}")))
}

fn decode<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, StoreError> {
    let (version, body) = versioned(bytes, what)?;
    if !(EXACT_DUE_VERSION..=RECORD_VERSION).contains(&version) {
        return Err(damaged(what, &format!("its version is {version}")));
    }
    whole(body, what)
}

/// The same for a record that an earlier version wrote in another form.
fn decode_or<Old: DeserializeOwned, T: DeserializeOwned + From<Old>>(
    bytes: &[u8],
    what: &str,
) -> Result<T, StoreError> {
    let (version, body) = versioned(bytes, what)?;
    if version == FIRST_VERSION { whole::<Old>(body, what).map(T::from) } else { decode(bytes, what) }
}

fn versioned<'b>(bytes: &'b [u8], what: &str) -> Result<(u8, &'b [u8]), StoreError> {
    let (version, body) = bytes.split_first().ok_or_else(|| damaged(what, "it is empty"))?;
    Ok((*version, body))
}

fn whole<T: DeserializeOwned>(body: &[u8], what: &str) -> Result<T, StoreError> {
    let (record, rest) =
        postcard::take_from_bytes(body).map_err(|error| damaged(what, &error.to_string()))?;
    if rest.is_empty() { Ok(record) } else { Err(damaged(what, "something follows it")) }
}

pub(super) fn session_from(bytes: &[u8], key: &[u8]) -> Result<Kept, StoreError> {
    let mut kept: Kept = decode_or::<v1::Kept, _>(bytes, "a session")?;
    kept.exact = versioned(bytes, "a session")?.0 <= EXACT_DUE_VERSION;
    names::share(&mut kept.session.site);
    names::share(&mut kept.session.family.key);
    if kept.session.sid.0 == key {
        Ok(kept)
    } else {
        Err(damaged("a session", "it is filed under another id"))
    }
}

fn user_from(bytes: &[u8], key: &[u8]) -> Result<User, StoreError> {
    let user: User = decode_or::<v1::User, _>(bytes, "an account")?;
    if user.id.0 == key { Ok(user) } else { Err(damaged("an account", "it is filed under another id")) }
}

fn key_from(bytes: &[u8], key: &[u8]) -> Result<ApiKey, StoreError> {
    let api_key: ApiKey = decode(bytes, "an API key")?;
    if api_key.id.0 == key { Ok(api_key) } else { Err(damaged("an API key", "it is filed under another id")) }
}

/// Addresses in network order, so that the bans of neighbours lie together; then the length.
fn network_key(network: &IpNet) -> Vec<u8> {
    match network {
        IpNet::V4(net) => [&[4][..], &net.network().octets(), &[net.prefix_len()]].concat(),
        IpNet::V6(net) => [&[6][..], &net.network().octets(), &[net.prefix_len()]].concat(),
    }
}

fn ban_key(whom: &Whom) -> Vec<u8> {
    match whom {
        Whom::Network(network) => network_key(network),
        Whom::Country(country) => format!("c{country}").into_bytes(),
        Whom::Asn(Asn(number)) => [&b"a"[..], &number.to_be_bytes()].concat(),
    }
}

fn ban_from(bytes: &[u8], key: &[u8]) -> Result<Ban, StoreError> {
    let ban: Ban = decode(bytes, "a ban")?;
    if ban_key(&ban.whom) == key { Ok(ban) } else { Err(damaged("a ban", "it is filed under somebody else")) }
}

fn sid_at_end(key: &[u8], start: usize, table: &str) -> Result<Sid, StoreError> {
    array(key.get(start..).unwrap_or_default(), table).map(Sid)
}

fn array<const N: usize>(bytes: &[u8], table: &str) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| damaged("an entry", &format!("table `{table}` has one of the wrong length")))
}

fn damaged(what: &str, how: &str) -> StoreError {
    StoreError::Damaged(format!("{what} cannot be read ({how}): restore a backup"))
}
