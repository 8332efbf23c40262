//! Broken files under `tests/corpus`: what is said about each is compared word for word with the `.txt` beside it.
//!
//! A line `# environment: NAME=VALUE` in a file sets a variable. After a deliberate change,
//! `cargo test --lib write_the_corpus -- --ignored` writes the texts anew: read the difference.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::config::{Environment, Loaded, Problems, load, load_policy, load_tests};

/// Files that are broken in ways of their own.
const LEAST: usize = 120;

#[test]
fn every_mistake_in_a_policy_is_answered_with_place_and_mend() {
    compare("policies");
}

#[test]
fn every_mistake_in_a_configuration_is_answered_with_place_and_mend() {
    compare("configs");
}

#[test]
fn every_mistake_in_tests_is_answered_with_place_and_mend() {
    compare("tests");
}

#[test]
fn the_corpus_is_large() {
    let inputs = KINDS.map(|kind| files(&corpus().join(kind), "yaml").len());
    assert!(inputs.iter().sum::<usize>() >= LEAST, "{inputs:?}");
}

#[test]
#[ignore = "writes the expected texts anew"]
fn write_the_corpus() {
    for kind in KINDS {
        for (input, said) in all(kind) {
            fs::write(input.with_extension("txt"), said).unwrap();
        }
    }
}

const KINDS: [&str; 3] = ["policies", "configs", "tests"];

fn compare(kind: &str) {
    let mut wrong = Vec::new();
    for (input, said) in all(kind) {
        let shown = input.display();
        if said != fs::read_to_string(input.with_extension("txt")).unwrap_or_default() {
            wrong.push(format!("=== {shown}\n{said}"));
        }
        for problem in said.split("\n\n") {
            assert!(problem.contains("  help: "), "{shown}: nothing says how to mend it\n{problem}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let orphans = files(&corpus().join(kind), "txt");
    let orphans: Vec<_> = orphans.iter().filter(|text| !text.with_extension("yaml").exists()).collect();
    assert!(orphans.is_empty(), "{orphans:?}");
}

/// Every input of a kind with what is said about it.
fn all(kind: &str) -> Vec<(PathBuf, String)> {
    let folder = tempfile::tempdir().unwrap();
    copy(&corpus().join("beside"), folder.path());
    copy(&corpus().join(kind), folder.path());
    let here = folder.path().display().to_string();
    let mut texts = Vec::new();
    for input in files(&corpus().join(kind), "yaml") {
        let path = folder.path().join(input.file_name().unwrap());
        let said = look(kind, &path, &here).replace(&format!("{here}/"), "").replace(&here, ".");
        assert!(!said.is_empty(), "nothing is said about {}", input.display());
        texts.push((input, said));
    }
    texts
}

fn look(kind: &str, path: &Path, here: &str) -> String {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let variables = text.lines().filter_map(|line| line.strip_prefix("# environment: ")?.split_once('='));
    let environment: Environment =
        variables.map(|(name, value)| (name.to_owned(), value.replace("DIR", here))).collect();
    match kind {
        "policies" => match load_policy(path, &environment) {
            Ok((_, warnings)) => warnings.to_string(),
            Err(problems) => problems.to_string(),
        },
        "tests" => {
            let (rules, _) = load_policy(&Path::new(here).join("tested.yaml"), &environment).unwrap();
            load_tests(path, &rules, &environment).map_or_else(|found| found.to_string(), |_| String::new())
        }
        _ => said(load(path, &environment)),
    }
}

fn said(loaded: Result<Loaded, Problems>) -> String {
    loaded.map_or_else(|problems| problems.to_string(), |loaded| loaded.warnings.to_string())
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// Secrets must not be readable by everybody, unless that is what is tested; a checkout makes them so.
fn copy(from: &Path, to: &Path) {
    for file in files(from, "") {
        let name = file.file_name().unwrap().to_str().unwrap();
        let copy = to.join(name);
        fs::copy(&file, &copy).unwrap();
        let mode = if name.starts_with("open") { 0o644 } else { 0o600 };
        fs::set_permissions(&copy, fs::Permissions::from_mode(mode)).unwrap();
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
