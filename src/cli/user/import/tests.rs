use std::{fs, path::Path};

use clap::Parser;

use super::{ImportArgs, read, run};
use crate::{
    app::admin::{AdminAnswer, AdminRequest, UserLine},
    cli::{
        connect::{Place, tests::place},
        verdict::Trouble,
    },
    rules::factor::password,
    secret::SecretText,
};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: ImportArgs,
}

/// `htpasswd -nbB -C 5 user opensesame` (apache2-utils 2.4.71) and PHP 8.2's `password_hash("opensesame",
/// PASSWORD_BCRYPT, ["cost" => 5])`.
const HTPASSWD: &str = "$2y$05$GdFHtFDjjYEHhWlKMGwEhOHir0kgpaDrKDBmJCPFwfM0fnHFHI4Dy";
const PHP: &str = "$2y$05$aI46v70e5t5cAOyYjhlDbepgRv28RqR1tnSTgq8/3zgCWeDwKJUJy";

fn import(folder: &Path, place: &Place, text: &str, flags: &[&str]) -> Result<String, Trouble> {
    let file = folder.join("users");
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let line = Line::parse_from(["import", file.as_str()].iter().chain(flags));
    run(&line.args, &read(&line.args)?, place)
}

fn users(place: &Place) -> Vec<UserLine> {
    let AdminAnswer::Users { users } = place.ask(AdminRequest::ListUsers).unwrap() else { panic!("no list") };
    users
}

fn desk() -> (tempfile::TempDir, Place) {
    let folder = tempfile::tempdir().unwrap();
    let place = place(&folder.path().join("data"));
    fs::create_dir(folder.path().join("data")).unwrap();
    (folder, place)
}

#[test]
fn hashes_of_htpasswd_and_php_open_for_their_password() {
    for hash in [HTPASSWD, PHP] {
        assert!(hash.starts_with("$2y$05$"), "{hash}");
        assert!(
            password::verify(&SecretText::from("opensesame".to_owned()), hash, password::no_pause),
            "{hash}"
        );
        assert!(
            !password::verify(&SecretText::from("opensesamf".to_owned()), hash, password::no_pause),
            "{hash}"
        );
    }
}

#[test]
fn csv_and_json_say_the_same() {
    let csv = format!(
        "\u{feff}Name,role,email,display,disabled,password_hash\n\
         Carol,root,c@example.com,\"Carol, the first\",,{HTPASSWD}\n\
         dave,,,,true,{PHP}\n"
    );
    let json = format!(
        "[\n {{\"name\":\"carol\",\"role\":\"root\",\"email\":\"c@example.com\",\
         \"display\":\"Carol, the first\",\"password_hash\":\"{HTPASSWD}\"}},\n \
         {{\"name\":\"dave\",\"disabled\":true,\"password_hash\":\"{PHP}\"}} ]\n"
    );
    let mut seen = Vec::new();
    for text in [csv, json] {
        let (folder, place) = desk();
        let would = import(folder.path(), &place, &text, &["--role", "user", "--dry-run"]).unwrap();
        assert_eq!(would, "2 accounts would be added, 0 would be changed\n");
        assert!(users(&place).is_empty(), "a dry run changes nothing");
        let said = import(folder.path(), &place, &text, &["--role", "user", "--json"]).unwrap();
        assert_eq!(said, "{\"added\":2,\"changed\":0,\"dry_run\":false}\n");
        seen.push(users(&place).into_iter().map(|user| UserLine { created: 0, ..user }).collect::<Vec<_>>());
    }
    assert_eq!(seen[0], seen[1]);
    let [carol, dave] = seen[0].as_slice() else { panic!("{seen:?}") };
    assert_eq!((carol.role.as_str(), carol.display.as_str()), ("root", "Carol, the first"));
    assert_eq!((dave.role.as_str(), dave.disabled, dave.password), ("user", true, true));
}

#[test]
fn every_problem_is_said_with_its_line_and_nothing_is_imported() {
    let (folder, place) = desk();
    import(folder.path(), &place, &format!("name,role,password_hash\nold,user,{PHP}\n"), &[]).unwrap();
    let expensive = PHP.replace("$05$", "$16$");
    let text = format!(
        "name,role,email,display,disabled,password_hash\n\
         good,user,,,,{PHP}\n\
         two words,user,,,,{PHP}\n\
         good,user,,,,{PHP}\n\
         old,user,,,,{PHP}\n\
         boss,boss,,,perhaps,{PHP}\n\
         hash,user,,,,$argon2id$v=19$x\n\
         dear,user,,,,{expensive}\n\
         none,,,,,\n\
         few,user\n"
    );
    let Err(Trouble::No(said)) = import(folder.path(), &place, &text, &[]) else { panic!("imported") };
    for (line, what) in [
        (3, "cannot be a name"),
        (4, "stands on line 2 already"),
        (5, "--update changes it"),
        (6, "no policy knows the role `boss`; there are root, user"),
        (6, "write true or false"),
        (7, "not a bcrypt hash"),
        (8, "cost 16"),
        (9, "there is no password_hash"),
        (9, "there is no role"),
        (10, "it has 2 fields"),
    ] {
        let found = said.lines().any(|text| text.contains(&format!("users:{line}: ")) && text.contains(what));
        assert!(found, "{line} {what}\n{said}");
    }
    assert_eq!(users(&place).len(), 1, "all or none");
    let Err(Trouble::Report(report)) = import(folder.path(), &place, &text, &["--json"]) else { panic!() };
    assert!(report.starts_with("{\"problems\":[{\"line\":3,"), "{report}");
}

#[test]
fn a_file_that_cannot_be_read_says_where() {
    let (folder, place) = desk();
    for (text, line, what) in [
        ("", 1, "name,password_hash"),
        ("user,hash\n", 1, "name,password_hash"),
        ("name,pasword_hash\n", 1, "no column `pasword_hash`"),
        ("[\n{\"name\":\"a\"}\n{\"name\":\"b\"}]", 3, "comma"),
        ("[\n{\"name\":\"a\",\n\"nam\":\"b\"}\n]", 2, "no column `nam`"),
        ("[\n{\"name\":\n", 3, "not JSON"),
        ("[1]", 1, "an object"),
        ("[]", 1, "no accounts"),
    ] {
        let said = import(folder.path(), &place, text, &["--role", "user"]);
        let Err(Trouble::No(said)) = said else { panic!("{text}: {said:?}") };
        assert!(said.contains(&format!("users:{line}: ")) && said.contains(what), "{text}\n{said}");
    }
}

#[test]
fn an_update_changes_what_the_file_says_and_nothing_else() {
    let (folder, place) = desk();
    let text = format!("name,role,email,password_hash\ncarol,root,c@x,{PHP}\n");
    import(folder.path(), &place, &text, &[]).unwrap();
    let text = "name,email\ncarol,new@x\n";
    let said = import(folder.path(), &place, text, &["--update", "--role", "user"]).unwrap();
    assert_eq!(said, "0 accounts added, 1 changed\n");
    let carol = users(&place).remove(0);
    assert_eq!((carol.email.as_str(), carol.role.as_str(), carol.password), ("new@x", "root", true));
}
