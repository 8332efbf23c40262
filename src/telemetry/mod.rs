//! How logs are written: to standard error, for people or for machines, never with a secret in them. What has to be
//! accounted for also goes into the audit trail.

mod audit;
mod one_line;
mod relay;
pub mod trail;

pub use self::{
    audit::{Attached, Recorder, Task, attach, flush, problem, take_in},
    relay::{Distant, Outbox, Relay},
};
use std::sync::OnceLock;

use self::one_line::OneLine;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, registry, reload, util::SubscriberInitExt};

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging at `level` (`error` … `trace`) for our own code; libraries speak from `warn` on.
///
/// A second call changes nothing: the first one in a process counts.
pub fn start(format: Format, level: &str) {
    let (filter, handle) = reload::Layer::new(filter(level));
    let lines = tracing_subscriber::fmt::layer().with_writer(|| OneLine(std::io::stderr()));
    let lines = match format {
        Format::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    if registry().with(audit::AuditLayer).with(lines.with_filter(filter)).try_init().is_ok() {
        let turn = move |filter| {
            // It is as old as the process.
            let _ = handle.reload(filter);
        };
        let _ = TURN.set(Box::new(turn));
    }
}

/// Another level, from the next line on. Without a log nothing happens.
pub fn set_level(level: &str) {
    if let Some(turn) = TURN.get() {
        turn(filter(level));
    }
}

/// How what is logged is chosen anew.
type Turn = Box<dyn Fn(EnvFilter) + Send + Sync>;

static TURN: OnceLock<Turn> = OnceLock::new();

/// Failures are logged at every level: whoever turns the log down does not mean to blind fail2ban.
fn filter(level: &str) -> EnvFilter {
    EnvFilter::try_new(format!(
        "warn,panelgate={level},panelgate::failure=warn,pingora_core=error,pingora_proxy=error"
    ))
    .unwrap_or_else(|_| EnvFilter::new("warn,panelgate=info"))
}

/// Starts without a log, for a command that does what has to be accounted for.
pub fn start_quiet() {
    let _ = registry().with(audit::AuditLayer).try_init();
}
