//! Directories that are cleared away, also those of runs that were killed.

use std::{fs, path::PathBuf, process};

const PREFIX: &str = "panelgate-it-";

/// A fresh directory of this test run. It stays short, as the path of a Unix socket must (108 bytes), and is removed by
/// the next run: other processes still use it while this one ends.
pub(crate) fn directory(name: &str) -> PathBuf {
    let root = std::env::temp_dir();
    remove_those_of_the_dead(&root);
    let directory = root.join(format!("{PREFIX}{}", process::id())).join(name);
    fs::create_dir_all(&directory).expect("the temporary directory is writable");
    directory
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn remove_those_of_the_dead(root: &PathBuf) {
    for entry in fs::read_dir(root).expect("the temporary directory is readable").flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        if !PathBuf::from("/proc").join(pid).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
