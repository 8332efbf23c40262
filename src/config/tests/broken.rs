//! Broken files under `tests/data/broken`: what is said about each is compared word for word with the `.txt` beside it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::config::{Environment, Loaded, Problems, load, load_policy};

#[test]
fn every_mistake_in_a_policy_is_answered_with_place_and_mend() {
    compare("policies", 25, |path| match load_policy(path, &Environment::new()) {
        Ok((_, warnings)) => warnings.to_string(),
        Err(problems) => problems.to_string(),
    });
}

#[test]
fn every_mistake_in_a_configuration_is_answered_with_place_and_mend() {
    compare("configurations", 20, |path| said(load(path, &Environment::new())));
}

fn said(loaded: Result<Loaded, Problems>) -> String {
    loaded.map_or_else(|problems| problems.to_string(), |loaded| loaded.warnings.to_string())
}

fn compare(kind: &str, least: usize, look: impl Fn(&Path) -> String) {
    let broken = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/broken");
    let folder = tempfile::tempdir().unwrap();
    copy(&broken.join("beside"), folder.path());
    copy(&broken.join(kind), folder.path());
    let shown = format!("{}/", folder.path().display());
    let mut wrong = Vec::new();
    let inputs = files(&broken.join(kind), "yaml");
    for input in &inputs {
        let said = look(&folder.path().join(input.file_name().unwrap())).replace(&shown, "");
        assert!(!said.is_empty(), "nothing is said about {}", input.display());
        let expected = fs::read_to_string(input.with_extension("txt")).unwrap_or_default();
        if said != expected {
            wrong.push(format!("=== {}\n{said}", input.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(inputs.len() >= least, "{} inputs", inputs.len());
}

/// Secrets must not be readable by everybody; a checkout makes them so.
fn copy(from: &Path, to: &Path) {
    for file in files(from, "") {
        let copy = to.join(file.file_name().unwrap());
        fs::copy(&file, &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| extension.is_empty() || path.extension().is_some_and(|own| own == extension))
        .collect();
    files.sort();
    files
}
