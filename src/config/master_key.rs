//! Where the master key comes from, if not from the keys directory: a file, the environment, or a systemd credential.

use std::path::Path;

use super::{read::Base, sources::Sources};
use crate::{
    feeds::keys::{GivenMaster, master},
    rules::written::{At, Fields, Findings, Written},
    secret::{SecretBytes, SecretText},
};

/// What one of the two keys is called in each of its places.
struct Names {
    key: &'static str,
    variable: &'static str,
    credential: &'static str,
}

const CURRENT: Names =
    Names { key: "master_key_file", variable: "PANELGATE_MASTER_KEY", credential: "master-key" };
const OLDER: Names =
    Names { key: "master_key_old_file", variable: "PANELGATE_MASTER_KEY_OLD", credential: "master-key-old" };

/// A key and where it was found.
struct Found {
    at: At,
    from: String,
    key: Option<SecretBytes>,
}

/// Reads the master key and the one before it.
pub(super) fn read(
    fields: &mut Fields<'_>,
    base: Base<'_>,
    sources: &mut Sources<'_>,
) -> Option<GivenMaster> {
    let [current, older] = [CURRENT, OLDER].map(|names| {
        let file = fields.text(names.key, &mut sources.found);
        only(&names, file.as_ref(), base, sources)
    });
    let Some(current) = current else {
        if let Some(older) = older {
            let what = format!("there is an older master key from {}, but no current one", older.from);
            let help = format!("give the current one as well: {} or `{}`", CURRENT.variable, CURRENT.key);
            sources.found.error("C082", &older.at, what, help);
        }
        return None;
    };
    Some(GivenMaster { from: current.from, current: current.key?, older: older.and_then(|older| older.key) })
}

/// The one place where a key is; several are a mistake, whichever they are.
fn only(
    names: &Names,
    file: Option<&Written<&str>>,
    base: Base<'_>,
    sources: &mut Sources<'_>,
) -> Option<Found> {
    let mut places: Vec<Found> = Vec::new();
    if let Some(file) = file {
        let from = format!("`{}: {}`", names.key, file.value);
        let text = sources.secret(&sources.secret_path(base, file), &file.at);
        places.push(Found::read(from, file.at.clone(), text, &mut sources.found));
    }
    if let Some(text) = sources.environment.get(names.variable) {
        let at = At::source(&format!("environment {}", names.variable));
        let text = Some(SecretText::from(text.clone()));
        places.push(Found::read(names.variable.to_owned(), at, text, &mut sources.found));
    }
    let folder = sources.environment.get("CREDENTIALS_DIRECTORY").map(Path::new);
    if let Some(path) = folder.map(|folder| folder.join(names.credential)).filter(|path| path.exists()) {
        let at = At::source(&format!("systemd credential {}", names.credential));
        let text = sources.secret(&path, &at);
        let from = format!("the systemd credential `{}`", names.credential);
        places.push(Found::read(from, at, text, &mut sources.found));
    }
    if let [first, second, ..] = places.as_slice() {
        let what = format!("there is a master key in {} and another in {}", first.from, second.from);
        sources.found.error("C080", &second.at, what, "keep one of them");
        return None;
    }
    places.pop()
}

impl Found {
    fn read(from: String, at: At, text: Option<SecretText>, found: &mut Findings) -> Self {
        let key = text.as_ref().and_then(|text| master::parse(text.expose()));
        // What cannot be read at all has been said.
        if text.is_some() && key.is_none() {
            let help = "write 32 bytes in base64, as `openssl rand -base64 32` makes them";
            found.error("C081", &at, format!("the master key in {from} is not one"), help);
        }
        Self { at, from, key }
    }
}
