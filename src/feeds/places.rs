//! The databases of places and of autonomous systems: read into memory, never mapped, and replaced when their files
//! change. The last good one stays.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::files::{self, Stamp, stamp};
use crate::{
    clock::Clock,
    live::{Live, ReloadProblem, Snapshot},
    rules::place::{BadDatabase, Places, Systems},
};

/// Looks at the file this often.
const EVERY: Duration = Duration::from_secs(1);
/// The largest database, in bytes: several times the size of the paid ones.
const LARGEST: u64 = 1 << 30;

/// A database that a file has and the snapshot keeps.
pub trait Database: Clone + Default + fmt::Debug + Send + Sync + 'static {
    /// What is stale where it cannot be used.
    const STALE: &'static str;
    /// What it is of.
    const OF: &'static str;

    /// Looks at its description alone.
    ///
    /// # Errors
    /// When it is another database, or none.
    fn parse(bytes: Vec<u8>) -> Result<Self, BadDatabase>;

    /// Looks at every record.
    ///
    /// # Errors
    /// With the first damage that is found.
    fn verify(&self) -> Result<(), BadDatabase>;

    /// When it was built, in Unix seconds.
    fn built(&self) -> Option<u64>;

    /// Takes its place.
    fn put(self, snapshot: &mut Snapshot);
}

impl Database for Places {
    const STALE: &'static str = "geoip";
    const OF: &'static str = "places";

    fn parse(bytes: Vec<u8>) -> Result<Self, BadDatabase> {
        Self::parse(bytes)
    }

    fn verify(&self) -> Result<(), BadDatabase> {
        self.verify()
    }

    fn built(&self) -> Option<u64> {
        self.built()
    }

    fn put(self, snapshot: &mut Snapshot) {
        snapshot.places = self;
    }
}

impl Database for Systems {
    const STALE: &'static str = "geoip.asn";
    const OF: &'static str = "autonomous systems";

    fn parse(bytes: Vec<u8>) -> Result<Self, BadDatabase> {
        Self::parse(bytes)
    }

    fn verify(&self) -> Result<(), BadDatabase> {
        self.verify()
    }

    fn built(&self) -> Option<u64> {
        self.built()
    }

    fn put(self, snapshot: &mut Snapshot) {
        snapshot.systems = self;
    }
}

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The system says no.
    #[error("{path} cannot be read: {source}", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Not what it should hold.
    #[error("{path} is {source}", path = path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: BadDatabase,
    },
}

/// Reads the database's description alone.
///
/// # Errors
/// When the file cannot be read, or is no such database.
pub fn look<D: Database>(path: &Path) -> Result<D, LoadError> {
    let bytes = read(path).map_err(|source| LoadError::Io { path: path.to_owned(), source })?;
    D::parse(bytes).map_err(|source| LoadError::Content { path: path.to_owned(), source })
}

/// Reads the database and looks at every record. Blocks for seconds.
///
/// # Errors
/// As [`look`], and when a record is damaged.
pub fn load<D: Database>(path: &Path) -> Result<D, LoadError> {
    let database: D = look(path)?;
    database.verify().map_err(|source| LoadError::Content { path: path.to_owned(), source })?;
    Ok(database)
}

/// Keeps the snapshot's database as the file has it, until `stop`. `file` is asked each time, since a new configuration
/// may name another, or none. `first` is what is in force now.
pub async fn follow<D: Database>(
    file: impl Fn() -> Option<PathBuf> + Send,
    first: Watched,
    live: Arc<Live>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut known, mut last) = (first.clone(), first);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let now = Watched::of(file()).await;
        // A file that is being written changes between two looks; it is read once it stays.
        if now != known && now == last {
            take::<D>(&now, &live, &*clock).await;
            known = now.clone();
        }
        last = now;
    }
}

/// A file and what it looked like from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched(Option<(PathBuf, Option<Stamp>)>);

impl Watched {
    /// As it is now.
    pub async fn of(file: Option<PathBuf>) -> Self {
        let Some(path) = file else { return Self(None) };
        let stamp = stamp(&path).await;
        Self(Some((path, stamp)))
    }
}

async fn take<D: Database>(now: &Watched, live: &Live, clock: &dyn Clock) {
    let Some((path, _)) = now.0.clone() else {
        live.note_stale(D::STALE, None);
        live.swap(|snapshot| D::default().put(snapshot));
        tracing::info!("no database of {} is configured any more", D::OF);
        return;
    };
    let shown = path.display().to_string();
    match tokio::task::spawn_blocking(move || load::<D>(&path)).await {
        Ok(Ok(database)) => {
            live.note_stale(D::STALE, None);
            live.swap(|snapshot| database.clone().put(snapshot));
            tracing::info!(file = shown, ?database, "the database of {} is in force", D::OF);
        }
        Ok(Err(error)) => {
            let problem = ReloadProblem { at: clock.moment().wall, what: error.to_string() };
            live.note_stale(D::STALE, Some(problem));
            tracing::error!(%error, "the changed database of {} cannot be used; the old one stays", D::OF);
        }
        Err(error) => tracing::error!(%error, file = shown, "the database of {} could not be read", D::OF),
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    files::open(path)?.take(LARGEST.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= LARGEST) {
        Ok(bytes)
    } else {
        Err(io::Error::other("it has more than 1 GiB"))
    }
}
