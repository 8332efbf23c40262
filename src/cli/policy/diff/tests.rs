use std::fs;

use super::*;

const OLD: &str = "\
version: 1
roles: [root, user]
pages:
  - name: users
    paths: [\"/users/**\"]
    access: { root: full, user: none }
  - name: rest
    paths: [\"/**\"]
    access: { root: full, user: read }
";

struct Desk(tempfile::TempDir);

impl Desk {
    fn compare(&self, new: &str) -> Result<Compared, Trouble> {
        let (one, other) = (self.0.path().join("old.yaml"), self.0.path().join("new.yaml"));
        fs::write(&one, OLD).unwrap();
        fs::write(&other, new).unwrap();
        between(&one, &other)
    }
}

fn desk() -> Desk {
    Desk(tempfile::tempdir().unwrap())
}

#[test]
fn changes_stand_under_their_page_with_both_places_a_sign_and_a_request() {
    let new = OLD.replace("user: read", "user: nothing").replace("user: none", "user: read");
    let new = new.replace("user: nothing", "user: none").replace("roles:", "\nroles:");
    let compared = desk().compare(&new).unwrap();
    let shown = text(&compared, false);
    for part in [
        "old.yaml:4 → ",
        "new.yaml:5\n",
        "  + user, look: never, refused (role-lacks-access) → always\n      such as GET /users",
        "  - user, look: always → never, refused (role-lacks-access)\n      such as GET /",
        "\n1 cell opens, 1 closes",
    ] {
        assert!(shown.contains(part), "{part:?} in\n{shown}");
    }
    let users = shown.find("\nusers  ").unwrap();
    assert!(shown.find("\nrest  ").unwrap() < users, "by name of the page\n{shown}");
    let document: serde_json::Value = serde_json::from_str(&json(&compared).unwrap()).unwrap();
    let effects = document["changes"].as_array().unwrap().iter().map(|change| &change["effect"]);
    assert_eq!(effects.filter(|effect| **effect == "opens").count(), 1);
    assert_eq!(document["totals"]["closes"], 1);
    let back: Listing = serde_json::from_value(document).unwrap();
    assert_eq!(back, compared.listing, "the daemon's answer is read as it was");
}

#[test]
fn refusals_for_another_reason_are_counted_and_listed_on_demand() {
    let new = OLD.replace(
        "    access: { root: full, user: none }",
        "    when: { networks: [10.0.0.0/8] }\n    access: { root: full, user: none }",
    );
    let compared = desk().compare(&new).unwrap();
    assert!(compared.listing.totals.reasons > 0 && compared.listing.totals.closes > 0);
    let (brief, whole) = (text(&compared, false), text(&compared, true));
    assert!(
        brief.contains("refused for another reason (--reasons lists them)") && !brief.contains("\n  = "),
        "{brief}"
    );
    assert!(whole.contains("\n  = "), "{whole}");
}

#[test]
fn the_same_answers_are_no_difference_and_a_broken_policy_is_no_answer() {
    let compared = desk().compare(&format!("# Written differently.\n{OLD}")).unwrap();
    assert!(compared.listing.is_empty());
    assert!(text(&compared, true).ends_with("\nno request is answered differently\n"));
    let Err(Trouble::Failed(why)) = desk().compare("version: 1\nroles: 7\n") else { panic!("it is broken") };
    assert!(why.contains("new.yaml:2"), "{why}");
}

#[test]
fn what_changed_besides_and_what_was_not_compared_is_said() {
    let new = OLD.replace("roles: [root, user]", "roles: [user, root]");
    let mut compared = desk().compare(&new).unwrap();
    assert!(text(&compared, false).contains("~ roles, mightiest first: root, user → user, root\n"));
    compared.listing.complete = false;
    assert!(text(&compared, false).ends_with("there may be more changes\n"));
}
