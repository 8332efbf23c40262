//! Putting the parts together, from the store up to the listeners.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::body::Body;
use http::Request;
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::util::BoxCloneSyncService;

use super::{
    Readiness, Reloader, Running, StartError, admin, health, impersonations, journal, logins::Logins, notice,
    tasks, translate,
};
use crate::{
    clock::{Clock, SystemClock},
    config::{Environment, Settings},
    doors::{
        PortalService,
        edge::{self, Edge, EdgeHandle},
        sidecar::Sidecar,
    },
    entropy::{Entropy, SystemEntropy},
    feeds::{self, certs::Certificates},
    gate::Gate,
    live::{Live, Snapshot},
    portal,
    rules::trail::{Query, Record},
    store::{RedbStore, Store},
    telemetry::{
        self, Attached,
        trail::{self, Trail},
    },
};

/// Notes of the request path that may wait; more are dropped and made again by the next request.
const NOTES: usize = 4_096;

/// The folder of certificates is looked at this often.
const CERTIFICATES: Duration = Duration::from_secs(1);

/// What every part is started with.
struct Ground {
    gate: Arc<Gate>,
    portal: PortalService,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Puts everything together and starts it.
pub(super) async fn compose(
    settings: Settings,
    environment: Environment,
    stop: CancellationToken,
    tasks: TaskTracker,
) -> Result<Running, StartError> {
    make_data_dir(&settings.data_dir)?;
    let gate = compose_gate(&settings, &stop, &tasks).await?;
    let trail = open_trail(&settings.data_dir)?;
    let ground = Ground {
        portal: portal_service(
            &gate,
            start_notices(&settings, &stop, &tasks)?,
            TrailFolder(trail::folder(&settings.data_dir)),
        ),
        gate,
        stop,
        tasks,
    };
    let readiness = watch::Sender::new(Readiness::default());
    let reloader = Arc::new(Reloader::new(&settings, environment, &ground.gate));
    let metrics = start_health(&settings, &ground, &readiness).await?;
    start_feeds(&settings, &ground, &reloader).await?;
    start_admin(&settings, &ground, &reloader)?;
    ground.tasks.spawn(impersonations::follow(Arc::clone(&ground.gate), ground.stop.clone()));
    let sidecar = start_sidecar(&settings, &ground)?;
    let edge = start_edge(&settings, &ground).await?;
    let Ground { gate, stop, tasks, .. } = ground;
    Ok(Running { gate, sidecar, edge, metrics, reloader, trail, readiness, stop, tasks })
}

/// Where the embedded store is.
pub(crate) fn store_file(data_dir: &Path) -> PathBuf {
    data_dir.join("panelgate.redb")
}

/// Where the keys are.
pub(crate) fn keys_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("keys")
}

/// Where the journal of decisions is.
fn journal_dir(data_dir: &Path) -> PathBuf {
    data_dir.join(feeds::journal::FOLDER)
}

/// Opens the audit trail; what happens from now on is in it.
pub(super) fn open_trail(data_dir: &Path) -> Result<Attached, StartError> {
    let trail = Trail::open(&trail::folder(data_dir)).map_err(StartError::Trail)?;
    Ok(telemetry::attach(trail))
}

fn make_data_dir(path: &Path) -> Result<(), StartError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| StartError::DataDir { path: path.to_owned(), source })
}

async fn compose_gate(
    settings: &Settings,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<Arc<Gate>, StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let file = store_file(&settings.data_dir);
    let broken = |source| StartError::Store { path: file.clone(), source };
    let store: Arc<dyn Store> = Arc::new(RedbStore::open(&file).map_err(broken)?);
    let keys = feeds::keys::load_or_create_under(
        &keys_dir(&settings.data_dir),
        settings.master_key.as_ref(),
        &*entropy,
        clock.wall(),
    );
    let snapshot = Snapshot {
        sites: translate::sites(settings).map_err(StartError::Other)?,
        keys: keys.map_err(|error| StartError::Other(error.to_string()))?,
        trusted: translate::trusted(settings),
        journal: settings.journal,
        spared: translate::spared(settings),
        ..Snapshot::default()
    };
    let live = Arc::new(Live::new(snapshot, settings.quotas));
    let follow = tasks::follow(Arc::clone(&live), Arc::clone(&store), stop.clone()).await.map_err(broken)?;
    let (notes, noted) = mpsc::channel(NOTES);
    tasks.spawn(follow);
    tasks.spawn(tasks::write_notes(Arc::clone(&store), noted, stop.clone()));
    tasks.spawn(tasks::write_touches(Arc::clone(&live), Arc::clone(&store), stop.clone()));
    tasks.spawn(tasks::purge(Arc::clone(&store), Arc::clone(&clock), stop.clone()));
    let logins = Logins(feeds::panel_login::PanelLogins::new(Arc::clone(&clock)));
    let folder = journal_dir(&settings.data_dir);
    let journal = journal::start(&folder, &live, &clock, stop, tasks);
    let (queue, archive) = journal.map_err(|source| StartError::DataDir { path: folder, source })?;
    let gate = Gate::new(live, store, clock, entropy, notes).asking(Arc::new(logins));
    Ok(Arc::new(gate.journaling(queue, archive)))
}

/// The queue of news of sign-ins; without a way of telling anybody, nobody reads it.
fn start_notices(
    settings: &Settings,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<mpsc::Sender<portal::NewSignIn>, StartError> {
    let (notices, queue) = mpsc::channel(notice::QUEUE);
    let ways = notice::Ways::new(&settings.notices).map_err(StartError::Other)?;
    if !ways.are_none() {
        tasks.spawn(notice::deliver(ways, queue, stop.clone()));
    }
    Ok(notices)
}

/// The portal's way to the audit trail.
struct TrailFolder(PathBuf);

impl portal::ReadTrail for TrailFolder {
    fn newest(&self, query: &Query, limit: usize) -> io::Result<Vec<Record>> {
        trail::newest(&self.0, query, limit)
    }
}

fn portal_service(
    gate: &Arc<Gate>,
    notices: mpsc::Sender<portal::NewSignIn>,
    trail: TrailFolder,
) -> PortalService {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (gate, hasher) = (Arc::clone(gate), portal::Hasher::new(cores));
    let router = portal::router(portal::Portal { gate, hasher, notices, trail: Arc::new(trail) });
    BoxCloneSyncService::new(tower::service_fn(move |request: Request<Body>| {
        let router = router.clone();
        tower::ServiceExt::oneshot(router, request)
    }))
}

async fn start_health(
    settings: &Settings,
    ground: &Ground,
    readiness: &watch::Sender<Readiness>,
) -> Result<Option<std::net::SocketAddr>, StartError> {
    let Some(address) = settings.metrics else { return Ok(None) };
    let listener = health::bind(address).await.map_err(listening("metrics.listen", &address))?;
    let bound = listener.local_addr().map_err(listening("metrics.listen", &address))?;
    let live = Arc::clone(ground.gate.live());
    let serve =
        health::serve(listener, live, readiness.subscribe(), ground.stop.clone(), ground.tasks.clone());
    ground.tasks.spawn(serve);
    Ok(Some(bound))
}

fn start_sidecar(settings: &Settings, ground: &Ground) -> Result<Option<Sidecar>, StartError> {
    let Some(written) = &settings.sidecar else { return Ok(None) };
    let translated = translate::sidecar(written).map_err(StartError::Other)?;
    let address = translated.address_text();
    let started = Sidecar::start(translated, Arc::clone(&ground.gate), ground.portal.clone());
    Ok(Some(started.map_err(listening("sidecar", &address))?))
}

async fn start_edge(settings: &Settings, ground: &Ground) -> Result<Option<EdgeHandle>, StartError> {
    let Some(written) = &settings.edge else { return Ok(None) };
    let certificates = Certificates::load(&written.certificates);
    let certificates = Arc::new(certificates.map_err(|error| StartError::Other(error.to_string()))?);
    ground.tasks.spawn(Arc::clone(&certificates).follow(CERTIFICATES, ground.stop.clone()));
    let translated = translate::edge(settings, written, certificates);
    let started = Edge::start(translated, Arc::clone(&ground.gate), ground.portal.clone()).await;
    let not_started = |error| match error {
        edge::StartError::Listen { address, source } => listening("edge", &address)(source),
        error @ (edge::StartError::Tls(_) | edge::StartError::Upstream { .. }) => {
            StartError::Other(error.to_string())
        }
    };
    Ok(Some(started.map_err(not_started)?))
}

/// Follows what changes from outside: issuers' keys, and the files of the configuration.
async fn start_feeds(
    settings: &Settings,
    ground: &Ground,
    reloader: &Arc<Reloader>,
) -> Result<(), StartError> {
    let live = Arc::clone(ground.gate.live());
    let sources = translate::key_sources(settings).map_err(StartError::Other)?;
    let mut keys = feeds::jwks::Feed::new(sources, Arc::new(SystemClock::new()));
    let issuers = keys.prepare(translate::issuers(settings).map_err(StartError::Other)?).await;
    live.swap(|snapshot| snapshot.issuers = issuers.clone());
    ground.tasks.spawn(keys.run(live, ground.stop.clone()));
    start_places(settings, ground, reloader).await?;
    let (changed, changes) = mpsc::channel(1);
    let watched = Arc::clone(reloader);
    ground.tasks.spawn(feeds::files::follow(move || watched.watched(), changed, ground.stop.clone()));
    ground.tasks.spawn(tasks::reload_on_change(Arc::clone(reloader), changes, ground.stop.clone()));
    Ok(())
}

/// Reads the database of places, if there is one, and follows its file.
async fn start_places(
    settings: &Settings,
    ground: &Ground,
    reloader: &Arc<Reloader>,
) -> Result<(), StartError> {
    let live = Arc::clone(ground.gate.live());
    let first = feeds::places::Watched::of(settings.places.clone()).await;
    if let Some(path) = settings.places.clone() {
        let loading = tokio::task::spawn_blocking(move || feeds::places::load(&path)).await;
        let loaded = loading.map_err(|fault| StartError::Other(fault.to_string()))?;
        let places = loaded.map_err(|error| StartError::Other(error.to_string()))?;
        live.swap(|snapshot| snapshot.places = places.clone());
    }
    let named = Arc::clone(reloader);
    ground.tasks.spawn(feeds::places::follow(move || named.places(), first, live, ground.stop.clone()));
    Ok(())
}

fn start_admin(settings: &Settings, ground: &Ground, reloader: &Arc<Reloader>) -> Result<(), StartError> {
    let path = &settings.admin_socket;
    let bound = admin::bind(path).map_err(listening("admin.socket", &path.display()))?;
    let handler = Arc::new(admin::of_daemon(&ground.gate, reloader));
    ground.tasks.spawn(admin::serve(bound, handler, ground.stop.clone(), ground.tasks.clone()));
    Ok(())
}

fn listening(key: &'static str, address: &impl ToString) -> impl FnOnce(io::Error) -> StartError {
    let address = address.to_string();
    move |source| StartError::Listen { key, address, source }
}
