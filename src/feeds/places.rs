//! The database of places: read into memory, never mapped, and replaced when its file changes. The last good one stays.

#[cfg(test)]
mod tests;

use std::{
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
    live::{Live, ReloadProblem},
    rules::place::{BadDatabase, Places},
};

/// What is stale where the database cannot be used.
const WHAT: &str = "geoip";
/// Looks at the file this often.
const EVERY: Duration = Duration::from_secs(1);
/// The largest database, in bytes: several times the size of the paid ones.
const LARGEST: u64 = 1 << 30;

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
/// When the file cannot be read, or is no database of cities or countries.
pub fn look(path: &Path) -> Result<Places, LoadError> {
    let bytes = read(path).map_err(|source| LoadError::Io { path: path.to_owned(), source })?;
    Places::parse(bytes).map_err(|source| LoadError::Content { path: path.to_owned(), source })
}

/// Reads the database and looks at every record. Blocks for seconds.
///
/// # Errors
/// As [`look`], and when a record is damaged.
pub fn load(path: &Path) -> Result<Places, LoadError> {
    let places = look(path)?;
    places.verify().map_err(|source| LoadError::Content { path: path.to_owned(), source })?;
    Ok(places)
}

/// Keeps the snapshot's places as the file has them, until `stop`. `file` is asked each time, since a new configuration
/// may name another, or none. `first` is what is in force now.
pub async fn follow(
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
            take(&now, &live, &*clock).await;
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

async fn take(now: &Watched, live: &Live, clock: &dyn Clock) {
    let Some((path, _)) = now.0.clone() else {
        live.note_stale(WHAT, None);
        live.swap(|snapshot| snapshot.places = Places::default());
        tracing::info!("no database of places is configured any more");
        return;
    };
    let shown = path.display().to_string();
    match tokio::task::spawn_blocking(move || load(&path)).await {
        Ok(Ok(places)) => {
            live.note_stale(WHAT, None);
            live.swap(|snapshot| snapshot.places = places.clone());
            tracing::info!(file = shown, ?places, "the database of places is in force");
        }
        Ok(Err(error)) => {
            let problem = ReloadProblem { at: clock.moment().wall, what: error.to_string() };
            live.note_stale(WHAT, Some(problem));
            tracing::error!(%error, "the changed database of places cannot be used; the old one stays");
        }
        Err(error) => tracing::error!(%error, file = shown, "the database of places could not be read"),
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
