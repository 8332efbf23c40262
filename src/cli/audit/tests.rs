use std::fs;

use clap::Parser;

use super::{AuditArgs, carry_out};
use crate::{
    cli::verdict::Trouble,
    clock::Wall,
    rules::trail::{Fields, Link, line},
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
        fs::write(folder.path().join(name), text).unwrap();
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
    let mut fields = Fields::new();
    fields.insert("why".into(), "config.yaml:2:1: error\n  |\n  help: mend it\n".into());
    let record = line(&mut Link::default(), Wall::from_secs(1_800_000_000), "reload-failed", &fields);
    fs::write(folder.path().join("trail-000000000001.jsonl"), record + "\n").unwrap();
    let (_, out) = say(folder.path(), &["tail"]);
    assert!(out.ends_with("why=\"config.yaml:2:1: error…\"\n") && !out.contains('\u{fffd}'), "{out}");
    let (_, out) = say(folder.path(), &["tail", "--json"]);
    assert!(out.contains("help: mend it"), "{out}");
}

#[test]
fn r29_verify_says_which_record_was_altered_and_where() {
    let desk = desk();
    let (outcome, _) = say(desk.path(), &["verify"]);
    assert!(outcome.unwrap().contains("10 records in 2 files"));
    let file = desk.path().join("trail-000000000007.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("carol", "mallory", 1)).unwrap();
    let (outcome, _) = say(desk.path(), &["verify"]);
    let Err(Trouble::No(why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("trail-000000000007.jsonl:1") && why.contains("record 7 was changed"), "{why}");
    let (outcome, _) = say(desk.path(), &["verify", "--json"]);
    let Err(Trouble::Report(report)) = outcome else { panic!("{outcome:?}") };
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["intact"], &report["findings"][0]["from"]), (&false.into(), &7.into()));

    fs::remove_file(desk.path().join("trail-000000000001.jsonl")).unwrap();
    fs::write(&file, text).unwrap();
    let (outcome, _) = say(desk.path(), &["verify"]);
    assert!(matches!(outcome, Err(Trouble::No(why)) if why.contains("records 1 to 6 are missing")));
    assert!(say(desk.path(), &["verify", "--archived"]).0.is_ok());
}

#[test]
fn without_a_trail_it_is_said_when_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let (outcome, _) = say(&folder.path().join("audit"), &["tail"]);
    assert!(matches!(outcome, Err(Trouble::Failed(why)) if why.contains("first runs")));
}
