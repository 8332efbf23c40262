//! What the demo writes and prints.

use std::path::Path;

use serde_json::Value;

use super::{
    certificates, issuer, people,
    place::{Place, Ports},
    report::Report,
};
use crate::{
    clock::Wall,
    config::{self, Environment},
    entropy::SeededEntropy,
    rules::{factor::totp, policy::testing},
};

const NOW: Wall = Wall::from_secs(1_795_554_306);

fn place() -> (tempfile::TempDir, Place) {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::open(Some(dir.path())).unwrap();
    (dir, place)
}

#[test]
fn the_configuration_that_the_demo_writes_passes_every_check() {
    let (_dir, place) = place();
    certificates::make(&place, NOW).unwrap();
    issuer::make(&place).unwrap();
    place.write_configuration(Ports::from_base(18_443), false).unwrap();
    let loaded =
        config::load(&place.config(), &Environment::new()).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.settings.sites.len(), 1);
    assert!(loaded.settings.edge.is_some() && loaded.settings.sidecar.is_some());
    let site = &loaded.settings.sites[0].site;
    let report = testing::run(&site.policy, site.tests.suite().unwrap());
    assert_eq!((report.failed(), report.coverage.percent()), (0, 100), "{report:?}");
}

#[test]
fn a_policy_that_somebody_has_changed_stays() {
    let (_dir, place) = place();
    place.write("policies/demo.yaml", "changed").unwrap();
    place.write_configuration(Ports::from_base(18_443), false).unwrap();
    assert_eq!(place.read("policies/demo.yaml").unwrap().as_deref(), Some("changed"));
    assert_eq!(place.read("policies/demo.test.yaml").unwrap(), None, "they would be about another policy");
}

/// The running one would read the other's ports from its configuration, and find no site any more.
#[test]
fn only_one_demo_at_a_time_may_write_into_a_directory() {
    let (dir, place) = place();
    let lock = place.lock().unwrap();
    let other = Place::open(Some(dir.path())).unwrap();
    let refused = other.lock().unwrap_err();
    assert!(refused.to_string().contains("another demo runs in"), "{refused}");
    drop(lock);
    assert!(other.lock().is_ok(), "it is free again");
}

#[test]
fn people_are_made_once_and_kept() {
    let (_dir, place) = place();
    let first = people::load_or_make(&place, &SeededEntropy::new(1)).unwrap();
    let second = people::load_or_make(&place, &SeededEntropy::new(2)).unwrap();
    assert_eq!(first, second);
    let names: Vec<_> = first.iter().map(|person| person.name.as_str()).collect();
    assert_eq!(names, ["root", "admin", "reseller", "alice"]);
    let enrolled: Vec<_> = first.iter().map(|person| person.totp_secret.is_some()).collect();
    assert_eq!(enrolled, [true, true, false, false]);
    assert!(first.iter().all(|person| person.password.len() == 14), "{first:?}");
}

#[test]
fn the_json_line_has_exactly_the_promised_members() {
    let (_dir, place) = place();
    let people = people::load_or_make(&place, &SeededEntropy::new(1)).unwrap();
    let report = Report::new(&place, Ports::from_base(18_443), Path::new("/x/admin.socket"), &people);
    let text = report.json();
    assert_eq!(text.lines().count(), 1);
    let line: Value = serde_json::from_str(&text).unwrap();
    let mut members: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    let promised =
        ["admin_socket", "ca", "config", "edge", "metrics", "panel", "pid", "sidecar", "site", "users"];
    assert_eq!(members, promised);
    let mut members: Vec<_> = line["users"][0].as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["name", "password", "role", "totp_secret"]);
    assert_eq!(line["users"][3]["totp_secret"], Value::Null);
}

#[test]
fn the_printed_code_is_the_one_that_the_gate_accepts() {
    let (_dir, place) = place();
    let people = people::load_or_make(&place, &SeededEntropy::new(1)).unwrap();
    let report = Report::new(&place, Ports::from_base(18_443), Path::new("/x/admin.socket"), &people);
    let text = report.text(NOW);
    let line = text.lines().find(|line| line.contains("current code for root")).unwrap();
    assert!(line.ends_with("(new in 24 s)"), "{line}");
    let code: String = line.split("root: ").nth(1).unwrap().chars().take(7).collect();
    let secret =
        data_encoding::BASE32_NOPAD.decode(people[0].totp_secret.as_ref().unwrap().as_bytes()).unwrap();
    assert!(totp::check(&secret, &code, NOW, 0).is_some());
    assert!(text.trim_start().starts_with("Open  https://localhost:18443"));
}
