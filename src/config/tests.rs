mod broken;
mod environment;
mod logins;
mod refused;
mod yaml;

use std::path::Path;

use super::*;

#[test]
fn the_shipped_configuration_and_its_policy_load() {
    let loaded = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config.yaml"), &Environment::new());
    let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
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
