//! `python3-jsonschema` reads the schemas, too.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value as Json, json};

use crate::config::schema::{CONFIG, POLICY, TESTS};

const SCRIPT: &str = r#"
import json, sys
from jsonschema import Draft202012Validator
asked = json.load(sys.stdin)
Draft202012Validator.check_schema(asked["schema"])
validator = Draft202012Validator(asked["schema"])
said = {name: [error.message for error in validator.iter_errors(document)] for name, document in asked["documents"]}
json.dump(said, sys.stdout)
"#;

/// What the validator says about each document.
fn ask(schema: &str, documents: &[(String, Json)]) -> Json {
    let asked = json!({ "schema": serde_json::from_str::<Json>(schema).unwrap(), "documents": documents });
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().unwrap();
    python.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "scripts/setup.sh test installs python3-jsonschema");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// As an editor reads it.
fn document(text: &str) -> Option<Json> {
    let mut options = serde_saphyr::Options::default();
    options.strict_booleans = true;
    serde_saphyr::from_str_with_options(text, options).ok()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, begin: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let yaml = path.extension().is_some_and(|extension| extension == "yaml");
        yaml && name.starts_with(begin) && !name.contains(".test.")
    };
    entries.filter(wanted).collect()
}

fn read(paths: Vec<PathBuf>) -> Vec<(String, Json)> {
    let one = |path: PathBuf| {
        let text = fs::read_to_string(&path).ok()?;
        Some((path.display().to_string(), document(&text)?))
    };
    paths.into_iter().filter_map(one).collect()
}

#[track_caller]
fn all_valid(schema: &str, documents: Vec<(String, Json)>, least: usize) {
    assert!(documents.len() >= least, "{}", documents.len());
    for (name, errors) in ask(schema, &documents).as_object().unwrap() {
        assert_eq!(*errors, json!([]), "{name}");
    }
}

#[test]
fn valid_configurations_are_valid_for_others() {
    let mut documents = read([files(".", "config"), files("tests/corpus/sound", "config")].concat());
    documents.push(("the demo's".into(), document(&crate::demo::sample_configuration()).unwrap()));
    for (name, text) in crate::cli::check::mended() {
        if name.starts_with("config") {
            documents.push((name.display().to_string(), document(&text).unwrap()));
        }
    }
    all_valid(CONFIG, documents, 40);
}

#[test]
fn valid_policies_are_valid_for_others() {
    let mut documents = read([files("policies", ""), files("tests/corpus/sound", "policy")].concat());
    for (name, text) in crate::cli::check::mended() {
        if name.starts_with("policy") {
            documents.push((name.display().to_string(), document(&text).unwrap()));
        }
    }
    all_valid(POLICY, documents, 20);
}

#[test]
fn valid_tests_are_valid_for_others() {
    let mut documents = read(files("tests/corpus/sound", "test"));
    let beside = fs::read_dir(root().join("policies")).unwrap().map(|entry| entry.unwrap().path());
    documents.extend(read(beside.filter(|path| path.to_str().unwrap().ends_with(".test.yaml")).collect()));
    for (name, text) in crate::cli::check::mended() {
        if name.starts_with("test") {
            documents.push((name.display().to_string(), document(&text).unwrap()));
        }
    }
    all_valid(TESTS, documents, 12);
}

/// Editors find the schema by the first line of a file.
#[test]
fn the_shipped_files_name_their_schemas() {
    for (file, wanted) in [
        ("config.yaml", CONFIG),
        ("policies/panel.yaml", POLICY),
        ("policies/demo.yaml", POLICY),
        ("policies/panel.test.yaml", TESTS),
        ("policies/demo.test.yaml", TESTS),
    ] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let first = text.lines().next().unwrap();
        let named =
            first.strip_prefix("# yaml-language-server: $schema=").unwrap_or_else(|| panic!("{file}"));
        let schema = root().join(file).parent().unwrap().join(named);
        assert_eq!(fs::read_to_string(schema).unwrap(), wanted, "{file}");
    }
}

/// What the readers call an unknown key, or a word that is not one of those that there are, the schema refuses, too.
#[test]
fn unknown_keys_and_words_are_refused_by_others() {
    for (schema, folder, codes, least) in [
        (CONFIG, "tests/corpus/configs", ["error[C003]: unknown key", " is not a value that "], 15),
        (POLICY, "tests/corpus/policies", ["error[P002]: unknown key", " is not a value that "], 15),
        (TESTS, "tests/corpus/tests", ["error[T002]: unknown key", " is not a value that "], 5),
    ] {
        let said = |path: &PathBuf| fs::read_to_string(path.with_extension("txt")).unwrap();
        let refused = |path: &PathBuf| {
            let (said, own) = (said(path), path.file_name().unwrap().to_str().unwrap().to_owned());
            said.lines().any(|line| line.starts_with(&own) && codes.iter().any(|code| line.contains(code)))
        };
        let paths: Vec<PathBuf> = files(folder, "").into_iter().filter(refused).collect();
        let documents = read(paths);
        assert!(documents.len() >= least, "{folder}: {}", documents.len());
        for (name, errors) in ask(schema, &documents).as_object().unwrap() {
            assert_ne!(*errors, json!([]), "{name}");
        }
    }
}
