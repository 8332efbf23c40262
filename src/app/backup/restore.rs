//! The way back: checked, unpacked beside what is there, made safe to serve from, and only then put in its place.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    container::{Bad, each_member, verify},
    manifest::{Counts, Made, TrailEnd},
    place::{self, AUDIT, JOURNAL, KEYS, Plan, STORE, Stage, contents, new_file, sync},
    undone::Undone,
};
use crate::{
    app::compose,
    clock::{Clock, SystemClock},
    entropy::SystemEntropy,
    feeds::keys::{self, GivenMaster},
    rules::{
        factor::totp,
        trail::{Fields, Record},
    },
    store::{RedbStore, Restored, SCHEMA, Store, StoreError},
    telemetry::trail,
};

/// What is to be restored, and where.
pub struct Wanted<'a> {
    /// The backup.
    pub file: &'a mut File,
    /// Where everything is kept.
    pub data_dir: &'a Path,
    /// The master key, if it comes from outside.
    pub master: Option<&'a GivenMaster>,
    /// Whether what is there may be put aside.
    pub replace: bool,
    /// Whether every session ends.
    pub end_sessions: bool,
    /// The user id of whoever asks, for the audit.
    pub by: u32,
}

/// Why nothing was restored. Nothing has changed, but after [`Failure::Unfinished`].
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The backup cannot be used.
    #[error(transparent)]
    Bad(#[from] Bad),
    /// It was made by a later version.
    #[error(
        "its store has schema {found}, and this panelgate knows up to {SCHEMA}: install panelgate {version}, which made it, \
         or a later one"
    )]
    Newer {
        /// In the backup.
        found: u32,
        /// Which made it.
        version: String,
    },
    /// A daemon or another command holds the store.
    #[error("a panelgate is using {}: stop it first (`systemctl stop panelgate`)", .0.display())]
    InUse(PathBuf),
    /// There is something already.
    #[error("there is {what} in {} already: say --yes to have it put aside there", path.display())]
    NotEmpty {
        /// What.
        what: String,
        /// Where.
        path: PathBuf,
    },
    /// What is in it cannot be used.
    #[error("what is in it cannot be used: {0}")]
    Unusable(String),
    /// It was decided and is not finished.
    #[error("{0}; what is left to do is done when panelgate starts, or by `panelgate restore` again")]
    Unfinished(#[source] io::Error),
    /// The system says no.
    #[error("{}: {source}", path.display())]
    Io {
        /// With what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What became of history, which a restore never cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum History {
    /// What is on the disk goes on from the backup, or beyond it, and stays.
    Kept,
    /// It is that of the backup.
    FromBackup,
    /// There is none.
    None,
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The digest of the backup.
    pub id: String,
    /// When it was made, in Unix seconds.
    pub made: u64,
    /// What is in the store.
    pub store: Counts,
    /// Sessions that were ended.
    pub sessions_ended: usize,
    /// Accounts whose authenticator app has to show its next code but one before it counts again.
    pub codes_spent: usize,
    /// Accounts whose authenticator app no key opens.
    pub apps_lost: Vec<String>,
    /// Where what was there is now.
    pub aside: Option<PathBuf>,
    /// What became of the audit trail.
    pub trail: History,
    /// What became of the journal of decisions.
    pub journal: History,
    /// What was done since and is undone by this, as far as the audit trail on the disk knows.
    pub undone: Vec<Undone>,
    /// What the backup does not hold.
    pub left_out: Vec<String>,
}

/// Restores a backup. Blocks, and must not run inside a runtime. `told` hears how many bytes were checked.
///
/// # Errors
/// With the reason. Everything is as it was, unless it says otherwise.
pub fn restore(wanted: Wanted<'_>, told: &mut dyn FnMut(u64)) -> Result<Report, Failure> {
    let data_dir = wanted.data_dir;
    let at = |source| Failure::Io { path: data_dir.to_owned(), source };
    let checked = verify(wanted.file, told)?;
    if checked.manifest.store.schema > SCHEMA {
        let (found, version) = (checked.manifest.store.schema, checked.manifest.panelgate);
        return Err(Failure::Newer { found, version });
    }
    place::finish_interrupted(data_dir).map_err(at)?;
    let found = contents(data_dir).map_err(at)?;
    if !wanted.replace && !found.is_empty() {
        return Err(Failure::NotEmpty { what: found.join(" and "), path: data_dir.to_owned() });
    }
    let held = Held::take(data_dir)?;
    let stage = Stage::new(data_dir).map_err(at)?;
    unpack_into(wanted.file, checked.bytes, &stage.path, &|name| !name.starts_with("config/"))?;
    let safe = make_safe(&stage.path, &wanted, &checked)?;
    let live_trail = trail::folder(data_dir);
    let fate = Fate::of(&live_trail, &checked.manifest.trail).map_err(at)?;
    if fate.keeps() {
        // Its checkpoints are signed with the key that is here.
        keep_audit_key(data_dir, &stage.path).map_err(at)?;
    }
    let journal = journal(data_dir, &stage.path);
    let mut moves = vec![STORE.to_owned(), KEYS.to_owned()];
    moves.extend((!fate.keeps()).then(|| AUDIT.to_owned()));
    moves.extend((journal == History::FromBackup).then(|| JOURNAL.to_owned()));
    let aside = format!("before-restore-{}", stamp());
    let record = record(&wanted, &checked, &safe, &fate, &aside);
    stage.commit(&Plan { aside: aside.clone(), moves, record }).map_err(at)?;
    // The store stays held until its file is elsewhere; the trail is written by what follows.
    drop(held.trail);
    place::finish_interrupted(data_dir).map_err(Failure::Unfinished)?;
    drop(held.store);
    let aside = data_dir.join(aside);
    let Made { id, manifest, .. } = checked;
    Ok(Report {
        id,
        made: manifest.made,
        store: manifest.store,
        sessions_ended: safe.done.ended,
        codes_spent: safe.done.raised,
        apps_lost: safe.apps_lost,
        aside: aside.exists().then_some(aside),
        trail: if fate.keeps() { History::Kept } else { History::FromBackup },
        journal,
        undone: fate.undone(),
        left_out: manifest.left_out,
    })
}

/// Unpacks everything in a backup into a directory that is empty or not there yet, for whoever wants to look at it.
///
/// # Errors
/// With the reason.
pub fn unpack(file: &mut File, into: &Path, told: &mut dyn FnMut(u64)) -> Result<Made, Failure> {
    let at = |source| Failure::Io { path: into.to_owned(), source };
    let checked = verify(file, told)?;
    DirBuilder::new().recursive(true).mode(0o700).create(into).map_err(at)?;
    if fs::read_dir(into).map_err(at)?.next().is_some() {
        return Err(Failure::NotEmpty { what: "something".into(), path: into.to_owned() });
    }
    unpack_into(file, checked.bytes, into, &|_| true)?;
    Ok(checked)
}

fn unpack_into(
    file: &mut File,
    bytes: u64,
    into: &Path,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<(), Failure> {
    let mut take = |name: &str, content: &mut dyn Read| {
        if !wanted(name) {
            return Ok(());
        }
        let path = into.join(name);
        let folder = path.parent().unwrap_or(into);
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut file = new_file(&path)?;
        io::copy(content, &mut file)?;
        file.sync_all()?;
        sync(folder)
    };
    each_member(file, bytes, &mut take)?;
    sync(into).map_err(|source| Failure::Io { path: into.to_owned(), source })
}

/// What keeps a daemon from starting meanwhile.
struct Held {
    store: Option<RedbStore>,
    trail: File,
}

impl Held {
    fn take(data_dir: &Path) -> Result<Self, Failure> {
        let in_use = || Failure::InUse(data_dir.to_owned());
        let at = |path: &Path, source| Failure::Io { path: path.to_owned(), source };
        let file = compose::store_file(data_dir);
        let there = file.try_exists().map_err(|error| at(&file, error))?;
        let store = match there.then(|| RedbStore::open(&file)) {
            Some(Err(StoreError::Locked)) => return Err(in_use()),
            // A store that is damaged is what restores are for; nobody can open it.
            Some(Err(_)) | None => None,
            Some(Ok(store)) => Some(store),
        };
        let folder = trail::folder(data_dir);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| at(&folder, error))?;
        match trail::lock(&folder) {
            Ok(trail) => Ok(Self { store, trail }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(in_use()),
            Err(error) => Err(at(&folder, error)),
        }
    }
}

/// What had to be done to the restored store.
struct Safe {
    done: Restored,
    apps_lost: Vec<String>,
}

/// Brings the store up to our schema, ends what must not come back to life, and sees that the keys go with it.
fn make_safe(stage: &Path, wanted: &Wanted<'_>, checked: &Made) -> Result<Safe, Failure> {
    let unusable = |error: &dyn std::fmt::Display| Failure::Unusable(error.to_string());
    let now = SystemClock::new().wall();
    let keys = keys::load_or_create_under(&stage.join(KEYS), wanted.master, &SystemEntropy, now)
        .map_err(|error| unusable(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| unusable(&error))?;
    let working = async {
        let store = RedbStore::open(&stage.join(STORE))?;
        let everything = store.everything().await?;
        let done = store.restored(wanted.end_sessions, totp::newest_step(now), now).await?.value;
        store.close().await?;
        Ok::<_, StoreError>((everything, done))
    };
    let (everything, done) = runtime.block_on(working).map_err(|error| unusable(&error))?;
    let said = checked.manifest.store;
    let found =
        [everything.users.len(), everything.sessions.len(), everything.keys.len(), everything.bans.len()];
    if found.map(|count| count as u64) != [said.users, said.sessions, said.keys, said.bans] {
        return Err(unusable(&"the store does not hold what the manifest says"));
    }
    let lost = everything.users.iter().filter(|user| {
        let app = user.totp.as_ref();
        app.is_some_and(|app| totp::open(keys.master(), &user.id, &app.sealed_secret).is_none())
    });
    Ok(Safe { done, apps_lost: lost.map(|user| user.name.to_string()).collect() })
}

/// What becomes of the audit trail that is on the disk.
enum Fate {
    /// It is the backup's, and perhaps what came after.
    GoesOn(Vec<Record>),
    /// It is another one, damaged, or not there: the backup's takes its place.
    Replaced(TrailEnd),
}

impl Fate {
    fn of(live: &Path, end: &TrailEnd) -> io::Result<Self> {
        let files = trail::files(live)?;
        // Whether it is signed, nobody can say here: the keys may be what was lost.
        let check = trail::Check { archived: true, chain_only: true, ..trail::Check::default() };
        let found = trail::verify(live, &check, |_| ())?.found;
        let last = TrailEnd::from(found.last);
        if found.records == 0 || !found.findings.is_empty() || last.seq < end.seq {
            return Ok(Self::Replaced(last));
        }
        let mut since = Vec::new();
        for file in files.iter().rev() {
            for record in trail::read_file(file)?.into_iter().rev() {
                if record.seq > end.seq {
                    since.push(record);
                } else if TrailEnd::from(record.link()) == *end {
                    since.reverse();
                    return Ok(Self::GoesOn(since));
                } else {
                    return Ok(Self::Replaced(last));
                }
            }
        }
        // What is older was archived, so the join cannot be seen; nothing is cut for that.
        since.reverse();
        Ok(Self::GoesOn(since))
    }

    fn keeps(&self) -> bool {
        matches!(self, Self::GoesOn(_))
    }

    fn undone(&self) -> Vec<Undone> {
        match self {
            Self::GoesOn(since) => since.iter().filter_map(Undone::of).collect(),
            Self::Replaced(_) => vec![],
        }
    }
}

fn keep_audit_key(data_dir: &Path, stage: &Path) -> io::Result<()> {
    let here = compose::keys_dir(data_dir).join(keys::AUDIT);
    if !here.try_exists()? {
        return Ok(());
    }
    let there = stage.join(KEYS).join(keys::AUDIT);
    fs::copy(here, &there)?;
    File::open(&there)?.sync_all()
}

/// The journal is history: what is on the disk stays.
fn journal(data_dir: &Path, stage: &Path) -> History {
    let there = |folder: &Path| fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some());
    if there(&compose::journal_dir(data_dir)) {
        History::Kept
    } else if there(&stage.join(JOURNAL)) {
        History::FromBackup
    } else {
        History::None
    }
}

fn record(wanted: &Wanted<'_>, checked: &Made, safe: &Safe, fate: &Fate, aside: &str) -> Fields {
    let mut fields = Fields::new();
    fields.insert("backup".into(), checked.id.clone().into());
    fields.insert("made".into(), checked.manifest.made.into());
    fields.insert("cursor".into(), checked.manifest.store.cursor.into());
    fields.insert("trail_seq".into(), checked.manifest.trail.seq.into());
    fields.insert("sessions_ended".into(), safe.done.ended.into());
    fields.insert("sessions".into(), if wanted.end_sessions { "end" } else { "keep" }.into());
    fields.insert("aside".into(), aside.into());
    fields.insert("by".into(), format!("uid {}", wanted.by).into());
    if let Fate::Replaced(last) = fate
        && last.seq > 0
    {
        fields.insert("other_trail_seq".into(), last.seq.into());
        fields.insert("other_trail_hash".into(), last.hash.clone().into());
    }
    fields
}

/// The time, as part of a name.
fn stamp() -> String {
    let millis = i64::try_from(SystemClock::new().wall().millis()).unwrap_or_default();
    let at = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    at.strftime("%Y%m%dT%H%M%S%.3fZ").to_string()
}
