//! The demo: edge, sidecar and a sample panel in one process, with accounts, keys and certificates made on the spot.
//!
//! It writes an ordinary configuration and policy into its directory and starts the same daemon as `serve` does.

mod certificates;
mod issuer;
pub mod panel;
mod people;
mod place;
mod report;
#[cfg(test)]
mod tests;
pub mod tour;

#[cfg(test)]
pub(crate) use self::place::sample_configuration;
use std::{io, path::PathBuf, sync::Arc, time::Duration};

use tokio::net::TcpListener;

use self::{
    people::Person,
    place::{Place, Ports},
    report::Report,
};
use crate::{
    app::{self, Running},
    clock::{Clock, SystemClock, Wall},
    config::{self, Environment},
    entropy::SystemEntropy,
};

/// How often free ports are chosen anew when somebody else was faster.
const ATTEMPTS: usize = 5;

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything is kept; a temporary directory that goes away if there is none.
    pub dir: Option<PathBuf>,
    /// Edge, sidecar, panel and metrics get this port and the next three; 0 takes free ones.
    pub port_base: Option<u16>,
    /// Whether the first line of the output is one JSON object.
    pub json: bool,
    /// Whether the sample panel keeps its users, and the gate asks it who somebody is.
    pub panel_login: bool,
    /// Whether to be killed when the process that started this one is gone: for the tour.
    pub with_parent: bool,
}

/// Why the demo does not run. The text says what to mend.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file or directory of the demo.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A port.
    #[error("port {port} cannot be used: {source}; choose others with --port-base, 0 for any")]
    Port {
        /// Which.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The configuration that the demo wrote, with what the environment says, cannot be used.
    #[error("{0}")]
    Config(config::Problems),
    /// The daemon.
    #[error(transparent)]
    Start(#[from] app::StartError),
    /// Anything else; the text says it all.
    #[error("{0}")]
    Other(String),
}

/// Runs the demo until SIGINT or SIGTERM.
///
/// # Errors
/// When it cannot start.
pub fn run(options: &Options, environment: &Environment) -> Result<(), DemoError> {
    if options.with_parent {
        // Without it a tour that is killed leaves a demo behind, nothing worse.
        let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    }
    runtime()?.block_on(async {
        let place = Place::open(options.dir.as_deref())?;
        let _lock = place.lock()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let people = people::load_or_make(&place, &SystemEntropy)?;
        let starting = Box::pin(start(options, environment, &place, &people, &*clock));
        let (running, report, listener) = starting.await?;
        let members = options.panel_login.then(|| people.iter().map(Person::member).collect());
        let panel = async {
            report.print(options.json, clock.wall());
            panel::serve(listener, Arc::clone(&clock), members).await
        };
        let outcome = tokio::select! {
            // First, so that signals are listened for before anybody is told where we are.
            biased;
            stopped = running.until_stopped() => Ok(stopped?),
            served = panel => served.map_err(|error| DemoError::Other(format!("the sample panel ended: {error}"))),
            () = show_codes(options, &report, &*clock) => Ok(()),
        };
        running.stop().await;
        outcome
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, DemoError> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|source| DemoError::Other(format!("the runtime cannot be started: {source}")))
}

/// Starts the daemon; with free ports, tries again when one of them was taken in between.
async fn start(
    options: &Options,
    environment: &Environment,
    place: &Place,
    people: &[Person],
    clock: &dyn Clock,
) -> Result<(Running, Report, TcpListener), DemoError> {
    certificates::make(place, clock.wall())?;
    issuer::make(place)?;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let (ports, listener) = Ports::choose(options.port_base).await?;
        place.write_configuration(ports, options.panel_login)?;
        let loaded = config::load(&place.config(), environment).map_err(DemoError::Config)?;
        let report = Report::new(place, ports, &loaded.settings.admin_socket, people);
        match app::start(loaded.settings, environment.clone()).await {
            Ok(running) => {
                people::seed(&running.gate, people, options.panel_login, clock.wall()).await?;
                return Ok((running, report, listener));
            }
            Err(app::StartError::Listen { .. }) if options.port_base == Some(0) && attempt < ATTEMPTS => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Prints the codes again whenever they change, if somebody is looking.
async fn show_codes(options: &Options, report: &Report, clock: &dyn Clock) {
    if options.json || !report::somebody_looks() {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(until_next_code(clock.wall())).await;
        report.print_codes(clock.wall());
    }
}

/// Until the authenticator app shows another code.
fn until_next_code(now: Wall) -> Duration {
    Duration::from_millis(30_000 - now.millis() % 30_000)
}
