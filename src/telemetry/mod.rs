//! How logs are written: to standard error, for people or for machines, never with a secret in them. What has to be
//! accounted for also goes into the audit trail.

mod audit;
pub mod trail;

pub use self::audit::{Attached, attach, flush};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, registry, util::SubscriberInitExt};

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
    let filter = EnvFilter::try_new(format!("warn,panelgate={level},pingora_core=error,pingora_proxy=error"))
        .unwrap_or_else(|_| EnvFilter::new("warn,panelgate=info"));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        Format::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    let _ = registry().with(audit::AuditLayer).with(lines.with_filter(filter)).try_init();
}

/// Starts without a log, for a command that does what has to be accounted for.
pub fn start_quiet() {
    let _ = registry().with(audit::AuditLayer).try_init();
}
