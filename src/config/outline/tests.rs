use std::fs;

use super::*;
use crate::{config::yaml, rules::written::Findings};

fn outline(text: &str) -> Outline {
    let root = yaml::parse(&"config.yaml".into(), text, &mut Findings::default()).unwrap();
    Outline::of(&root, &BTreeMap::from([("config.yaml".into(), text.into())]), &Contents::default())
}

#[test]
fn a_file_that_a_key_names_counts_with_what_it_holds_and_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (secret, text) =
        (folder.path().join("secret"), "sidecar:\n  secrets: [{ name: nginx, secret_file: secret }]\n");
    let look = |held: &str| {
        fs::write(&secret, held).unwrap();
        let root = yaml::parse(&"config.yaml".into(), text, &mut Findings::default()).unwrap();
        let contents = Contents::read(vec![folder.path().to_owned()], [&secret].into_iter());
        Outline::of(&root, &BTreeMap::from([("config.yaml".into(), text.into())]), &contents)
    };
    let (one, other) = (look("one"), look("other"));
    assert_eq!(one.changes(&other), ["sidecar.secrets[nginx].secret_file"]);
    assert!(one.changes(&look("one")).is_empty());
    assert_eq!(one.digest, other.digest, "what people see says nothing about a secret");
}

const BEFORE: &str = "
sites:
  - { name: panel, title: Panel, origins: [https://a, https://b] }
  - { name: other, title: Other }
limits: { request: 600/min }
";

#[test]
fn what_is_changed_added_and_removed_is_named_and_what_is_moved_is_not() {
    let after = "
# A comment is no change.
sites:
  - { name: other, title: Other }
  - { name: panel, title: Harbor, origins: [https://a] }
log: { level: debug }
";
    let changed = outline(BEFORE).changes(&outline(after));
    assert_eq!(changed, ["limits.request", "log.level", "sites[panel].origins", "sites[panel].title"]);
    assert!(outline(BEFORE).changes(&outline(&format!("{BEFORE}\n# more\n"))).is_empty());
}

#[test]
fn a_secret_is_never_in_it() {
    let shown = format!("{:?}", outline("secret: correct-horse-battery-staple"));
    assert!(!shown.contains("horse"), "{shown}");
}
