//! The store, the signing keys, and the API keys in the store.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use rustix::process::geteuid;

use crate::{
    app::{
        self,
        admin::{AdminAnswer, AdminRequest, KeyLine},
    },
    cli::{connect::Place, verdict::Trouble},
    config::{FileKind, NamedFile, Settings},
    feeds::keys,
    rules::written::{At, Findings, hint},
};

/// Who may look.
const RIGHT_USER: &str = "run this as root, or as the user that panelgate runs as";

/// Looks into the data directory, without making anything.
pub(super) fn look(named: &[NamedFile], settings: &Settings, found: &mut Findings) {
    let Some(at) = named.iter().find(|file| file.kind == FileKind::DataDir).map(|file| &file.at) else {
        return;
    };
    signing_keys(&app::keys_dir(&settings.data_dir), at, found);
    if let Some(keys) = api_keys(settings, at, found) {
        scopes(&keys, settings, at, found);
    }
}

fn signing_keys(folder: &Path, at: &At, found: &mut Findings) {
    // Before the first start there are none; whoever may not look is told so about the store.
    if fs::read_dir(folder).is_err() {
        return;
    }
    if let Err(error) = keys::list(folder) {
        found.error("C100", at, error.to_string(), "the gate does not start with such keys");
    }
}

/// The keys in the store, from whoever holds it.
fn api_keys(settings: &Settings, at: &At, found: &mut Findings) -> Option<Vec<KeyLine>> {
    let file = app::store_file(&settings.data_dir);
    let shown = file.display();
    let owner = match fs::metadata(&file) {
        Ok(metadata) => metadata.uid(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            found.note("C099", at, format!("{shown} is not there yet"), "it is made at the first start");
            return None;
        }
        Err(error) => {
            found.note("C099", at, format!("the store was not looked at: {shown}: {error}"), RIGHT_USER);
            return None;
        }
    };
    let me = geteuid();
    if !me.is_root() && me.as_raw() != owner {
        let what = format!("the store was not looked at: {shown} belongs to user {owner}");
        found.note("C099", at, what, RIGHT_USER);
        return None;
    }
    match Place::of(settings).ask(AdminRequest::ListKeys { user: None }) {
        Ok(AdminAnswer::Keys { keys }) => return Some(keys),
        Ok(_) => {}
        Err(Trouble::Failed(why) | Trouble::No(why) | Trouble::Usage(why) | Trouble::Report(why)) => {
            found.error("C098", at, why, "the gate does not start without its store");
        }
    }
    None
}

/// Scopes of keys that no page of their site names any more.
fn scopes(keys: &[KeyLine], settings: &Settings, at: &At, found: &mut Findings) {
    for key in keys.iter().filter(|key| !key.expired) {
        let Some(site) = settings.sites.iter().find(|site| *site.site.id == *key.site) else { continue };
        let known = site.site.policy.scopes();
        let known: Vec<&str> = known.iter().map(|scope| &**scope).collect();
        for scope in key.scopes.iter().filter(|scope| !known.contains(&scope.as_str())) {
            let what = format!(
                "the key {} of {} has the scope `{scope}`, which no page of `{}` names",
                key.id, key.user, key.site
            );
            found.warning("C102", at, what, hint(scope, &known));
        }
    }
}
