//! `panelgate audit archive`.

use std::{fs, io, path::Path};

use data_encoding::HEXLOWER;

use super::{Taken, check::place as place_of, failed, own_key};
use crate::{
    app::admin::AdminRequest,
    cli::{
        arguments::Output,
        connect::Place,
        verdict::{Trouble, json},
    },
    clock::Wall,
    telemetry::trail::{self, Check},
};

/// What has to hold of the trail before anything is moved.
fn check(place: &Place, taken: &Taken) -> Result<Check, Trouble> {
    let keys = if taken.key.is_empty() { own_key(place.data_dir())? } else { taken.key.clone() };
    let (against, accepted) = (taken.after.into_iter().collect(), taken.accept.clone());
    Ok(Check { keys, against, accepted, ..Check::default() })
}

/// First the files are written there, then the trail says so, then they are removed here: whenever this is interrupted,
/// nothing is missing that it does not say, and it says nothing that is not so.
pub(super) fn archive(
    place: &Place,
    before: Wall,
    to: &Path,
    taken: &Taken,
    output: Output,
) -> Result<String, Trouble> {
    let folder = trail::folder(place.data_dir());
    let unreadable = |error: io::Error| failed(&folder, &error);
    let to = std::path::absolute(to).map_err(unreadable)?;
    let found = trail::archivable(&folder, before, &check(place, taken)?).map_err(unreadable)?;
    if let Some(first) = found.findings.first() {
        return Err(Trouble::No(format!(
            "the audit trail is not intact, and what is moved away could not be told from what is missing: {}: {} ({} findings, \
             see `panelgate audit verify`); nothing was moved",
            place_of(first),
            first.kind,
            found.findings.len()
        )));
    }
    if found.files.is_empty() {
        return Err(Trouble::No("no closed file is that old; the newest one is always kept".into()));
    }
    let files = found.files.len();
    let shown = to.display().to_string();
    let cannot = |file: &Path, error: &io::Error| {
        Trouble::Failed(format!("{} cannot be moved to {shown}: {error}; run this again", file.display()))
    };
    if trail::is_within(&to, &folder).map_err(|error| failed(&to, &error))? {
        let folder = folder.display();
        return Err(Trouble::No(format!(
            "{shown} is in the folder of the trail itself ({folder}); name another one, best on another disk; nothing was moved"
        )));
    }
    for file in &found.files {
        trail::copy_away(file, &to).map_err(|error| cannot(file, &error))?;
    }
    let (to_seq, to_hash) = (found.to.seq, HEXLOWER.encode(&found.to.hash));
    place.ask(AdminRequest::NoteArchived { to: to_seq, to_hash, folder: shown.clone(), files })?;
    for file in &found.files {
        fs::remove_file(file).map_err(|error| cannot(file, &error))?;
    }
    if output.json {
        return json(
            &serde_json::json!({ "files": files, "to": found.to.seq, "folder": shown, "after": found.after.to_string() }),
        );
    }
    let after = match found.after.seq {
        0 => String::new(),
        _ => format!(" --after {}", found.after),
    };
    Ok(format!(
        "{files} files, up to record {}, are in {shown} now\nverify them there: panelgate audit verify --folder {shown}{after}\n",
        found.to.seq
    ))
}
