//! The verbs as they are typed, on a store without a daemon.

use clap::Parser;

use super::super::{
    Cli, Verb,
    connect::{Place, tests::place},
    verdict::Trouble,
};
use crate::rules::factor::password::{no_pause, verify};

/// Runs a command line against a data directory.
pub(in crate::cli) fn say(place: &Place, words: &[&str]) -> Result<String, Trouble> {
    let line = std::iter::once("panelgate").chain(words.iter().copied());
    let verb = Cli::try_parse_from(line).map_err(|error| Trouble::Usage(error.to_string()))?.verb;
    let on_store = match &verb {
        Verb::User(args) => Some(super::carry_out(&args.verb, place)),
        Verb::TwoFactor(args) => Some(crate::cli::two_factor::carry_out(&args.verb, place)),
        Verb::Key(args) => Some(crate::cli::key::carry_out(&args.verb, place)),
        Verb::Session(args) => Some(crate::cli::session::carry_out(&args.verb, place)),
        Verb::Ban(args) => Some(crate::cli::ban::carry_out(&args.verb, place)),
        Verb::HighSecurity(args) => Some(crate::cli::high_security::carry_out(&args.verb, place)),
        Verb::Serve(_)
        | Verb::Check(_)
        | Verb::Config(_)
        | Verb::Policy(_)
        | Verb::Why(_)
        | Verb::Demo(_)
        | Verb::Doctor(_)
        | Verb::Backup(_)
        | Verb::Restore(_)
        | Verb::KeyMaterial(_)
        | Verb::Audit(_)
        | Verb::Completions { .. }
        | Verb::Man(_) => None,
    };
    on_store.unwrap_or_else(|| panic!("{words:?}"))
}

pub(in crate::cli) struct Desk {
    folder: tempfile::TempDir,
    pub(in crate::cli) place: Place,
    password: String,
}

pub(in crate::cli) fn desk() -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "correct horse battery\n").unwrap();
    let place = place(folder.path());
    Desk { password: password.display().to_string(), folder, place }
}

impl Desk {
    pub(in crate::cli) fn add(&self, name: &str, role: &str) -> Result<String, Trouble> {
        say(&self.place, &["user", "add", name, "--role", role, "--password-file", &self.password])
    }
}

#[test]
fn an_account_goes_through_its_life() {
    let desk = desk();
    let place = &desk.place;
    assert!(say(place, &["user", "list"]).unwrap().contains("panelgate user add"));
    assert_eq!(desk.add("Carol", "user").unwrap(), "`carol` can sign in, with the role `user`\n");
    assert!(matches!(desk.add("carol", "user"), Err(Trouble::No(why)) if why.contains("already")));
    assert!(matches!(desk.add("dave", "boss"), Err(Trouble::No(why)) if why.contains("`root`, `user`")));
    say(place, &["user", "role", "carol", "root"]).unwrap();
    say(place, &["user", "disable", "carol"]).unwrap();
    let table = say(place, &["user", "list"]).unwrap();
    let row: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().take(4).collect();
    assert_eq!(row, ["carol", "root", "disabled", "none"], "{table}");
    say(place, &["user", "enable", "carol"]).unwrap();
    say(place, &["user", "passwd", "carol", "--password-file", &desk.password]).unwrap();
    let json: serde_json::Value =
        serde_json::from_str(&say(place, &["user", "list", "--json"]).unwrap()).unwrap();
    assert_eq!((&json[0]["name"], &json[0]["disabled"]), (&"carol".into(), &false.into()));
    assert!(matches!(say(place, &["2fa", "status", "carol"]), Err(Trouble::No(_))));
    assert!(matches!(say(place, &["2fa", "disable", "carol"]), Err(Trouble::No(_))));
    assert_eq!(say(place, &["session", "list", "--user", "carol"]).unwrap(), "nobody is signed in\n");
    assert_eq!(say(place, &["session", "list", "--all", "--json"]).unwrap(), "[]\n");
    assert!(say(place, &["session", "revoke", "--user", "carol"]).unwrap().starts_with("nothing to do"));
}

#[test]
fn the_password_is_what_the_file_says_without_the_line_end() {
    let desk = desk();
    desk.add("carol", "user").unwrap();
    let file = desk.folder.path().join("panelgate.redb");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let carol = runtime.block_on(async {
        let store: std::sync::Arc<dyn crate::store::Store> =
            std::sync::Arc::new(crate::store::RedbStore::open(&file).unwrap());
        store.user_by_name(&crate::rules::identity::UserName::parse("carol").unwrap()).await.unwrap().unwrap()
    });
    let password = crate::secret::SecretText::from("correct horse battery".to_owned());
    assert!(verify(&password, &carol.password.unwrap(), no_pause));
}

#[test]
fn nonsense_on_the_command_line_is_usage() {
    let desk = desk();
    for words in [
        &["user", "add", "carol"][..],
        &["user", "add", "two words", "--role", "user"],
        &["user", "add", "carol", "--role", "user", "--password-stdin", "--password-file", "x"],
        &["session", "revoke"],
        &["session", "revoke", "id", "--user", "carol"],
        &["user", "role", "carol"],
        &["2fa", "status"],
    ] {
        assert!(matches!(say(&desk.place, words), Err(Trouble::Usage(_))), "{words:?}");
    }
}

#[test]
fn a_password_for_nobody_is_not_asked_for() {
    let desk = desk();
    let outcome = say(&desk.place, &["user", "passwd", "nobody"]);
    assert!(matches!(outcome, Err(Trouble::No(why)) if why.contains("user list")));
}

/// The owner of the data often cannot read what root can.
#[test]
fn the_password_file_is_read_before_root_gives_up_its_rights() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let desk = desk();
    desk.add("carol", "user").unwrap();
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let secret = tempfile::tempdir().unwrap();
    let file = secret.path().join("password");
    std::fs::write(&file, "another good one").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let all =
        ["", "panelgate.redb", "audit", "keys", "keys/audit.pem"].map(|name| desk.folder.path().join(name));
    let trail = std::fs::read_dir(desk.folder.path().join("audit")).unwrap().map(|file| file.unwrap().path());
    for path in all.into_iter().chain(trail) {
        chown(path, Some(65_534), Some(65_534)).unwrap();
    }
    let words = ["user".to_owned(), "passwd".into(), "carol".into(), "--password-file".into()];
    let asking = std::thread::spawn(move || {
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        let file = file.display().to_string();
        words.push(&file);
        say(&desk.place, &words)
    });
    asking.join().unwrap().unwrap();
}

#[test]
fn an_account_is_removed_only_by_whoever_means_it() {
    let desk = desk();
    desk.add("carol", "user").unwrap();
    assert!(
        matches!(say(&desk.place, &["user", "remove", "carol"]), Err(Trouble::No(why)) if why.contains("--yes"))
    );
    assert!(say(&desk.place, &["user", "remove", "carol", "--yes"]).unwrap().contains("removed"));
    assert!(matches!(say(&desk.place, &["user", "remove", "carol", "--yes"]), Err(Trouble::No(_))));
}

#[test]
fn high_security_mode_is_asked_and_switched_for_all_or_for_one() {
    let desk = desk();
    let place = &desk.place;
    desk.add("carol", "user").unwrap();
    assert!(say(place, &["high-security", "status"]).unwrap().contains("is on for the installation"));
    let off = say(place, &["high-security", "off", "--user", "carol"]).unwrap();
    assert!(off.contains("off for `carol`"), "{off}");
    let status = say(place, &["high-security", "status", "--user", "carol", "--json"]);
    let Err(Trouble::Report(json)) = status else { panic!("{status:?}") };
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["installation"], &json["account"], &json["on"]),
        (&true.into(), &false.into(), &false.into())
    );
    say(place, &["high-security", "on", "--user", "carol"]).unwrap();
    say(place, &["high-security", "off"]).unwrap();
    assert!(matches!(say(place, &["high-security", "status"]), Err(Trouble::No(_))));
}
