//! Secrets: in a file that the configuration names, or, less well, in the configuration itself.

use std::path::{Path, PathBuf};

use super::{
    named::FileKind,
    read::{Base, CODES},
    sources::Sources,
};
use crate::{
    rules::written::{At, Fields, Written},
    secret::SecretText,
};

/// A shorter secret can be guessed.
pub(super) const LEAST_BYTES: usize = 32;

/// Under which two keys a secret may be given.
#[derive(Clone, Copy)]
pub(super) struct Keys {
    value: &'static str,
    file: &'static str,
    /// In bytes.
    least: usize,
}

/// What both sides share: at least [`LEAST_BYTES`].
pub(super) const SECRET: Keys = Keys { value: "secret", file: "secret_file", least: LEAST_BYTES };
/// What others have chosen.
pub(super) const PASSWORD: Keys = Keys { value: "password", file: "password_file", least: 0 };

/// A secret that was written; `secret` is `None` where it cannot be used, which has been said.
pub(super) struct Given {
    pub(super) at: At,
    pub(super) secret: Option<SecretText>,
}

/// Reads a secret; `None` if neither key is there.
pub(super) fn read(
    fields: &mut Fields<'_>,
    keys: Keys,
    base: Base<'_>,
    sources: &mut Sources<'_>,
) -> Option<Given> {
    let (value, file) =
        (fields.text(keys.value, &mut sources.found), fields.text(keys.file, &mut sources.found));
    match (value, file) {
        (None, None) => None,
        (Some(value), Some(file)) => {
            let what = format!("`{}` and `{}` are both there", keys.value, keys.file);
            let help =
                format!("keep one of them, rather `{}`: whoever reads this file sees the other", keys.file);
            sources.found.error("C026", &file.at, what, help);
            Some(Given { at: value.at, secret: None })
        }
        (Some(value), None) => {
            let secret = inline(&value, keys, sources);
            Some(Given { at: value.at, secret })
        }
        (None, Some(file)) => {
            let path = sources.secret_path(base, &file);
            let secret = if keys.least > 0 {
                sources.secret(&path, &file.at)
            } else {
                sources.password(&path, &file.at)
            };
            Some(Given { at: file.at, secret })
        }
    }
}

/// Reads a secret that must be there.
pub(super) fn require(
    fields: &mut Fields<'_>,
    keys: Keys,
    base: Base<'_>,
    help: &str,
    sources: &mut Sources<'_>,
) -> Option<SecretText> {
    let Some(given) = read(fields, keys, base, sources) else {
        let what = format!("`{}` is missing in {}", keys.file, fields.what());
        sources.found.error(CODES.missing, &fields.at, what, help);
        return None;
    };
    given.secret
}

fn inline(value: &Written<&str>, keys: Keys, sources: &mut Sources<'_>) -> Option<SecretText> {
    if value.at.line > 0 {
        let path = PathBuf::from(&*value.at.source);
        sources.name(FileKind::Secret, &path, &value.at);
        sources.keep_private(&path, &value.at);
    }
    let bytes = value.value.len();
    if bytes < keys.least {
        let what = format!("the secret has {bytes} bytes");
        sources.found.error("C022", &value.at, what, "use at least 32: `openssl rand -hex 32`");
        return None;
    }
    Some(SecretText::from(value.value.to_owned()))
}

impl Sources<'_> {
    /// The file of a secret: a name without a folder is a systemd credential if there is one of this name, and a file
    /// beside the configuration otherwise.
    pub(super) fn secret_path(&self, base: Base<'_>, text: &Written<&str>) -> PathBuf {
        let credential = || {
            let folder = self.environment.get("CREDENTIALS_DIRECTORY").map(Path::new)?;
            Some(folder.join(text.value)).filter(|path| !text.value.contains('/') && path.is_file())
        };
        credential().unwrap_or_else(|| base.path(text))
    }
}
