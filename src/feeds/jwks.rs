//! The key sets of trusted issuers, from an address or a file. The last good set stays until a better one comes.

mod fetch;
#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use http::Uri;
use tokio_util::sync::CancellationToken;

use self::fetch::{Client, FetchError};
use super::files::{Stamp, stamp};
use crate::{
    clock::{Clock, Moment},
    live::{Live, ReloadProblem},
    rules::token::{Issuers, PublicKeys},
};

/// How often an address is asked when all is well.
const REFRESH: Duration = Duration::from_secs(600);
/// The least time between two questions: after a failure, and when tokens name keys that the set does not have.
const RETRY: Duration = Duration::from_secs(30);
/// How often the watchers look whether there is something to do.
const TICK: Duration = Duration::from_secs(1);

/// Where a key set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, read again when it changes.
    File(PathBuf),
    /// An address, asked again every ten minutes; see [`Source::url`].
    Url(Uri),
}

/// An address that key sets are not taken from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an address that key sets are taken from: write `https://…`, or `http://` with a loopback address"
)]
pub struct BadUrl(String);

impl Source {
    /// An https address, or an http address on this machine.
    ///
    /// # Errors
    /// For anything else, and for addresses with a user name or password.
    pub fn url(text: &str) -> Result<Self, BadUrl> {
        https_or_local(text).map(Self::Url).ok_or_else(|| BadUrl(text.to_owned()))
    }
}

/// An https address, or an http address on this machine; with neither user name nor password.
pub fn https_or_local(text: &str) -> Option<Uri> {
    let parsed = url::Url::parse(text).ok()?;
    let loopback = match parsed.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    let safe = parsed.scheme() == "https" || parsed.scheme() == "http" && loopback;
    let anonymous = parsed.username().is_empty() && parsed.password().is_none();
    parsed.as_str().parse().ok().filter(|_| safe && anonymous)
}

/// How a source is doing, for metrics.
#[derive(Debug)]
pub struct Health {
    /// The issuer's configured name.
    pub issuer: String,
    failures: AtomicU64,
    good_at: AtomicU64,
}

impl Health {
    /// How often no usable set came.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// When the last usable set came, in Unix seconds; 0 for never.
    pub fn good_at(&self) -> u64 {
        self.good_at.load(Ordering::Relaxed)
    }
}

/// Watches the key sets of all issuers.
pub struct Feed {
    watchers: Vec<Watcher>,
    clock: Arc<dyn Clock>,
}

impl Feed {
    /// A feed for issuers (configured name, source). Issuers with a shared secret have none.
    pub fn new(sources: Vec<(String, Source)>, clock: Arc<dyn Clock>) -> Self {
        let client = Client::new();
        let watchers =
            sources.into_iter().map(|(issuer, source)| Watcher::new(issuer, source, client.clone()));
        Self { watchers: watchers.collect(), clock }
    }

    /// How the sources are doing.
    pub fn health(&self) -> Vec<Arc<Health>> {
        self.watchers.iter().map(|watcher| Arc::clone(&watcher.health)).collect()
    }

    /// Asks every source once and gives the issuers the keys that came. A source that does not answer is logged and asked
    /// again by [`Feed::run`]; until then nothing of that issuer verifies. Takes five seconds at most.
    pub async fn prepare(&mut self, issuers: Issuers) -> Issuers {
        let at = self.clock.moment();
        let sets = join_all(self.watchers.iter_mut().map(|watcher| watcher.ask(at))).await;
        self.watchers.iter().zip(sets).fold(issuers, |issuers, (watcher, set)| match set {
            Some(set) => issuers.with_keys(&watcher.health.issuer, set),
            None => issuers,
        })
    }

    /// Keeps the snapshot's issuers up to date until `stop`.
    pub async fn run(self, live: Arc<Live>, stop: CancellationToken) {
        let watching = self.watchers.into_iter().map(|watcher| watcher.watch(&live, &*self.clock));
        stop.run_until_cancelled(join_all(watching)).await;
        // Without watchers there was nothing to wait for.
        stop.cancelled().await;
    }
}

/// Watches one source.
struct Watcher {
    source: Source,
    client: Client,
    health: Arc<Health>,
    /// When an address was last asked, and whether that went well.
    asked: Option<(Duration, bool)>,
    /// The issuer's count of unknown keys when an address was last asked.
    unknown: u64,
    /// What a file looked like when it was last read.
    stamp: Option<Stamp>,
    /// Why there is no newer set.
    problem: Option<String>,
}

impl Watcher {
    fn new(issuer: String, source: Source, client: Client) -> Self {
        let health = Health { issuer, failures: AtomicU64::new(0), good_at: AtomicU64::new(0) };
        Self { source, client, health: Arc::new(health), asked: None, unknown: 0, stamp: None, problem: None }
    }

    async fn watch(mut self, live: &Live, clock: &dyn Clock) {
        self.note(live, clock.moment());
        loop {
            self.tick(live, clock.moment()).await;
            tokio::time::sleep(TICK).await;
        }
    }

    fn note(&self, live: &Live, at: Moment) {
        let problem = self.problem.clone().map(|what| ReloadProblem { at: at.wall, what });
        live.note_stale(&format!("issuers[{}]", self.health.issuer), problem);
    }

    /// Asks if it is time to, and publishes what came.
    async fn tick(&mut self, live: &Live, at: Moment) {
        let unknown = live.snapshot().issuers.unknown_keys(&self.health.issuer);
        let due = match &self.source {
            Source::File(path) => self.stamp.is_none() || self.stamp != stamp(path).await,
            Source::Url(_) => self.asked.is_none_or(|(asked, well)| {
                let waited = at.mono.saturating_sub(asked);
                waited >= REFRESH || waited >= RETRY && (!well || unknown != self.unknown)
            }),
        };
        if !due {
            return;
        }
        self.unknown = unknown;
        let set = self.ask(at).await;
        self.note(live, at);
        if let Some(set) = set {
            live.swap(|snapshot| {
                snapshot.issuers = snapshot.issuers.with_keys(&self.health.issuer, set.clone());
            });
        }
    }

    /// The set as it is now, or `None` with the reason in the log.
    async fn ask(&mut self, at: Moment) -> Option<PublicKeys> {
        let set = self.read().await;
        self.asked = Some((at.mono, set.is_ok()));
        match set {
            Ok(set) => {
                self.health.good_at.store(at.wall.secs(), Ordering::Relaxed);
                self.problem = None;
                tracing::debug!(issuer = %self.health.issuer, keys = ?set, "read the issuer's key set");
                Some(set)
            }
            Err(error) => {
                self.health.failures.fetch_add(1, Ordering::Relaxed);
                self.problem = Some(format!("{}: {error}", self.source));
                tracing::warn!(
                    issuer = %self.health.issuer, source = %self.source, %error,
                    "no usable key set; the last good one stays"
                );
                None
            }
        }
    }

    async fn read(&mut self) -> Result<PublicKeys, FetchError> {
        let text = match &self.source {
            Source::File(path) => {
                // Taken before reading: a change in between is seen as one.
                self.stamp = stamp(path).await;
                fetch::file(path).await?
            }
            Source::Url(uri) => self.client.get(uri).await?,
        };
        Ok(PublicKeys::parse(&text)?)
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url(uri) => write!(f, "{uri}"),
        }
    }
}
