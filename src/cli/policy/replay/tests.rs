use std::{fs, time::Duration};

use super::*;
use crate::{
    config,
    feeds::journal::Journal,
    rules::{
        outcome::DecisionId,
        reason::Reason,
        record::{Gap, Limits, Missing, Record, Said, tests::sample},
    },
};

const POLICY: &str = "\
version: 1
roles: [root, admin]
pages:
  - { name: users, paths: [\"/users/**\"], access: { root: full, admin: full } }
";

fn records() -> Vec<Record> {
    let mut records: Vec<Record> = (0..5_u8)
        .map(|number| {
            let mut record = sample("GET", &format!("/users/{number}"));
            record.decision = DecisionId([0, 0, 0, 0, number]);
            record.at = record.at.plus(Duration::from_secs(u64::from(number)));
            record
        })
        .collect();
    records[4].reply.said = Said::Throttle { millis: 1 };
    records[4].reply.reason = Reason::RateLimited;
    records
}

fn judged(folder: &std::path::Path, chosen: Chosen) -> Told {
    let policy = folder.join("policy.yaml");
    fs::write(&policy, POLICY).unwrap();
    let rules = config::load_policy(&policy, &config::Environment::new()).unwrap().0;
    read(&Reader::new(&folder.join("journal")), &rules, chosen, QuietArgs { quiet: true }).unwrap()
}

fn args() -> ReplayArgs {
    #[derive(clap::Parser)]
    struct Only {
        #[command(flatten)]
        args: ReplayArgs,
    }
    <Only as clap::Parser>::parse_from(["replay", "new.yaml"]).args
}

#[test]
fn a_journal_is_judged_file_by_file_and_everything_that_is_not_judged_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let records = records();
    for (at, record) in (0..).zip(&records) {
        // Each writer has a file of its own.
        let mut journal = Journal::open(&folder.path().join("journal"), Limits::default()).unwrap();
        let now = record.at.plus(Duration::from_millis(at));
        assert_eq!(journal.append(std::slice::from_ref(record), now).lost, 0);
        if at == 4 {
            let gap = Gap { since: now, until: now, missing: 12, why: Missing::Busy };
            journal.admit(gap).unwrap();
        }
    }
    let told = judged(folder.path(), Chosen::default());
    assert_eq!((told.replayed.judged, told.replayed.totals.opens, told.foreign, told.gone), (4, 4, 0, 0));
    let shown = text(&told, &args());
    for part in [
        "   COUNT  PAGE",
        "+  4      no page → users  admin  bob   read   refused (role-lacks-access)  allowed (full)  0000-000",
        "4 decisions were judged again between 2026-11-25T12:00:00Z and 2026-11-25T12:00:03Z: 0 come out as they did, 4 open",
        "not judged: 1 turned away by a limit or a quota\n",
        "missing from the journal: 12 between ",
        "the journal has what was allowed: nothing\n",
        "the journal has refusals of people who are known: since 2026-11-25T12:00:00Z\n",
    ] {
        assert!(shown.contains(part), "{part:?} in\n{shown}");
    }
    let document = document(&told, 0);
    assert_eq!((&document["more"], &document["flips"]), (&json!(4), &json!([])));
    assert_eq!(document["not_judged"], json!({ "limit": 1 }));
    assert_eq!(document["journal"]["missing"][0]["decisions"], json!(12));
}

#[test]
fn an_empty_journal_is_no_answer_of_yes() {
    let folder = tempfile::tempdir().unwrap();
    let told = judged(folder.path(), Chosen::default());
    assert!(text(&told, &args()).starts_with("no decision was judged again\n"));
}
