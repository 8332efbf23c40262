use std::fs;

use clap::Parser;

use super::{AuditArgs, carry_out};
use crate::{
    cli::verdict::Trouble,
    clock::Wall,
    entropy::{Entropy, SeededEntropy},
    feeds,
    rules::trail::{Fields, Link, line},
    telemetry::trail::{self, Trail},
};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: AuditArgs,
}

fn say(folder: &std::path::Path, words: &[&str]) -> (Result<String, Trouble>, String) {
    let typed = Line::parse_from(std::iter::once(&"audit").chain(words));
    let mut out = Vec::new();
    let outcome = carry_out(&typed.args.verb, folder, &mut out);
    (outcome, String::from_utf8(out).unwrap())
}

/// Ten records in two files.
fn desk() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("audit")).unwrap();
    let mut link = Link::default();
    for (name, range) in [("trail-000000000001.jsonl", 0..6), ("trail-000000000007.jsonl", 6..10)] {
        let mut text = String::new();
        for n in range {
            let mut fields = Fields::new();
            fields.insert("user".into(), if n % 2 == 0 { "carol" } else { "dave" }.into());
            fields.insert("client".into(), format!("203.0.113.{n}").into());
            fields.insert("agent".into(), "\u{1b}[31m evil".into());
            let at = Wall::from_secs(1_800_000_000 + n);
            text += &(line(&mut link, at, "sign-in-failed", &fields) + "\n");
        }
        fs::write(folder.path().join("audit").join(name), text).unwrap();
    }
    folder
}

#[test]
fn records_are_found_shown_and_exported() {
    let desk = desk();
    let (outcome, out) = say(desk.path(), &["search", "--user", "Carol", "--client", "203.0.113.4/30"]);
    assert_eq!(outcome, Ok(String::new()));
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(
        out.contains("sign-in-failed") && out.contains("client=203.0.113.4") && !out.contains('\u{1b}'),
        "{out}"
    );
    let (outcome, _) = say(desk.path(), &["search", "--text", "DAVE", "--limit", "3", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&outcome.unwrap()).unwrap();
    let seqs: Vec<_> =
        found.as_array().unwrap().iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [6, 8, 10]);
    assert!(matches!(say(desk.path(), &["search", "--event", "x"]).0, Err(Trouble::No(_))));
    let until = ["search", "--since", "2027-01-15T08:00:02Z", "--until", "2027-01-15T08:00:04Z"];
    assert_eq!(say(desk.path(), &until).1.lines().count(), 2);

    let (_, out) = say(desk.path(), &["tail", "-n", "3"]);
    assert!(out.lines().count() == 3 && out.contains("     10 "), "{out}");
    let (_, out) = say(desk.path(), &["export", "--user", "dave"]);
    assert_eq!(out.lines().filter(|line| line.contains(r#""hash":""#)).count(), 5, "{out}");
}

#[test]
fn of_a_message_with_many_lines_the_first_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("audit")).unwrap();
    let mut fields = Fields::new();
    fields.insert("why".into(), "config.yaml:2:1: error\n  |\n  help: mend it\n".into());
    let record = line(&mut Link::default(), Wall::from_secs(1_800_000_000), "reload-failed", &fields);
    fs::write(folder.path().join("audit/trail-000000000001.jsonl"), record + "\n").unwrap();
    let (_, out) = say(folder.path(), &["tail"]);
    assert!(out.ends_with("why=\"config.yaml:2:1: error…\"\n") && !out.contains('\u{fffd}'), "{out}");
    let (_, out) = say(folder.path(), &["tail", "--json"]);
    assert!(out.contains("help: mend it"), "{out}");
}

#[test]
fn r29_verify_says_which_record_was_altered_and_where() {
    let desk = desk();
    let (outcome, _) = say(desk.path(), &["verify"]);
    let Err(Trouble::No(why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("no signature can be checked") && !why.contains("was changed"), "{why}");
    let file = desk.path().join("audit/trail-000000000007.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("carol", "mallory", 1)).unwrap();
    let (outcome, _) = say(desk.path(), &["verify"]);
    let Err(Trouble::No(why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("trail-000000000007.jsonl:1") && why.contains("record 7 was changed"), "{why}");
    let (outcome, _) = say(desk.path(), &["verify", "--json"]);
    let Err(Trouble::Report(report)) = outcome else { panic!("{outcome:?}") };
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["intact"], &report["findings"][0]["from"]), (&false.into(), &7.into()));

    fs::remove_file(desk.path().join("audit/trail-000000000001.jsonl")).unwrap();
    fs::write(&file, text).unwrap();
    let (outcome, _) = say(desk.path(), &["verify"]);
    assert!(matches!(outcome, Err(Trouble::No(why)) if why.contains("records 1 to 6 are missing")));
    let (outcome, _) = say(desk.path(), &["verify", "--archived"]);
    assert!(matches!(outcome, Err(Trouble::No(why)) if !why.contains("missing")));
}

#[test]
fn without_a_trail_it_is_said_when_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let (outcome, _) = say(folder.path(), &["tail"]);
    assert!(matches!(outcome, Err(Trouble::Failed(why)) if why.contains("first runs")));
}

/// Twelve records, written by whoever has the key.
fn signed_desk() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let entropy: &dyn Entropy = &SeededEntropy::new(3);
    let signer = feeds::keys::load_or_create_signer(&folder.path().join("keys"), entropy).unwrap();
    let trail = Trail::open(&trail::folder(folder.path()), signer).unwrap();
    for _ in 0..12 {
        trail.write(Wall::from_secs(1_800_000_000), "user-added".into(), Fields::new());
    }
    assert!(trail.flush());
    drop(trail);
    folder
}

#[test]
fn r29_verify_checks_signatures_and_what_was_noted_elsewhere() {
    let (desk, other) = (signed_desk(), signed_desk());
    let text = say(desk.path(), &["verify"]).0.unwrap();
    assert!(text.contains("13 records in 1 files") && text.contains("1 checkpoints are signed"), "{text}");
    let noted = say(desk.path(), &["checkpoint"]).0.unwrap();
    assert!(noted.starts_with("13:"), "{noted}");
    assert!(say(desk.path(), &["verify", "--against", noted.trim()]).0.is_ok());
    let wrong = format!("13:{}", "0".repeat(64));
    let (outcome, _) = say(desk.path(), &["verify", "--against", &wrong]);
    assert!(matches!(outcome, Err(Trouble::No(why)) if why.contains("another one than was noted")));

    // The other place has the same key by the same dice; another key is not taken.
    let key = say(other.path(), &["key"]).0.unwrap();
    assert!(say(desk.path(), &["verify", "--key", key.trim()]).0.is_ok());
    let stranger = data_encoding::BASE64.encode(&[7; 32]);
    let (outcome, _) = say(desk.path(), &["verify", "--key", &stranger]);
    assert!(matches!(outcome, Err(Trouble::No(why)) if why.contains("checkpoint 13 is not signed")));

    fs::remove_file(desk.path().join("audit/head")).unwrap();
    let (outcome, _) = say(desk.path(), &["verify"]);
    assert!(
        matches!(outcome, Err(Trouble::No(why)) if why.contains("head: the file that names the last record is gone"))
    );
}

#[test]
fn r29_verify_without_the_key_in_the_data_directory_is_not_intact() {
    let desk = signed_desk();
    fs::remove_file(desk.path().join("keys/audit.pem")).unwrap();
    let (outcome, _) = say(desk.path(), &["verify"]);
    assert!(matches!(outcome, Err(Trouble::No(why)) if why.contains("there is no key here")));
}

#[test]
fn r29_verify_of_a_folder_without_records_is_an_error_and_not_intact() {
    let (desk, empty) = (signed_desk(), tempfile::tempdir().unwrap());
    let folder = empty.path().to_str().unwrap();
    let (outcome, _) = say(desk.path(), &["verify", "--folder", folder]);
    assert!(matches!(outcome, Err(Trouble::Failed(why)) if why.contains("there are no records in")));
    for name in ["trail-000000000001.jsonl", "head"] {
        fs::remove_file(desk.path().join("audit").join(name)).unwrap();
    }
    let noted = format!("3:{}", "0".repeat(64));
    assert!(matches!(say(desk.path(), &["verify"]).0, Err(Trouble::Failed(_))));
    assert!(matches!(say(desk.path(), &["verify", "--against", &noted]).0, Err(Trouble::No(_))));
}

#[test]
fn r29_verify_names_what_a_start_found_unsigned_until_it_is_accepted() {
    let desk = signed_desk();
    fs::remove_file(desk.path().join("audit/head")).unwrap();
    let signer = feeds::keys::signer(&desk.path().join("keys")).unwrap().unwrap();
    drop(Trail::open(&trail::folder(desk.path()), signer).unwrap());
    let (outcome, _) = say(desk.path(), &["verify"]);
    let Err(Trouble::No(why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("no record between 13 and this one") && why.contains("--accept 14"), "{why}");
    let text = say(desk.path(), &["verify", "--accept", "3,14"]).0.unwrap();
    assert!(text.contains("taken on your word, as --accept 14 says"), "{text}");
    let text = say(desk.path(), &["verify", "--accept", "14", "--json"]).0.unwrap();
    let said: serde_json::Value = serde_json::from_str(&text).unwrap();
    let accepted = serde_json::json!([{ "record": 14, "from": 14, "to": 13 }]);
    assert_eq!((&said["intact"], &said["accepted"]), (&true.into(), &accepted));
}

#[test]
fn r29_checkpoint_prints_nothing_that_the_head_does_not_vouch_for() {
    let desk = signed_desk();
    let file = desk.path().join("audit/trail-000000000001.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let mut last = crate::rules::trail::read(text.lines().last().unwrap().as_bytes()).unwrap().link();
    let known = format!("{last}\n");
    let forged = line(&mut last, Wall::from_secs(1_800_000_000), "banned", &Fields::new()) + "\n";
    fs::write(&file, text + &forged).unwrap();
    assert_eq!(say(desk.path(), &["checkpoint"]).0, Ok(known));
    fs::remove_file(desk.path().join("audit/head")).unwrap();
    let (outcome, _) = say(desk.path(), &["checkpoint"]);
    assert!(matches!(outcome, Err(Trouble::No(why)) if why.contains("panelgate audit verify")));
}

#[test]
fn r29_a_line_that_was_changed_is_shown_as_that_wherever_records_are_shown() {
    let desk = desk();
    let file = desk.path().join("audit/trail-000000000007.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("dave", "mallory", 1)).unwrap();
    for words in [
        &["tail", "-n", "3"][..],
        &["search", "--user", "nobody"],
        &["search", "--event", "sign-in-failed", "--limit", "3"],
        &["export"],
        &["export", "--format", "ocsf", "--user", "nobody"],
    ] {
        let (_, out) = say(desk.path(), words);
        assert!(out.contains("trail-altered") && !out.contains("mallory"), "{words:?}: {out}");
    }
    let (_, out) = say(desk.path(), &["tail", "-n", "3"]);
    assert!(out.contains("file=trail-000000000007.jsonl line=2"), "{out}");
}

#[test]
fn verify_says_which_lines_a_start_has_closed() {
    let desk = signed_desk();
    let file = desk.path().join("audit/trail-000000000001.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + "junk\n").unwrap();
    let signer = feeds::keys::signer(&desk.path().join("keys")).unwrap().unwrap();
    drop(Trail::open(&trail::folder(desk.path()), signer).unwrap());
    let text = say(desk.path(), &["verify"]).0.unwrap();
    assert!(text.contains("lines that are no records stand before 14:"), "{text}");
}

#[test]
fn r29_verify_of_an_archive_says_which_records_are_there() {
    let desk = signed_desk();
    let folder = desk.path().join("audit");
    let text = say(desk.path(), &["verify", "--folder", folder.to_str().unwrap()]).0.unwrap();
    assert!(text.contains("here are records 1 to 13"), "{text}");
    let file = folder.join("trail-000000000001.jsonl");
    let lines = fs::read_to_string(&file).unwrap();
    fs::write(&file, lines.split_inclusive('\n').skip(4).collect::<String>()).unwrap();
    let fourth = lines.lines().nth(3).and_then(|line| crate::rules::trail::read(line.as_bytes()).ok());
    let fourth = fourth.unwrap().link().to_string();
    let asked = ["verify", "--folder", folder.to_str().unwrap()];
    let (outcome, _) = say(desk.path(), &asked);
    assert!(matches!(outcome, Err(Trouble::No(why)) if why.contains("here are records 5 to 13")));
    assert!(say(desk.path(), &[&asked[..], &["--after", &fourth]].concat()).0.is_ok());
}

#[test]
fn records_are_exported_in_the_forms_of_other_programs() {
    let desk = desk();
    for (format, wanted) in [
        ("jsonl", r#"{"agent":"#),
        ("ocsf", r#""class_uid":3002"#),
        ("cef", "CEF:0|Panelgate|Panelgate|"),
        ("syslog", "<84>1 2027-01-15T08:00:00.000Z "),
    ] {
        let (_, out) = say(desk.path(), &["export", "--format", format, "--user", "carol"]);
        assert_eq!(
            out.lines().filter(|line| line.contains(wanted)).count(),
            if format == "syslog" { 1 } else { 5 },
            "{format}: {out}"
        );
        assert_eq!(out.lines().count(), 5);
        let (_, out) = say(desk.path(), &["tail", "-n", "2", "--format", format]);
        assert_eq!(out.lines().count(), 2);
    }
}
