//! The files that are read, and what was found in them.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::{
    Environment,
    named::{FileKind, NamedFile},
    secrets::LEAST_BYTES,
    yaml,
};
use crate::{
    feeds::files,
    rules::{
        policy::{RuleSet, testing::Beside},
        written::{At, Findings, Node, Written},
    },
    secret::SecretText,
};

/// Everything that is read on the way to settings.
pub(super) struct Sources<'e> {
    pub(super) environment: &'e Environment,
    pub(super) found: Findings,
    pub(super) texts: BTreeMap<Arc<str>, Arc<str>>,
    /// Every file that was looked at.
    pub(super) files: Vec<PathBuf>,
    /// What they are, and where they are named.
    pub(super) named: Vec<NamedFile>,
    /// Where something listens.
    pub(super) listening: Vec<Written<SocketAddr>>,
    /// Policies that were read; `None` where they cannot be used.
    pub(super) policies: BTreeMap<PathBuf, Option<Arc<RuleSet>>>,
    /// The tests beside them, by the policy.
    pub(super) tests: BTreeMap<PathBuf, Beside>,
    /// What was found in those, which keeps nothing from being used.
    pub(super) found_in_tests: Findings,
}

impl<'e> Sources<'e> {
    pub(super) fn new(environment: &'e Environment) -> Self {
        let (found, texts, files, named, policies) = Default::default();
        let (listening, tests, found_in_tests) = Default::default();
        Self { environment, found, texts, files, named, listening, policies, tests, found_in_tests }
    }

    /// Reads a YAML file into a tree. `named` is the place that names it, unless the command line does.
    pub(super) fn open(&mut self, path: &Path, named: Option<&At>) -> Option<Node> {
        self.files.push(path.to_owned());
        let source: Arc<str> = path.display().to_string().into();
        let text: Arc<str> = match read(path) {
            Ok(text) => text.into(),
            Err(error) => {
                let (at, what) = match named {
                    Some(at) => (at.clone(), format!("{source} cannot be read: {error}")),
                    None => (At::source(&source), format!("cannot be read: {error}")),
                };
                let known = [
                    (io::ErrorKind::NotFound, "make it, or name another"),
                    (io::ErrorKind::InvalidData, "save it as UTF-8"),
                    (io::ErrorKind::PermissionDenied, "let the user that panelgate runs as read it"),
                ];
                let known = known.into_iter().find(|(kind, _)| *kind == error.kind());
                let help = known.map_or("name a file that panelgate can read", |(_, help)| help);
                self.found.error("C001", &at, what, help);
                return None;
            }
        };
        self.take(source, text)
    }

    /// Takes the text of a YAML file.
    pub(super) fn take(&mut self, source: Arc<str>, text: Arc<str>) -> Option<Node> {
        self.texts.insert(Arc::clone(&source), Arc::clone(&text));
        yaml::parse(&source, &text, &mut self.found)
    }

    /// Reads a secret of at least [`LEAST_BYTES`]: the file's content without surrounding white space. `at` is the key
    /// that names the file.
    pub(super) fn secret(&mut self, path: &Path, at: &At) -> Option<SecretText> {
        let secret = self.password(path, at)?;
        let bytes = secret.expose().len();
        if bytes < LEAST_BYTES {
            let what = format!("the secret in {} has {bytes} bytes", path.display());
            self.found.error("C022", at, what, "use at least 32: `openssl rand -hex 32`");
            return None;
        }
        Some(secret)
    }

    /// Reads a secret that others have chosen, of any length.
    pub(super) fn password(&mut self, path: &Path, at: &At) -> Option<SecretText> {
        self.files.push(path.to_owned());
        self.name(FileKind::Secret, path, at);
        let shown = path.display();
        let text = match read(path).map(SecretText::from) {
            Ok(text) => text,
            Err(error) => {
                let help = "make it with `openssl rand -hex 32`, readable by panelgate alone (chmod 600)";
                let credentials = self.environment.get("CREDENTIALS_DIRECTORY");
                let help = credentials.map_or_else(
                    || help.to_owned(),
                    |folder| format!("{help}; {folder} has no credential of this name either"),
                );
                self.found.error("C020", at, format!("the secret in {shown} cannot be read: {error}"), help);
                return None;
            }
        };
        self.keep_private(path, at);
        Some(SecretText::from(text.expose().trim().to_owned()))
    }

    /// Refuses a file with a secret that every user of the machine may read or change.
    pub(super) fn keep_private(&mut self, path: &Path, at: &At) {
        let mode = fs::metadata(path).map_or(0, |found| found.permissions().mode());
        if mode & 0o007 != 0 {
            let shown = path.display();
            let help = format!("chmod o= {shown}");
            self.found.error("C021", at, format!("the secret in {shown} can be read by every user"), help);
        }
    }

    /// Notes a file of certificates that must be there and hold at least one.
    pub(super) fn certificates(&mut self, path: PathBuf, at: &At) -> PathBuf {
        self.name(FileKind::Certificate, &path, at);
        let holds = |text: &str| {
            let mut found = CertificateDer::pem_slice_iter(text.as_bytes()).peekable();
            found.peek().is_some() && found.all(|found| found.is_ok())
        };
        self.pem(path, at, "a certificate", holds)
    }

    /// Notes a file that must be there and hold a private key.
    pub(super) fn key(&mut self, path: PathBuf, at: &At) -> PathBuf {
        self.name(FileKind::Key, &path, at);
        self.pem(path, at, "a private key", |text| PrivateKeyDer::from_pem_slice(text.as_bytes()).is_ok())
    }

    fn pem(&mut self, path: PathBuf, at: &At, kind: &str, holds: impl Fn(&str) -> bool) -> PathBuf {
        self.files.push(path.clone());
        match read(&path).map(SecretText::from) {
            Ok(text) if holds(text.expose()) => {}
            Ok(_) => {
                let what = format!("{} does not hold {kind}", path.display());
                self.found.error("C024", at, what, "name a PEM file (`-----BEGIN …`)");
            }
            Err(error) => self.unreadable(&path, at, &error),
        }
        path
    }

    fn unreadable(&mut self, path: &Path, at: &At, error: &io::Error) {
        let what = format!("{} cannot be read: {error}", path.display());
        self.found.error("C023", at, what, "name a file that panelgate can read");
    }

    /// Notes a file of an issuer's keys, which must be there and readable.
    pub(super) fn key_set(&mut self, path: PathBuf, at: &At) -> PathBuf {
        self.name(FileKind::KeySet, &path, at);
        if let Err(error) = files::open(&path) {
            self.unreadable(&path, at, &error);
        }
        self.files.push(path.clone());
        path
    }
}

/// A file's text, if it is one of at most [`yaml::MAX_BYTES`] and a bit: whoever parses it says that it is too large.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let most = u64::try_from(yaml::MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    files::open(path)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}
