//! Why the daemon does not start.

use std::{io, path::PathBuf};

use crate::store::StoreError;

/// Why the daemon does not start. The text says what to mend.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No runtime or signal handler.
    #[error("the runtime cannot be started: {0}")]
    Runtime(#[source] io::Error),
    /// The data directory cannot be used.
    #[error("`data_dir` {} cannot be used: {source}; make it and give it to the user that panelgate runs as", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store cannot be opened.
    #[error("{}: {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// The audit trail cannot be written, and nothing is done that cannot be accounted for.
    #[error("the audit trail cannot be written: {0}")]
    Trail(#[source] io::Error),
    /// The store has failed while the gate ran; every request was refused since.
    #[error(
        "the store has failed, so the gate was closed and the process ends: mend what the log says, and start it again"
    )]
    StoreFailed,
    /// A listener cannot be bound.
    #[error("`{key}` cannot listen on {address}: {source}")]
    Listen {
        /// The configuration key.
        key: &'static str,
        /// Address or path.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// Something else that the configuration names; the text says it all.
    #[error("{0}")]
    Other(String),
}
