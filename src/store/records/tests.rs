use std::collections::BTreeMap;

use super::*;
use crate::store::{
    contract,
    engine::{Job, Position, apply},
    memory::Maps,
    operations,
    tables::Staged,
};

/// A table of bytes, as the first version left it.
#[derive(Default)]
struct Old(BTreeMap<(Table, Vec<u8>), Vec<u8>>);

impl Read for Old {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(&(table, key.to_vec())).cloned())
    }

    fn range(&self, table: Table, _: &[u8], _: Bound<&[u8]>, _: usize) -> Result<Vec<Entry>, StoreError> {
        let of_table = self.0.iter().filter(|((of, _), _)| *of == table);
        Ok(of_table.map(|((_, key), value)| (key.clone(), value.clone())).collect())
    }
}

fn first_version(record: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(record, vec![FIRST_VERSION]).unwrap()
}

/// What the first version wrote about an account and its session.
fn old() -> Old {
    let (user, session) = (contract::user(1), contract::session(1, 1));
    let kept = v1::Kept {
        named_until: session.expires,
        session: v1::Session {
            sid: session.sid,
            user: session.user,
            site: session.site,
            origin: session.origin,
            opened: session.opened,
            seen: session.seen,
            idle_millis: session.idle_millis,
            expires: session.expires,
            family: session.family,
            elevation: session.elevation,
            device: session.device,
            address: session.address,
            ended: session.ended,
        },
    };
    let account = v1::User {
        id: user.id,
        name: user.name,
        display: user.display,
        email: user.email,
        role: user.role,
        source: user.source,
        password: user.password,
        disabled: user.disabled,
        totp: user.totp,
        backup_codes: user.backup_codes,
        created: user.created,
    };
    let mut old = Old::default();
    old.0.insert((Table::Sessions, kept.session.sid.0.to_vec()), first_version(&kept));
    old.0.insert((Table::Users, account.id.0.to_vec()), first_version(&account));
    old.0.insert((Table::Meta, SCHEMA_KEY.to_vec()), 1_u32.to_be_bytes().to_vec());
    old
}

#[test]
fn a_store_of_the_first_version_is_read_and_brought_up_to_ours() {
    let old = old();
    let everything = Reading(&old).everything().unwrap();
    assert_eq!(everything.users, [contract::user(1)]);
    assert_eq!(everything.sessions, [contract::session(1, 1).into()]);
    let mut staged = Staged::over(&old);
    assert_eq!(everything.bans, []);
    Writing::new(&mut staged).upgrade().unwrap();
    assert_eq!(Reading(&staged).schema().unwrap(), Some(SCHEMA));
}

/// A ban as schema 4 had it.
#[derive(Serialize)]
struct OldBan {
    network: IpNet,
    reason: String,
    by: String,
    since: Wall,
    until: Option<Wall>,
}

#[test]
fn a_store_with_bans_of_networks_alone_is_read_and_brought_up_to_ours() {
    let mut old = Old::default();
    let key = |bytes: &[&[u8]]| bytes.concat();
    for (network, key) in [
        ("203.0.113.0/24", key(&[&[4, 203, 0, 113, 0, 24]])),
        ("2001:db8::/64", key(&[&[6, 0x20, 0x01, 0x0d, 0xb8], &[0; 12], &[64]])),
    ] {
        let ban = OldBan {
            network: network.parse().unwrap(),
            reason: "a scanner".into(),
            by: "uid 0".into(),
            since: contract::START,
            until: Some(contract::later(60)),
        };
        old.0.insert((Table::Bans, key), postcard::to_extend(&ban, vec![RECORD_VERSION]).unwrap());
    }
    old.0.insert((Table::Meta, SCHEMA_KEY.to_vec()), 4_u32.to_be_bytes().to_vec());
    let bans = Reading(&old).everything().unwrap().bans;
    assert_eq!(
        bans.iter().map(|ban| ban.whom.to_string()).collect::<Vec<_>>(),
        ["203.0.113.0/24", "2001:db8::/64"]
    );
    assert_eq!((bans[0].reason.as_str(), bans[0].until), ("a scanner", Some(contract::later(60))));

    let mut staged = Staged::over(&old);
    let mut writing = Writing::new(&mut staged);
    writing.upgrade().unwrap();
    writing.remove_ban("203.0.113.0/24".parse::<IpNet>().unwrap().into()).unwrap();
    for text in ["country:DE", "asn:64500"] {
        writing.put_ban(Ban { whom: crate::rules::ban::parse(text).unwrap(), ..bans[1].clone() }).unwrap();
    }
    let reading = Reading(&staged);
    assert_eq!(reading.schema().unwrap(), Some(SCHEMA), "an older program would misread the others");
    let bans: Vec<_> = reading.bans().unwrap().iter().map(|ban| ban.whom.to_string()).collect();
    assert_eq!(bans, ["2001:db8::/64", "asn:64500", "country:DE"]);
}

#[test]
fn sessions_that_are_read_share_the_names_of_their_site_and_key() {
    let read = || {
        let kept = Kept::new(contract::session(1, 1), contract::START);
        session_from(&encode(&kept).unwrap(), &[1; 32]).unwrap().session
    };
    let (one, other) = (read(), read());
    assert!(Arc::ptr_eq(&one.site, &other.site));
    assert!(Arc::ptr_eq(&one.family.key, &other.family.key));
    assert_eq!((&*one.site, &*one.family.key), ("panel", "k1"));
}

fn rows(tables: &dyn Read) -> Vec<Vec<u8>> {
    let rows = tables.range(Table::Due, &[], Bound::Unbounded, 100).unwrap();
    rows.into_iter().map(|(key, _)| key).collect()
}

/// With each use and each rotation the time of an expiry moves, and nobody looks at it for days.
#[test]
fn uses_within_a_span_leave_the_index_of_expiries_alone() {
    let mut tables = Maps::default();
    let start = Wall::from_millis(SPAN * 1_000_000);
    let session = Session {
        opened: start,
        seen: start,
        expires: start.plus(Duration::from_secs(99_999)),
        ..contract::session(1, 1)
    };
    operations::add_user(&mut Writing::new(&mut tables), contract::user(1)).unwrap();
    operations::open_session(&mut Writing::new(&mut tables), session).unwrap();
    let before = rows(&tables);
    assert_eq!(before.len(), 1);
    let used = |tables: &mut Maps, millis| {
        let uses = [(Sid([1; 32]), start.plus(Duration::from_millis(millis)))];
        operations::touch(&mut Writing::new(tables), &uses).unwrap();
    };
    used(&mut tables, SPAN - 1);
    assert_eq!(rows(&tables), before);
    used(&mut tables, SPAN);
    let after = rows(&tables);
    assert!(
        after.len() == 1 && after > before,
        "it moves with the span, and nothing is left behind: {after:?}"
    );
}

/// A store of schema 5, whose index has exact times.
fn of_schema_5(n: u8) -> Maps {
    let mut tables = Maps::default();
    let mut kept = Kept::new(contract::session(n, 1), contract::START);
    kept.exact = true;
    let record = postcard::to_extend(&kept, vec![EXACT_DUE_VERSION]).unwrap();
    tables.put(Table::Sessions, &[n; 32], &record).unwrap();
    tables.put(Table::ByUser, &by_user_key(&kept.session), &[]).unwrap();
    tables.put(Table::Due, &kept.present_due_key(), &[]).unwrap();
    tables
}

#[test]
fn a_session_of_the_schema_before_is_used_and_purged_and_leaves_nothing_in_the_index() {
    let last = contract::session(1, 1).seen.plus(Duration::from_millis(contract::session(1, 1).idle_millis));
    let over = last.plus(PURGE_GRACE);
    let early = Wall::from_millis(over.millis() - 1);
    let mut untouched = of_schema_5(1);
    assert_eq!(operations::purge(&mut Writing::new(&mut untouched), early, 10).unwrap(), 0);
    assert_eq!(operations::purge(&mut Writing::new(&mut untouched), over, 10).unwrap(), 1);
    assert_eq!(rows(&untouched), Vec::<Vec<u8>>::new());
    let mut used = of_schema_5(1);
    let uses = [(Sid([1; 32]), contract::later(7))];
    operations::touch(&mut Writing::new(&mut used), &uses).unwrap();
    assert_eq!(rows(&used).len(), 1, "its exact time is gone");
    assert_eq!(operations::purge(&mut Writing::new(&mut used), over, 10).unwrap(), 0);
    let over = over.plus(Duration::from_secs(7));
    assert_eq!(operations::purge(&mut Writing::new(&mut used), over, 10).unwrap(), 1);
    assert_eq!(rows(&used), Vec::<Vec<u8>>::new());
}

/// Writes an account down and looks how far everything is counted.
struct Counts(u8, Option<Cursor>);

impl Job for Counts {
    fn run(&mut self, to: &mut Writing<'_>) -> Result<(), StoreError> {
        self.1 = Some(Reading(to.tables()).cursor()?);
        operations::add_user(to, contract::user(self.0)).map(drop)
    }

    fn answer(self: Box<Self>, _: Result<Cursor, StoreError>) {}
}

/// The position is written once for all that share a transaction; what is read in it must not look older than it is.
#[test]
fn whoever_reads_within_a_batch_sees_the_position_of_what_was_written_before() {
    let mut tables = Maps::default();
    let mut position = Position::of(&tables).unwrap();
    for n in 1..=3 {
        let mut job = Counts(n, None);
        let applied = apply(&mut job, &mut tables, &mut position).ok().unwrap();
        assert_eq!((job.1, applied.cursor), (Some(Cursor(u64::from(n) - 1)), Cursor(n.into())));
    }
    assert_eq!(Reading(&tables).cursor().unwrap(), Cursor(0), "not before the end of it");
    position.keep(&mut tables).unwrap();
    assert_eq!(Reading(&tables).cursor().unwrap(), Cursor(3));
}
