//! Putting the parts together, from the store up to the listeners.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use axum::body::Body;
use http::Request;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::util::BoxCloneSyncService;

use super::{
    Predecessor, Readiness, Reloader, Running, StartError,
    accounts::{self, Book},
    admin, backup,
    handover::{self, Outgoing},
    health, impersonations, journal,
    logins::Logins,
    notice,
    reload::{IssuerFeeds, Parts},
    tasks, traces, translate,
};
use crate::{
    clock::{Clock, SystemClock},
    config::{Environment, Settings},
    doors::{
        Place, PortalService, Socket, Sockets,
        edge::{self, Edge, EdgeHandle},
        sidecar::{self, Sidecar},
    },
    entropy::{Entropy, SystemEntropy},
    feeds::{self, certs::Certificates, places::Database},
    gate::Gate,
    live::{Live, Snapshot},
    portal,
    rules::{
        place::{Places, Systems},
        trail::{Query, Record},
    },
    store::{Cursor, RedbStore, Store, StoreError},
    telemetry::trail::{self, Desk, Trail},
};

/// Notes of the request path that may wait; more are dropped and made again by the next request.
const NOTES: usize = 4_096;

/// The mode of the admin socket.
const OURS_ALONE: u32 = 0o600;

/// The folder of certificates is looked at this often.
const CERTIFICATES: Duration = Duration::from_secs(1);

/// A store that another process is just letting go of is tried again after so long, and so often.
const AGAIN: Duration = Duration::from_millis(20);
const TRIES: u32 = 500;

/// What a process begins with.
#[derive(Default)]
pub(super) struct Beginning {
    /// Listening sockets that were passed to it.
    pub(super) sockets: Vec<Socket>,
    /// The process that it takes over from.
    pub(super) predecessor: Option<Predecessor>,
}

/// What every part is started with.
struct Ground {
    gate: Arc<Gate>,
    portal: PortalService,
    sockets: Arc<Sockets>,
    /// Ends what takes new work; `stop` ends everything.
    accepting: CancellationToken,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Commands that are being carried out.
    talks: TaskTracker,
}

/// Everything that is read from files before the store is opened: what is wrong with one of them shows while a process
/// that is to be replaced still serves.
struct Materials {
    snapshot: Snapshot,
    keys: feeds::jwks::Feed,
    ways: notice::Ways,
    sidecar: Option<sidecar::SidecarSettings>,
    edge: Option<edge::EdgeSettings>,
    certificates: Option<Arc<Certificates>>,
    watched: [feeds::places::Watched; 2],
}

/// Puts everything together and starts it.
pub(super) async fn compose(
    settings: Settings,
    environment: Environment,
    beginning: Beginning,
    stop: CancellationToken,
    tasks: TaskTracker,
) -> Result<Running, StartError> {
    make_data_dir(&settings.data_dir)?;
    let unusable = |source| StartError::DataDir { path: settings.data_dir.clone(), source };
    backup::finish_interrupted(&settings.data_dir).map_err(unusable)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let sockets = Arc::new(Sockets::inheriting(beginning.sockets));
    let materials = Materials::read(&settings, &clock, &sockets).await?;
    let desk = trail_desk(&settings.data_dir).map_err(StartError::Trail)?;
    let outgoing = ask_for_store(beginning.predecessor, &settings, &sockets, &desk).await?;
    let store = open_store(&store_file(&settings.data_dir), outgoing.is_some()).await?;
    let Materials { snapshot, keys, ways, sidecar, edge, certificates, watched } = materials;
    let book = Arc::new(Book::open(desk).map_err(StartError::Trail)?);
    let (gate, acting) =
        compose_gate(&settings, snapshot, clock, (store.clone(), &book), &stop, &tasks).await?;
    let told_until = *gate.live().records.applied().borrow();
    if let Some(outgoing) = &outgoing {
        gate.live().counters.take_over(outgoing.levels.clone(), gate.moment());
    }
    let folder = TrailFolder(trail::folder(&settings.data_dir));
    let ways = Arc::new(ArcSwap::from_pointee(ways));
    let portal = portal_service(&gate, start_notices(&ways, &stop, &tasks), folder);
    let accepting = stop.child_token();
    let ground = Ground { gate, portal, sockets, accepting, stop, tasks, talks: TaskTracker::new() };
    let readiness = watch::Sender::new(Readiness::default());
    let source = backup::Source {
        store: store.clone(),
        data_dir: settings.data_dir.clone(),
        config: settings.file.clone(),
        environment: environment.clone(),
    };
    let issuers = IssuerFeeds::start(keys, ground.gate.live(), &ground.stop, &ground.tasks);
    let shown = certificates.clone();
    let parts = Parts { switch: None, certificates: shown, vouchers: None, ways, issuers };
    let reloader = Arc::new(Reloader::new(&settings, environment, &ground.gate, parts));
    // Whatever changes meanwhile is taken once every part is there.
    let mut parts = reloader.parts().await;
    let metrics = start_health(&settings, &ground, &readiness, &store, certificates.as_ref())?;
    start_feeds(&ground, &reloader, watched);
    start_admin(&settings, &ground, &reloader, source)?;
    ground.tasks.spawn(impersonations::follow(Arc::clone(&ground.gate), acting, ground.accepting.clone()));
    let doors = start_doors(sidecar, edge, certificates, &ground, &mut parts).await?;
    drop(parts);
    let before = follow_predecessor(outgoing, &ground, &store, told_until, &reloader).await?;
    let Ground { gate, sockets, accepting, stop, tasks, talks, .. } = ground;
    Ok(Running {
        gate,
        sidecar: doors.0,
        edge: doors.1,
        metrics,
        reloader,
        book,
        store,
        data_dir: settings.data_dir,
        sockets,
        readiness,
        accepting,
        stop,
        tasks,
        talks,
        before,
    })
}

/// Says to the process before this one that this one serves, and speaks to it until it is gone.
async fn follow_predecessor(
    outgoing: Option<Outgoing>,
    ground: &Ground,
    store: &RedbStore,
    from: Cursor,
    reloader: &Reloader,
) -> Result<TaskTracker, StartError> {
    let before = TaskTracker::new();
    if let Some(outgoing) = outgoing {
        let (gate, in_force, stop) = (Arc::clone(&ground.gate), reloader.in_force(), ground.stop.clone());
        let follow_up = handover::follow_up(outgoing, gate, store, from, in_force, stop).await;
        before.spawn(follow_up.map_err(not_taken_over)?);
    }
    Ok(before)
}

/// Starts whichever doors are on, and notes what a reload changes at them.
async fn start_doors(
    sidecar: Option<sidecar::SidecarSettings>,
    edge: Option<edge::EdgeSettings>,
    certificates: Option<Arc<Certificates>>,
    ground: &Ground,
    parts: &mut Parts,
) -> Result<(Option<Sidecar>, Option<EdgeHandle>), StartError> {
    let sidecar = sidecar.map(|settings| start_sidecar(settings, ground)).transpose()?;
    let edge = match edge {
        Some(settings) => Some(start_edge(settings, certificates, ground).await?),
        None => None,
    };
    parts.vouchers = sidecar.as_ref().map(|sidecar| Arc::clone(sidecar.vouchers()));
    parts.switch = edge.as_ref().map(EdgeHandle::switch);
    for place in ground.sockets.take_unused() {
        tracing::warn!(%place, "a listening socket was passed in, and nothing in the configuration listens there; it is closed");
    }
    Ok((sidecar, edge))
}

impl Materials {
    async fn read(
        settings: &Settings,
        clock: &Arc<dyn Clock>,
        sockets: &Arc<Sockets>,
    ) -> Result<Self, StartError> {
        let other = StartError::Other;
        let sources = translate::key_sources(settings).map_err(other)?;
        let mut keys = feeds::jwks::Feed::new(sources, Arc::clone(clock));
        let issuers = keys.prepare(translate::issuers(settings).map_err(other)?).await;
        let (places, watched_places) = database::<Places>(settings.geoip.city.clone()).await?;
        let (systems, watched_systems) = database::<Systems>(settings.geoip.asn.clone()).await?;
        let own_keys = feeds::keys::load_or_create_under(
            &keys_dir(&settings.data_dir),
            settings.master_key.as_ref(),
            &SystemEntropy,
            clock.wall(),
        );
        let snapshot = Snapshot {
            sites: translate::sites(settings).map_err(other)?,
            keys: own_keys.map_err(|error| other(error.to_string()))?,
            issuers,
            trusted: translate::trusted(settings),
            places,
            systems,
            journal: settings.journal,
            spared: translate::spared(settings),
            lockout: Arc::clone(&settings.lockout),
            traps: Arc::clone(&settings.traps),
            ..Snapshot::default()
        };
        let sidecar = settings.sidecar.as_ref().map(|written| translate::sidecar(written, sockets));
        let certificates = settings.edge.as_ref().map(|edge| Certificates::load(&edge.certificates));
        let certificates = certificates.transpose().map_err(|error| other(error.to_string()))?.map(Arc::new);
        let edge = settings.edge.as_ref().zip(certificates.clone());
        let edge = edge.map(|(edge, shown)| translate::edge(settings, edge, shown, sockets));
        let ways = notice::Ways::new(&settings.notices).map_err(other)?;
        let sidecar = sidecar.transpose().map_err(other)?;
        let watched = [watched_places, watched_systems];
        Ok(Self { snapshot, keys, ways, sidecar, edge, certificates, watched })
    }
}

/// A database, if there is one, and what its file looked like.
async fn database<D: Database>(file: Option<PathBuf>) -> Result<(D, feeds::places::Watched), StartError> {
    let first = feeds::places::Watched::of(file.clone()).await;
    let Some(path) = file else { return Ok((D::default(), first)) };
    let loading = tokio::task::spawn_blocking(move || feeds::places::load(&path)).await;
    let loaded = loading.map_err(|fault| StartError::Other(fault.to_string()))?;
    Ok((loaded.map_err(|error| StartError::Other(error.to_string()))?, first))
}

/// Listens wherever the process that is to be replaced does not: an address that cannot be had shows while that one still
/// serves, and before anything was accepted here.
fn bind_ahead(settings: &Settings, sockets: &Sockets) -> Result<(), StartError> {
    let (sidecar, edge) = (settings.sidecar.as_ref(), settings.edge.as_ref());
    let tcp = |key, addresses: &[SocketAddr]| -> Vec<_> {
        addresses.iter().map(|address| (key, Place::Tcp(*address), OURS_ALONE)).collect()
    };
    let edges = edge.map(|edge| [&edge.listen[..], &edge.redirect_from].concat()).unwrap_or_default();
    let alone = sidecar.and_then(|sidecar| sidecar.listen);
    let shared = sidecar.and_then(|sidecar| sidecar.socket.clone());
    let mut places = tcp("metrics.listen", settings.metrics.as_slice());
    places.extend(tcp("sidecar", alone.as_slice()));
    places.extend(shared.map(|path| ("sidecar", Place::Unix(path), sidecar::EVERYBODY)));
    places.extend(tcp("edge", &edges));
    places.push(("admin.socket", Place::Unix(settings.admin_socket.clone()), OURS_ALONE));
    for (key, place, mode) in places {
        let address = place.to_string();
        sockets.bind_ahead(place, mode).map_err(listening(key, &address))?;
    }
    Ok(())
}

async fn ask_for_store(
    predecessor: Option<Predecessor>,
    settings: &Settings,
    sockets: &Sockets,
    desk: &Desk,
) -> Result<Option<Outgoing>, StartError> {
    let Some(predecessor) = predecessor else { return Ok(None) };
    bind_ahead(settings, sockets)?;
    desk.look().map_err(StartError::Trail)?;
    predecessor.ask_for_store().await.map(Some).map_err(not_taken_over)
}

fn not_taken_over(error: io::Error) -> StartError {
    StartError::Other(format!("the running panelgate was not replaced: {error}"))
}

/// Opens the store; one that a process that hands over is just letting go of is waited for.
async fn open_store(file: &Path, patient: bool) -> Result<RedbStore, StartError> {
    let mut tries = if patient { TRIES } else { 1 };
    loop {
        let path = file.to_owned();
        let opening = tokio::task::spawn_blocking(move || RedbStore::open(&path)).await;
        let opened = opening.map_err(|fault| StartError::Other(fault.to_string()))?;
        tries -= 1;
        match opened {
            Err(StoreError::Locked) if tries > 0 => tokio::time::sleep(AGAIN).await,
            opened => return opened.map_err(|source| StartError::Store { path: file.to_owned(), source }),
        }
    }
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
pub(super) fn journal_dir(data_dir: &Path) -> PathBuf {
    data_dir.join(feeds::journal::FOLDER)
}

/// What the audit trail is written with.
pub(super) fn trail_desk(data_dir: &Path) -> io::Result<Desk> {
    let signer = feeds::keys::load_or_create_signer(&keys_dir(data_dir), &SystemEntropy);
    Ok(Desk::new(&trail::folder(data_dir), signer.map_err(io::Error::other)?))
}

/// Opens the audit trail, for whoever writes into it himself.
pub(super) fn open_trail_alone(data_dir: &Path) -> io::Result<Trail> {
    trail_desk(data_dir)?.open()
}

fn make_data_dir(path: &Path) -> Result<(), StartError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| StartError::DataDir { path: path.to_owned(), source })
}

async fn compose_gate(
    settings: &Settings,
    snapshot: Snapshot,
    clock: Arc<dyn Clock>,
    (store, book): (RedbStore, &Arc<Book>),
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<(Arc<Gate>, oneshot::Receiver<tasks::Acting>), StartError> {
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let store: Arc<dyn Store> = Arc::new(store);
    let file = store_file(&settings.data_dir);
    let broken = |source| StartError::Store { path: file.clone(), source };
    let live = Arc::new(Live::new(snapshot, settings.quotas));
    let (follow, load) = tasks::begin(&live, &store, stop).await.map_err(broken)?;
    let (notes, noted) = mpsc::channel(NOTES);
    let (found, acting) = oneshot::channel();
    tasks.spawn(follow);
    tasks.spawn(load.run(found, stop.clone()));
    tasks.spawn(tasks::write_notes(Arc::clone(&live), Arc::clone(&store), noted, stop.clone()));
    tasks.spawn(tasks::write_touches(Arc::clone(&live), Arc::clone(&store), stop.clone()));
    tasks.spawn(tasks::purge(Arc::clone(&store), Arc::clone(&clock), stop.clone()));
    let logins = Logins(feeds::panel_login::PanelLogins::new(Arc::clone(&clock)));
    let folder = journal_dir(&settings.data_dir);
    let journal = journal::start(&folder, &live, &clock, stop, tasks);
    let (queue, archive) = journal.map_err(|source| StartError::DataDir { path: folder, source })?;
    let traces = settings.traces.as_ref().map(traces::prepare).transpose().map_err(StartError::Other)?;
    let tracer = traces.map(|(tracer, traces)| {
        traces.start(Arc::clone(&live), stop.clone(), tasks);
        tracer
    });
    let gate = Gate::new(live, store, clock, entropy, notes).asking(Arc::new(logins));
    let gate = gate.journaling(queue, archive).tracing(tracer).accounting(Arc::<Book>::clone(book));
    let gate = Arc::new(gate);
    tasks.spawn(accounts::follow(Arc::clone(book), Arc::clone(&gate), stop.clone()));
    Ok((gate, acting))
}

/// The queue of news of sign-ins.
fn start_notices(
    ways: &Arc<ArcSwap<notice::Ways>>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> mpsc::Sender<portal::NewSignIn> {
    let (notices, queue) = mpsc::channel(notice::QUEUE);
    tasks.spawn(notice::deliver(Arc::clone(ways), queue, stop.clone()));
    notices
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
    let (gate, hasher) = (Arc::clone(gate), hasher(gate));
    let router = portal::router(portal::Portal { gate, hasher, notices, trail: Arc::new(trail) });
    BoxCloneSyncService::new(tower::service_fn(move |request: Request<Body>| {
        let router = router.clone();
        tower::ServiceExt::oneshot(router, request)
    }))
}

/// As many passwords at once as there are cores.
fn hasher(gate: &Gate) -> portal::Hasher {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let meter = Arc::clone(&gate.live().meters.passwords);
    portal::Hasher::new(cores, meter, Arc::clone(gate.clock()))
}

fn start_health(
    settings: &Settings,
    ground: &Ground,
    readiness: &watch::Sender<Readiness>,
    store: &RedbStore,
    certificates: Option<&Arc<Certificates>>,
) -> Result<Option<SocketAddr>, StartError> {
    let Some(address) = settings.metrics else { return Ok(None) };
    let listener = ground.sockets.tcp(address).map_err(listening("metrics.listen", &address))?;
    let bound = listener.local_addr().map_err(listening("metrics.listen", &address))?;
    let health = health::Health {
        live: Arc::clone(ground.gate.live()),
        clock: Arc::clone(ground.gate.clock()),
        store: store.clone(),
        certificates: certificates.cloned(),
        readiness: readiness.subscribe(),
        started: ground.gate.moment().wall,
    };
    let serve = health::serve(listener, health, ground.accepting.clone(), ground.tasks.clone());
    ground.tasks.spawn(serve);
    Ok(Some(bound))
}

fn start_sidecar(settings: sidecar::SidecarSettings, ground: &Ground) -> Result<Sidecar, StartError> {
    let address = settings.address_text();
    let started = Sidecar::start(settings, Arc::clone(&ground.gate), ground.portal.clone());
    started.map_err(listening("sidecar", &address))
}

async fn start_edge(
    settings: edge::EdgeSettings,
    certificates: Option<Arc<Certificates>>,
    ground: &Ground,
) -> Result<EdgeHandle, StartError> {
    if let Some(certificates) = certificates {
        let (live, clock) = (Arc::clone(ground.gate.live()), Arc::clone(ground.gate.clock()));
        ground.tasks.spawn(certificates.follow(CERTIFICATES, live, clock, ground.stop.clone()));
    }
    let started = Edge::start(settings, Arc::clone(&ground.gate), ground.portal.clone()).await;
    started.map_err(|error| match error {
        edge::StartError::Listen { address, source } => listening("edge", &address)(source),
        error @ (edge::StartError::Tls(_) | edge::StartError::Upstream { .. }) => {
            StartError::Other(error.to_string())
        }
    })
}

/// Follows what changes from outside: the databases of addresses, and the files of the configuration.
fn start_feeds(ground: &Ground, reloader: &Arc<Reloader>, [places, systems]: [feeds::places::Watched; 2]) {
    let named = Arc::clone(reloader);
    start_database::<Places>(ground, places, move || named.geoip().city);
    let named = Arc::clone(reloader);
    start_database::<Systems>(ground, systems, move || named.geoip().asn);
    let (changed, changes) = mpsc::channel(1);
    let read = Arc::clone(reloader);
    ground.tasks.spawn(feeds::files::follow(move || read.seen(), changed, ground.stop.clone()));
    ground.tasks.spawn(tasks::reload_on_change(Arc::clone(reloader), changes, ground.stop.clone()));
}

fn start_database<D: Database>(
    ground: &Ground,
    first: feeds::places::Watched,
    file: impl Fn() -> Option<PathBuf> + Send + 'static,
) {
    let (live, clock) = (Arc::clone(ground.gate.live()), Arc::clone(ground.gate.clock()));
    ground.tasks.spawn(feeds::places::follow::<D>(file, first, live, clock, ground.stop.clone()));
}

fn start_admin(
    settings: &Settings,
    ground: &Ground,
    reloader: &Arc<Reloader>,
    source: backup::Source,
) -> Result<(), StartError> {
    let path = &settings.admin_socket;
    let listener = ground.sockets.unix(path, OURS_ALONE);
    let listener = listener.map_err(listening("admin.socket", &path.display()))?;
    let handler = Arc::new(admin::of_daemon(&ground.gate, reloader));
    let (accepting, talks) = (ground.accepting.clone(), ground.talks.clone());
    let desk = Arc::new(backup::Desk::new(source, reloader.in_force()));
    ground.tasks.spawn(admin::serve(listener, handler, desk, accepting, talks));
    Ok(())
}

fn listening(key: &'static str, address: &impl ToString) -> impl FnOnce(io::Error) -> StartError {
    let address = address.to_string();
    move |source| StartError::Listen { key, address, source }
}
