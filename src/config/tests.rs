mod corpus;
mod environment;
mod logins;
mod refused;
mod secrets;
mod yaml;

use std::path::Path;

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
