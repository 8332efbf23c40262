//! Composition: the only place that names concrete stores, chooses the clock, spawns tasks and binds listeners.

mod accounts;
pub mod admin;
pub mod backup;
mod compose;
mod error;
mod handover;
mod health;
mod impersonations;
mod journal;
mod logins;
mod notice;
mod reload;
mod running;
mod systemd;
mod tasks;
mod traces;
mod translate;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::compose::Beginning;
pub(crate) use self::{
    compose::{keys_dir, store_file},
    translate::{sight, spared},
};
pub use self::{
    error::StartError,
    handover::{Predecessor, Program},
    health::Readiness,
    reload::Reloader,
    running::Running,
    systemd::passed_sockets,
};
use crate::{
    config::{Environment, Settings},
    doors::Socket,
};

/// What a daemon is given beside its configuration.
pub struct Given {
    /// Itself, so that it can be started again to take over.
    pub program: Program,
    /// Listening sockets from systemd.
    pub sockets: Vec<Socket>,
    /// The process that it takes over from.
    pub predecessor: Option<Predecessor>,
}

/// Runs the daemon until SIGTERM or SIGINT; SIGHUP reloads, and SIGUSR2 lets a new process take over.
///
/// # Errors
/// When it cannot start; once it runs, nothing that happens is an error here.
pub fn run(settings: Settings, environment: Environment, given: Given) -> Result<(), StartError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(StartError::Runtime)?;
    let Given { program, mut sockets, mut predecessor } = given;
    if let Some(predecessor) = &mut predecessor {
        sockets.extend(predecessor.take_sockets());
    }
    let told = predecessor.as_ref().map(Predecessor::again).transpose().map_err(StartError::Runtime)?;
    runtime.block_on(async {
        let started = start_with(settings, environment, Beginning { sockets, predecessor }).await;
        if let (Err(error), Some(predecessor)) = (&started, &told) {
            predecessor.refuse(&error.to_string());
        }
        drop(told);
        started?.serve(&program).await
    })
}

/// Starts everything and returns when it serves.
///
/// # Errors
/// With what could not be opened, read or bound; nothing keeps running then.
pub async fn start(settings: Settings, environment: Environment) -> Result<Running, StartError> {
    start_with(settings, environment, Beginning::default()).await
}

async fn start_with(
    settings: Settings,
    environment: Environment,
    beginning: Beginning,
) -> Result<Running, StartError> {
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    // Whatever was started before something failed must not go on alone.
    let guard = stop.clone().drop_guard();
    let running = compose::compose(settings, environment, beginning, stop, tasks).await?;
    let _ = guard.disarm();
    running.readiness.send_replace(Readiness::Ready);
    Ok(running)
}
