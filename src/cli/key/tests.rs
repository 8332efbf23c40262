//! The verbs as they are typed, on a store without a daemon.

use super::Lasts;
use crate::{
    cli::{
        user::tests::{Desk, desk, say},
        verdict::Trouble,
    },
    rules::api_key::KeyText,
};

fn create(desk: &Desk, name: &str, rest: &[&str]) -> Result<String, Trouble> {
    let words = ["key", "create", "alice", "--name", name, "--expires", "30d"];
    say(&desk.place, &[&words, rest].concat())
}

fn no(answer: Result<String, Trouble>) -> String {
    match answer {
        Err(Trouble::No(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_key_is_made_listed_and_revoked_without_a_daemon() {
    let desk = desk();
    desk.add("alice", "user").unwrap();
    assert!(say(&desk.place, &["key", "list"]).unwrap().contains("panelgate key create"));
    let made = create(&desk, "ci", &["--scope", "users:read", "--json"]).unwrap();
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let text = made["key"].as_str().unwrap();
    let id = KeyText::parse(text).unwrap().public().to_string();
    assert_eq!((&made["id"], &made["site"]), (&id.clone().into(), &"panel".into()));

    let listed = say(&desk.place, &["key", "list", "--json", "--user", "Alice"]).unwrap();
    assert!(listed.contains(&id) && !listed.contains(text.trim_start_matches("gate_")), "{listed}");
    let table = say(&desk.place, &["key", "list"]).unwrap();
    assert!(table.contains("alice") && table.contains("users:read") && table.contains("never"), "{table}");

    say(&desk.place, &["key", "revoke", &id]).unwrap();
    assert_eq!(say(&desk.place, &["key", "list", "--json"]).unwrap(), "[]\n");
    assert!(no(say(&desk.place, &["key", "revoke", &id])).contains("panelgate key list"));
}

#[test]
fn the_key_comes_first_for_whoever_reads_it_off_the_screen() {
    let desk = desk();
    desk.add("alice", "user").unwrap();
    let told = create(&desk, "ci", &["--scope", "users:read", "--scope", "users:write"]).unwrap();
    assert!(told.lines().next().and_then(KeyText::parse).is_some(), "{told}");
    assert!(told.contains("shown once") && told.contains("until 20"), "{told}");
}

#[test]
fn what_cannot_be_a_key_is_refused_with_the_mend() {
    let desk = desk();
    let read = ["--scope", "users:read"];
    assert!(no(create(&desk, "ci", &read)).contains("no account `alice`"));
    desk.add("alice", "user").unwrap();
    assert!(
        no(create(&desk, "ci", &["--scope", "users:wipe"])).contains("there are `users:read`, `users:write`")
    );
    assert!(no(create(&desk, "ci", &["--scope", "users:read", "--site", "x"])).contains("there are `panel`"));
    assert!(no(create(&desk, " ", &read)).contains("1 to 64"));
    create(&desk, "ci", &read).unwrap();
    assert!(no(create(&desk, "ci", &read)).contains("already"));
    assert!(matches!(create(&desk, "ci", &[]), Err(Trouble::Usage(_))));
}

#[test]
fn how_long_is_said_in_words_of_the_configuration() {
    assert_eq!(Lasts::parse("30d"), Ok(Lasts::Seconds(30 * 24 * 3600)));
    assert_eq!(Lasts::parse("never"), Ok(Lasts::Ever));
    for wrong in ["", "0s", "30", "soon"] {
        assert!(Lasts::parse(wrong).is_err(), "{wrong}");
    }
}
