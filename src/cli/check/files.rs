//! Who else may read or change the files that everything hangs on.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::{
    config::{FileKind, NamedFile},
    rules::written::{At, Findings},
};

/// Others: read, write, use.
const OTHERS: u32 = 0o007;
/// Written by the group or by others.
const WRITTEN: u32 = 0o022;
/// In such a folder others can make files, and not replace those of somebody else.
const STICKY: u32 = 0o1000;

/// Looks at the permissions of the configuration and of every file that it names.
pub(super) fn look(config: &Path, named: &[NamedFile], found: &mut Findings) {
    changed_by_others(config, &At::source(&config.display().to_string()), found);
    let mut seen: Vec<&Path> = vec![config];
    for file in named {
        // One that several places name is said once.
        if seen.contains(&file.path.as_path()) {
            continue;
        }
        seen.push(&file.path);
        match file.kind {
            FileKind::Policy
            | FileKind::Certificate
            | FileKind::Places
            | FileKind::Systems
            | FileKind::KeySet
            | FileKind::Secret => {
                changed_by_others(&file.path, &file.at, found);
            }
            FileKind::Key => private(&file.path, &file.at, found),
            FileKind::CertificateFolder => {
                for key in keys_in(&file.path) {
                    private(&key, &file.at, found);
                }
            }
            FileKind::DataDir => data_dir(&file.path, &file.at, found),
            FileKind::AdminSocket => folder_of_socket(&file.path, &file.at, found),
        }
    }
}

fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|found| found.permissions().mode() & 0o7777)
}

fn changed_by_others(path: &Path, at: &At, found: &mut Findings) {
    let Some(mode) = mode(path).filter(|mode| mode & WRITTEN != 0) else { return };
    let shown = path.display();
    let what = format!("{shown} can be changed by others than its owner (mode {mode:03o})");
    found.warning("C090", at, what, format!("chmod go-w {shown}"));
}

fn private(path: &Path, at: &At, found: &mut Findings) {
    let Some(mode) = mode(path).filter(|mode| mode & (OTHERS | WRITTEN) != 0) else { return };
    let shown = path.display();
    let what = format!("the private key {shown} can be used by others (mode {mode:03o})");
    found.warning(
        "C090",
        at,
        what,
        format!("chmod 600 {shown}, and make a new key if somebody may have read it"),
    );
}

fn keys_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut keys: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "key")).collect();
    keys.sort();
    keys
}

fn data_dir(path: &Path, at: &At, found: &mut Findings) {
    let Some(mode) = mode(path).filter(|mode| mode & 0o077 != 0) else { return };
    let shown = path.display();
    let what = format!("{shown}, which holds the store and the keys, is open to others (mode {mode:03o})");
    found.warning("C091", at, what, format!("chmod 700 {shown}"));
}

fn folder_of_socket(socket: &Path, at: &At, found: &mut Findings) {
    let Some(folder) = socket.parent() else { return };
    let Some(mode) = mode(folder).filter(|mode| mode & WRITTEN != 0 && mode & STICKY == 0) else { return };
    let shown = folder.display();
    let what = format!("others could put a socket of their own into {shown} (mode {mode:03o})");
    found.warning(
        "C091",
        at,
        what,
        format!("chmod go-w {shown}, or name another folder under `admin.socket`"),
    );
}
