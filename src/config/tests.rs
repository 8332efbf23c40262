mod corpus;
mod environment;
mod logins;
mod refused;
mod secrets;
mod yaml;

use std::{fs, path::Path};

use super::*;
use crate::rules::written::Severity;

#[test]
fn the_shipped_configuration_and_its_policy_load() {
    let loaded = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config.yaml"), &Environment::new());
    let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.warnings.count(Severity::Warning), 0, "{}", loaded.warnings);
    assert_eq!(loaded.settings.sites.len(), 1);
}

#[test]
fn the_policy_of_the_demo_compiles() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/demo.yaml");
    let (rules, warnings) =
        load_policy(&path, &Environment::new()).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(rules.pages().len(), 5);
}

/// What is wrong with tests is said, and neither the policy nor the sites feel it; their file is watched even before it
/// is there.
#[test]
fn tests_beside_a_policy_keep_nothing_from_being_used() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    put(
        "policy.yaml",
        "version: 1\nroles: [root]\npages: [{ name: all, paths: [/**], access: { root: full } }]\n",
    );
    put(
        "config.yaml",
        "version: 1\nsites:\n  - { name: panel, origins: [\"https://panel.example.com\"], policy: policy.yaml }\n\
         sidecar: { socket: sidecar.sock }\n",
    );
    let case = |role: &str, expect: &str| {
        format!("cases: [{{ name: a case, role: {role}, path: /, expect: {expect} }}]\n")
    };
    for (tests, wanted, warnings) in [
        (None, "Nothing", 0),
        (Some(case("root", "allow")), "Tests", 0),
        (Some(case("root", "deny")), "Tests", 0),
        (Some(case("rot", "allow")), "Broken", 1),
        (Some("cases: [".to_owned()), "Broken", 1),
    ] {
        if let Some(text) = &tests {
            put("policy.test.yaml", text);
        }
        let config = folder.path().join("config.yaml");
        let loaded = load(&config, &Environment::new());
        let loaded = loaded.unwrap_or_else(|problems| panic!("{tests:?}: {problems}"));
        let beside = format!("{:?}", loaded.settings.sites[0].site.tests);
        assert!(beside.starts_with(wanted), "{tests:?}: {beside}");
        assert_eq!(loaded.warnings.count(Severity::Warning), warnings, "{tests:?}: {}", loaded.warnings);
        let watched = examine(&config, &Environment::new()).files;
        assert!(watched.contains(&folder.path().join("policy.test.yaml")), "{tests:?}");
    }
}

#[test]
fn tests_are_found_by_the_name_of_their_policy() {
    for (policy, tests) in [("a/panel.yaml", "a/panel.test.yaml"), ("panel.v2.yml", "panel.v2.test.yml")] {
        assert_eq!(tests_beside(Path::new(policy)), Path::new(tests));
        assert_eq!(policy_beside(Path::new(tests)).as_deref(), Some(Path::new(policy)));
    }
    for other in ["panel.yaml", "panel.test", "test.yaml"] {
        assert_eq!(policy_beside(Path::new(other)), None, "{other}");
    }
}
