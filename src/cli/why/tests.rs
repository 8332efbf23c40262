use std::time::Duration;

use super::*;
use crate::{
    clock::Wall,
    portal::tests::support::rules,
    rules::{
        reason::Reason,
        record::{
            Change, Gap, Missing, Person, Record, Said, Span,
            tests::{person, sample},
        },
        session::{Elevation, Factor},
    },
};

fn told(record: Record) -> String {
    let now = record.at.plus(Duration::from_secs(3700));
    let policy = rules(&serde_json::json!({
        "version": 1,
        "roles": ["root", "admin"],
        "pages": [{ "name": "users", "paths": ["/users/**"], "access": { "root": "full", "admin": { "unelevated": "none", "elevated": "full" } } }],
    }));
    let report = Report { records: vec![record], now: None, span: Span::default() };
    text::explain(&report.under(Some(&policy)), now)
}

#[test]
fn a_refusal_is_told_from_the_address_to_what_would_have_allowed_it() {
    let mut record = sample("GET", "/users/7");
    record.reply.ways = vec![
        vec![Change::SecondFactor],
        vec![
            Change::From(vec!["10.0.0.0/8".parse().unwrap(), "192.0.2.0/24".parse().unwrap()]),
            Change::Enrol,
        ],
    ];
    let text = told(record.clone());
    for part in [
        "0410-6105  deny: role-lacks-access\n",
        "when          2026-11-25T12:00:00Z (1h1m ago)\n",
        "asked         GET https://panel.example.com/users/7\n",
        "at the sidecar (forward-auth), needs read\n",
        "client        203.0.113.77 (SE)\n",
        "credentials   the gate's cookie\n",
        "who           bob, role admin, second factor set up\n",
        "              session abcdefghijklmnop, opened 0s before\n",
        "allowed by    proving the second factor\n",
        "              coming from 10.0.0.0/8 or 192.0.2.0/24, and setting up a second factor\n",
        "addresses are shortened at 2026-11-26T12:00:00Z",
        "it says step-up (needs-elevation) to this request\n",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    record.shorten(record.at.plus(Duration::from_secs(86_400)));
    let text = told(record);
    assert!(text.contains("addresses were shortened at 2026-11-26T12:00:00Z"), "{text}");
    assert!(!text.contains("203.0.113.77"), "{text}");
}

#[test]
fn nothing_a_client_sent_steers_the_terminal() {
    let mut record = sample("GET", "/users/7");
    record.asked.host = "\u{1b}[31mhost".into();
    record.client.hops = vec!["\u{1b}]0;title\u{7}".into()];
    record.reply.said = Said::Throttle { millis: 1500 };
    assert!(!told(record).contains('\u{1b}'));
}

#[test]
fn where_nothing_is_known_the_journal_says_what_it_covers() {
    let at = Wall::from_secs(1_795_608_000);
    let gap = Gap { since: at, until: at, missing: 12, why: Missing::Busy };
    let span = Span { refused: Some(at), gaps: vec![gap], ..Span::default() };
    let text = text::unknown(DecisionId([0; 5]), &span);
    assert!(text.contains("no decision 0000-0000"), "{text}");
    assert!(text.contains("known: since 2026-11-25T12:00:00Z") && text.contains("missing: 12"), "{text}");
}

#[test]
fn a_proof_that_counted_is_not_said_to_count_for_nothing() {
    let mut record = sample("GET", "/users/7");
    let proof = Elevation { at: record.at, by: Factor::Totp };
    record.at = record.at.plus(Duration::from_secs(135));
    record.who = Some(person("root", Some(proof)));
    record.reply.said = Said::Throttle { millis: 1500 };
    record.reply.reason = Reason::PageLimit;
    let text = told(record.clone());
    assert!(text.contains("second factor by a code 2m15s before\n"), "{text}");
    record.reply.said = Said::StepUp { readable: false };
    record.reply.reason = Reason::NeedsElevation;
    let text = told(record);
    assert!(
        text.contains("second factor by a code 2m15s before; does not count here, or no longer\n"),
        "{text}"
    );
}

#[test]
fn of_an_ambiguous_path_it_is_said_that_nobody_was_looked_at_and_how_to_spell_it() {
    let mut record = sample("GET", "/users/a//b");
    record.who = Some(Person { accepted: false, ..person("root", None) });
    record.reply.said = Said::BadRequest;
    record.reply.reason = Reason::AmbiguousTarget;
    let text = told(record);
    assert!(text.contains("; the credential was not looked at\n"), "{text}");
    assert!(
        text.contains("allowed by    spelling the path plainly, or `allow_in_path` on the page\n"),
        "{text}"
    );
    assert!(!text.contains("not accepted") && !text.contains("no role"), "{text}");
}
