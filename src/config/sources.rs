//! The files that are read, and what was found in them.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Environment, yaml};
use crate::{
    rules::written::{At, Findings, Node},
    secret::SecretText,
};

/// A shorter secret can be guessed.
const SECRET_BYTES: usize = 32;

/// Everything that is read on the way to settings.
pub(super) struct Sources<'e> {
    pub(super) environment: &'e Environment,
    pub(super) found: Findings,
    pub(super) texts: BTreeMap<Arc<str>, Arc<str>>,
    /// Every file that was looked at.
    pub(super) files: Vec<PathBuf>,
}

impl<'e> Sources<'e> {
    pub(super) fn new(environment: &'e Environment) -> Self {
        Self { environment, found: Findings::default(), texts: BTreeMap::new(), files: Vec::new() }
    }

    /// Reads a YAML file into a tree.
    pub(super) fn open(&mut self, path: &Path) -> Option<Node> {
        self.files.push(path.to_owned());
        let source: Arc<str> = path.display().to_string().into();
        let text: Arc<str> = match fs::read_to_string(path) {
            Ok(text) => text.into(),
            Err(error) => {
                let help =
                    if error.kind() == io::ErrorKind::NotFound { "make it, or name another" } else { "" };
                self.found.error("C001", &At::source(&source), format!("cannot be read: {error}"), help);
                return None;
            }
        };
        self.texts.insert(Arc::clone(&source), Arc::clone(&text));
        yaml::parse(&source, &text, &mut self.found)
    }

    /// Reads a secret: the file's content without surrounding white space. `at` is the key that names the file.
    pub(super) fn secret(&mut self, path: &Path, at: &At) -> Option<SecretText> {
        self.files.push(path.to_owned());
        let shown = path.display();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let help = "make it with `openssl rand -hex 32`, readable by panelgate alone (chmod 600)";
                self.found.error("C020", at, format!("the secret in {shown} cannot be read: {error}"), help);
                return None;
            }
        };
        let mode = fs::metadata(path).map_or(0, |found| found.permissions().mode());
        if mode & 0o007 != 0 {
            let help = format!("chmod o= {shown}");
            self.found.error("C021", at, format!("the secret in {shown} can be read by every user"), help);
        }
        let secret = text.trim();
        if secret.len() < SECRET_BYTES {
            let what = format!("the secret in {shown} has {} characters", secret.len());
            self.found.error("C022", at, what, "use at least 32: `openssl rand -hex 32`");
            return None;
        }
        Some(SecretText::from(secret.to_owned()))
    }

    /// Notes a file that must be there and readable.
    pub(super) fn file(&mut self, path: PathBuf, at: &At) -> PathBuf {
        if let Err(error) = fs::File::open(&path) {
            let what = format!("{} cannot be read: {error}", path.display());
            self.found.error("C023", at, what, "name a file that panelgate can read");
        }
        self.files.push(path.clone());
        path
    }
}
