//! Composition: the only place that names concrete stores, chooses the clock, spawns tasks and binds listeners.

pub mod admin;
mod compose;
mod error;
mod health;
mod impersonations;
mod journal;
mod logins;
mod notice;
mod reload;
mod tasks;
mod translate;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::{
    compose::{keys_dir, store_file},
    translate::spared,
};
pub use self::{error::StartError, health::Readiness, reload::Reloader};
use crate::{
    config::{Environment, Settings},
    doors::{edge::EdgeHandle, sidecar::Sidecar},
    gate::Gate,
    telemetry,
};

/// How often the daemon looks whether its store still works, and for how many looks it may not.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS_LOST: u32 = 5;

/// How long requests in flight may take once the process was told to stop.
const DRAIN: Duration = Duration::from_secs(20);

/// A running gate with everything around it.
pub struct Running {
    /// The gate itself, with store and memory behind it.
    pub gate: Arc<Gate>,
    /// The sidecar, if it is on.
    pub sidecar: Option<Sidecar>,
    /// The edge, if it is on.
    pub edge: Option<EdgeHandle>,
    /// Where metrics and health listen, if they are on.
    pub metrics: Option<SocketAddr>,
    /// Brings a changed configuration into force.
    pub reloader: Arc<Reloader>,
    /// The audit trail, until the last event of this process is in it.
    trail: telemetry::Attached,
    readiness: watch::Sender<Readiness>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Runs the daemon until SIGTERM or SIGINT; SIGHUP reloads.
///
/// # Errors
/// When it cannot start; once it runs, nothing that happens is an error here.
pub fn run(settings: Settings, environment: Environment) -> Result<(), StartError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(StartError::Runtime)?;
    runtime.block_on(async {
        let running = start(settings, environment).await?;
        running.announce();
        let why = running.until_stopped().await;
        running.stop().await;
        why
    })
}

/// Starts everything and returns when it serves.
///
/// # Errors
/// With what could not be opened, read or bound; nothing keeps running then.
pub async fn start(settings: Settings, environment: Environment) -> Result<Running, StartError> {
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    // Whatever was started before something failed must not go on alone.
    let guard = stop.clone().drop_guard();
    let running = compose::compose(settings, environment, stop, tasks).await?;
    let _ = guard.disarm();
    running.readiness.send_modify(|readiness| readiness.ready = true);
    Ok(running)
}

impl Running {
    fn announce(&self) {
        let sidecar = self.sidecar.as_ref().and_then(|sidecar| sidecar.address);
        let socket = self.sidecar.as_ref().and_then(|sidecar| sidecar.socket.as_deref());
        let edge = self.edge.as_ref().map(EdgeHandle::addresses);
        tracing::info!(?sidecar, ?socket, ?edge, metrics = ?self.metrics, "panelgate serves");
    }

    /// Waits for SIGTERM or SIGINT, reloading on SIGHUP.
    ///
    /// # Errors
    /// When the process cannot listen for signals, or when the store has failed: only opening it anew helps (R33).
    pub async fn until_stopped(&self) -> Result<(), StartError> {
        let listen = |kind| signal(kind).map_err(StartError::Runtime);
        let (mut hangup, mut terminate) = (listen(SignalKind::hangup())?, listen(SignalKind::terminate())?);
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut looks = tokio::time::interval(LOOK);
        let mut lost = 0;
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                _ = looks.tick() => {
                    lost = if self.gate.live().records.is_lost() { lost + 1 } else { 0 };
                    if lost > LOOKS_LOST {
                        return Err(StartError::StoreFailed);
                    }
                }
                // The result is in the log, in the metrics and at `/readyz`.
                _ = hangup.recv() => drop(self.reloader.reload("SIGHUP").await),
            }
        }
    }

    /// Stops accepting, lets requests in flight finish, writes everything down and lets go of the store.
    pub async fn stop(self) {
        self.readiness.send_modify(|readiness| readiness.ready = false);
        let sidecar = async {
            if let Some(sidecar) = self.sidecar {
                sidecar.stop(DRAIN).await;
            }
        };
        let edge = async {
            if let Some(edge) = self.edge {
                edge.stop(DRAIN).await;
            }
        };
        tokio::join!(sidecar, edge);
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("background tasks did not finish in time");
        }
        // Before the store: whoever holds the store next writes the trail.
        let trail = self.trail;
        let _ = tokio::task::spawn_blocking(move || drop(trail)).await;
        if let Err(error) = self.gate.store().close().await {
            tracing::error!(%error, "the store did not close cleanly");
        }
    }
}
