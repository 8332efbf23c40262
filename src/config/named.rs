//! The files that a configuration names, with the places that name them: for whoever looks at the files themselves.

use std::path::{Path, PathBuf};

use super::sources::Sources;
use crate::rules::written::At;

/// What a file is to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// Holds a secret.
    Secret,
    /// A private key (PEM).
    Key,
    /// A certificate or a chain of them (PEM).
    Certificate,
    /// A folder of `NAME.crt` and `NAME.key`.
    CertificateFolder,
    /// A MaxMind database of cities or countries.
    Places,
    /// A MaxMind database of autonomous systems.
    Systems,
    /// A trusted issuer's keys (JWKS): whoever changes it can sign in as anybody.
    KeySet,
    /// A policy.
    Policy,
    /// The folder of the store and the keys.
    DataDir,
    /// Where the command line reaches the daemon.
    AdminSocket,
}

/// A file and the place that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// What it is.
    pub kind: FileKind,
    /// Where it is.
    pub path: PathBuf,
    /// The value in the configuration; the beginning of the file where a default counts.
    pub at: At,
}

impl Sources<'_> {
    /// Remembers a file.
    pub(super) fn name(&mut self, kind: FileKind, path: &Path, at: &At) {
        self.named.push(NamedFile { kind, path: path.to_owned(), at: at.clone() });
    }
}
