//! Before a policy is put in place: what it changes, and what it would have said to what there was.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::support::house::House;

fn panelgate(house: &House, arguments: &[&str]) -> Output {
    let config = house.directory.join("config.yaml").display().to_string();
    let binary = Path::new(env!("CARGO_BIN_EXE_panelgate"));
    let mut command = Command::new(binary);
    command.args(arguments).args(["--config", &config]).current_dir(&house.directory);
    command.output().expect("the command line runs")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Somebody has looked three times at what a new policy closes for him, and once at what is closed already.
async fn house(name: &str) -> House {
    let house = House::start(name);
    let somebody = house.somebody().await;
    for number in 0..3 {
        assert_eq!(somebody.background("GET", &format!("/echo/{number}")).await.status, 200);
    }
    assert_eq!(somebody.background("GET", "/echo/blocked/1").await.status, 403);
    let policy = house.read("policy.yaml");
    let new = policy.replace("user: full, reader", "user: none, reader");
    let new = new.replace(
        "unelevated: read, elevated: full }, user: none",
        "unelevated: read, elevated: full }, user: read",
    );
    house.write("new.yaml", &new);
    house.write("same.yaml", &format!("# No change.\n{policy}"));
    house
}

/// With a daemon and without, by people and by scripts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_compared_before_it_is_in_force() {
    let house = house("policy-compared").await;
    let compared = panelgate(&house, &["policy", "diff", "--running", "new.yaml", "--json"]);
    assert_eq!(compared.status.code(), Some(1), "{compared:?}");
    let listing = json(&compared);
    assert!(listing["old"].as_str().unwrap().starts_with("what runs (version "), "{listing}");
    assert_eq!(listing["complete"], true);
    assert!(
        listing["totals"]["closes"].as_u64() > Some(0) && listing["totals"]["opens"].as_u64() > Some(0),
        "{listing}"
    );
    let text = panelgate(&house, &["policy", "diff", "new.yaml"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    for part in ["  - user, look: always → ", "such as GET /", "new.yaml:", " cell", "  + user, look: "] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colours are for terminals");
    let same = panelgate(&house, &["policy", "diff", "same.yaml"]);
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    let file = house.directory.join("policy.yaml").display().to_string();
    let files = panelgate(&house, &["policy", "diff", &file, "new.yaml", "--json"]);
    assert_eq!(
        json(&files)["changes"],
        listing["changes"].clone(),
        "the daemon and the command say the same"
    );

    let broken = panelgate(&house, &["policy", "diff", "config.yaml"]);
    assert_eq!(broken.status.code(), Some(3), "{broken:?}");
    house.gate.running.stop();
    let alone = panelgate(&house, &["policy", "diff", "new.yaml", "--json"]);
    assert_eq!(json(&alone)["changes"], listing["changes"], "{alone:?}");
    assert!(json(&alone)["old"].as_str().unwrap().contains("no panelgate is running"));
    let insisted = panelgate(&house, &["policy", "diff", "--running", "new.yaml"]);
    assert_eq!(insisted.status.code(), Some(3), "{insisted:?}");
}

/// What flips leads to its decision; with a daemon and without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_tried_on_what_there_was() {
    let house = house("policy-tried").await;
    // Under the policy that decided nothing comes out differently.
    let control = panelgate(&house, &["policy", "replay", "policy.yaml", "--json"]);
    assert_eq!(control.status.code(), Some(0), "{control:?}");
    let control = json(&control);
    let judged = control["judged"].as_u64().unwrap();
    assert!(
        judged >= 4 && control["unchanged"] == judged && control["control"]["judged"] == judged,
        "{control}"
    );
    let tried = panelgate(
        &house,
        &["policy", "replay", "new.yaml", "--json", "--since", "1h", "--user", "some-user"],
    );
    assert_eq!(tried.status.code(), Some(1), "{tried:?}");
    let tried = json(&tried);
    assert_eq!((&tried["totals"]["closes"], &tried["totals"]["opens"]), (&3.into(), &0.into()), "{tried}");
    let flip = &tried["flips"][0];
    assert_eq!(
        (&flip["count"], &flip["old"], &flip["user"]),
        (&3.into(), &"open".into(), &"some-user".into())
    );
    assert_eq!(flip["before"], "allowed (full)");
    let why = panelgate(&house, &["why", flip["example"].as_str().unwrap()]);
    assert_eq!(why.status.code(), Some(0), "{why:?}");
    assert!(String::from_utf8_lossy(&why.stdout).contains("some-user"), "{why:?}");

    house.gate.running.stop();
    let alone = panelgate(&house, &["policy", "replay", "new.yaml", "--json", "--user", "some-user"]);
    assert_eq!(json(&alone)["flips"][0]["count"], 3, "{alone:?}");
}
