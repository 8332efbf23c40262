//! Restores that were killed: before the plan nothing has changed, after it whoever comes next goes on.

use std::fs;

use super::Home;
use crate::{
    app::backup::{
        finish_interrupted,
        place::{Plan, Stage},
    },
    rules::trail::Fields,
};

const PARTS: [&str; 2] = ["store", "other"];

fn plan() -> Plan {
    Plan { aside: "aside".into(), moves: PARTS.map(str::to_owned).to_vec(), record: Fields::new() }
}

/// A directory in which everything is decided, and these many renames were done.
fn stopped_after(renames: usize) -> Home {
    let home = Home::empty();
    let data = home.data();
    for part in PARTS {
        fs::write(data.join(part), "old").unwrap();
    }
    let stage = Stage::new(&data).unwrap();
    for part in PARTS {
        fs::write(stage.path.join(part), "new").unwrap();
    }
    let staged = stage.path.clone();
    stage.commit(&plan()).unwrap();
    fs::create_dir(data.join("aside")).unwrap();
    let steps = PARTS.iter().flat_map(|part| {
        let (live, aside) = (data.join(part), data.join("aside").join(part));
        [(live.clone(), aside), (staged.join(part), live)]
    });
    for (from, to) in steps.take(renames) {
        fs::rename(from, to).unwrap();
    }
    home
}

#[test]
fn whatever_was_done_already_the_rest_is_done_once_and_accounted_for() {
    for renames in 0..=4 {
        let home = stopped_after(renames);
        finish_interrupted(&home.data()).unwrap();
        for part in PARTS {
            let read = |folder: &str| fs::read_to_string(home.data().join(folder).join(part)).unwrap();
            assert_eq!(
                (read("."), read("aside")),
                ("new".to_owned(), "old".to_owned()),
                "after {renames} renames"
            );
        }
        assert_eq!(home.events(), ["restored"]);
        assert!(!home.data().join("restore.plan").exists() && !home.data().join("restore.new").exists());
        finish_interrupted(&home.data()).unwrap();
        assert_eq!(home.events(), ["restored"], "there is nothing left to do");
    }
}

#[test]
fn before_it_is_decided_nothing_has_changed_and_what_lies_about_goes() {
    let home = Home::empty();
    let data = home.data();
    fs::write(data.join("store"), "old").unwrap();
    let stage = Stage::new(&data).unwrap();
    fs::write(stage.path.join("store"), "new").unwrap();
    // Killed here: nobody cleared away.
    std::mem::forget(stage);
    finish_interrupted(&data).unwrap();
    assert_eq!(fs::read_to_string(data.join("store")).unwrap(), "old");
    let next = Stage::new(&data).unwrap();
    assert_eq!(fs::read_dir(&next.path).unwrap().count(), 0);
    let path = next.path.clone();
    drop(next);
    assert!(!path.exists(), "and one that is given up is cleared away");
}

/// A plan that nobody can read stops everything: it is not known what is in place.
#[test]
fn a_plan_that_cannot_be_read_is_an_error() {
    let home = Home::empty();
    fs::write(home.data().join("restore.plan"), b"{").unwrap();
    assert!(finish_interrupted(&home.data()).is_err());
}
