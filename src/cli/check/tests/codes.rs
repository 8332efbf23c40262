//! docs/codes.md: a section for every code in the source, and examples that do what they say.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::super::{
    explain::{Section, sections, text},
    suites,
};
use crate::{
    config::{Environment, Problems, examine, load_policy, load_tests},
    rules::written::Findings,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every `"P017"` in the source, outside tests and outside comments.
fn codes_in_source() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
                codes.extend(codes_of(&fs::read_to_string(path).unwrap()));
            }
        }
    }
    codes
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str().to_str().is_some_and(|name| name.starts_with("tests")))
}

fn codes_of(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let code = |window: &[u8]| {
        let [b'"', kind, digits @ .., b'"'] = window else { return None };
        let sound = b"PCYT".contains(kind) && digits.iter().all(u8::is_ascii_digit);
        sound.then(|| String::from_utf8_lossy(&window[1..5]).into_owned())
    };
    bytes.windows(6).filter_map(code).collect()
}

#[test]
fn every_code_in_the_source_is_explained_and_no_other() {
    let explained: BTreeSet<String> = sections().map(|section| section.code.to_owned()).collect();
    let used = codes_in_source();
    assert!(used.len() > 90, "{used:?}");
    assert_eq!(used.difference(&explained).collect::<Vec<_>>(), Vec::<&String>::new(), "without a section");
    assert_eq!(explained.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "nobody reports it");
    assert_eq!(explained.len(), sections().count(), "a code has one section");
}

#[test]
fn every_section_says_how_to_mend_it_and_why() {
    for section in sections() {
        let Section { code, title, body } = section;
        assert!(!title.is_empty() && body.contains(" mended\n") && body.contains("\nWhy: "), "{code}");
    }
}

#[test]
fn every_example_has_the_fault_it_shows_and_loses_it_when_mended() {
    let mut wrong = Vec::new();
    for section in sections() {
        let Some(example_wrong) = example(section.body, "yaml wrong") else { continue };
        let before = findings(section.code, &example_wrong);
        let after = findings(section.code, &example(section.body, "yaml mended").unwrap());
        let held =
            before.contains(section.code) && !after.contains(section.code) && !after.contains("error[");
        if !held {
            wrong.push(format!("=== {}\n{before}\n--- mended\n{after}", section.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_unknown_code_is_answered_with_what_was_meant() {
    assert!(text("p017").unwrap().starts_with("P017: "));
    assert!(text("P0177").unwrap_err().contains("did you mean P017?"));
    assert!(text("CO26").unwrap_err().contains("did you mean C026?"), "the letter O");
    assert!(text("banana").unwrap_err().contains("`P017`"));
}

/// The first block of a kind.
pub(super) fn example(body: &str, kind: &str) -> Option<String> {
    let (_, block) = body.split_once(&format!("```{kind}\n"))?;
    block.split_once("```").map(|(block, _)| block.to_owned())
}

const POLICY: &str = "version: 1
roles: [root, user]
pages:
  - name: everything
    paths: [\"/**\"]
    access: { root: full, user: read }
";

const CONFIG: &str = "version: 1
sites:
  - name: panel
    origins: [\"https://panel.example.com\"]
    policy: policy.yaml
sidecar: { socket: sidecar.sock }
";

const TESTS: &str = "cases:
  - { name: root may change everything, role: root, method: POST, path: /users, expect: allow }
";

/// What sort of file a code speaks of, and one of it.
fn kind(code: &str) -> (&'static str, &'static str) {
    match code.as_bytes()[0] {
        b'C' => ("config", CONFIG),
        b'T' => ("test", TESTS),
        _ => ("policy", POLICY),
    }
}

fn findings(code: &str, example: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(root().join("tests/corpus/beside")).unwrap() {
        let path = entry.unwrap().path();
        let copy = folder.path().join(path.file_name().unwrap());
        fs::copy(&path, &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let path = folder.path().join("example.yaml");
    let (kind, base) = kind(code);
    fs::write(&path, whole(base, example)).unwrap();
    match kind {
        "config" => examine(&path, &Environment::new()).problems.to_string(),
        "test" => of_tests(&path, &folder.path().join("tested.yaml")),
        _ => match load_policy(&path, &Environment::new()) {
            Ok((_, warnings)) => warnings.to_string(),
            Err(problems) => problems.to_string(),
        },
    }
}

/// What is wrong with tests, or what they find.
fn of_tests(path: &Path, policy: &Path) -> String {
    let (rules, _) = load_policy(policy, &Environment::new()).unwrap();
    match load_tests(path, &rules, &Environment::new()) {
        Err(problems) => problems.to_string(),
        Ok(suite) => {
            let mut found = Findings::default();
            suites::one(&rules, &suite, &mut found);
            Problems::default().and(found).to_string()
        }
    }
}

/// The base with the sections of the example in place of its own.
pub(super) fn whole(base: &str, example: &str) -> String {
    if example.starts_with("# the whole file") {
        return example.to_owned();
    }
    let starts = |line: &&str| line.starts_with(|c: char| c.is_ascii_alphabetic());
    let key = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
    let own: Vec<String> = example.lines().filter(starts).map(key).collect();
    let mut keep = true;
    let mut text = String::new();
    for line in base.lines() {
        if starts(&line) {
            keep = !own.contains(&key(line));
        }
        if keep {
            text.push_str(line);
            text.push('\n');
        }
    }
    text + example
}

/// Every mended example as a whole file: all of them are valid.
pub(crate) fn mended() -> Vec<(PathBuf, String)> {
    let one = |section: Section| {
        let (kind, base) = kind(section.code);
        let text = whole(base, &example(section.body, "yaml mended")?);
        Some((PathBuf::from(format!("{kind}/{}.yaml", section.code)), text))
    };
    sections().filter_map(one).collect()
}
