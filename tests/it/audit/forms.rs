//! What is exported is read by programs that are not ours: every event, with values that would break out if they could.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use panelgate::{
    clock::Wall,
    rules::trail::{
        self, Fields, Link, Record,
        events::EVENTS,
        export::{Form, Source, line},
        read,
    },
};

use crate::support::{process::program, workspace};

const NASTY: &str = "a|b=c \\ \"d\" ]e[ \u{1b}\n<&>ü 日本";

/// Two of each event: one with plain members, one with nasty ones.
fn records() -> Vec<Record> {
    let mut link = Link::default();
    let mut all = Vec::new();
    for (number, event) in (0..).zip(EVENTS.iter().chain(EVENTS)) {
        let mut fields = Fields::new();
        let value = if number < EVENTS.len() { "plain" } else { NASTY };
        for name in event.members.split_whitespace().chain(["user", "by", "session", "decision", "device"]) {
            fields.insert(name.to_owned(), value.into());
        }
        if number % 3 != 0 {
            let client = if number % 2 == 0 { "203.0.113.9" } else { "2001:db8::9" };
            fields.insert("client".into(), client.into());
            fields.insert("country".into(), "SE".into());
        }
        let text = trail::line(&mut link, Wall::from_millis(1_800_000_000_123), event.name, &fields);
        all.push(read(text.as_bytes()).expect("it was just written"));
    }
    all
}

fn export(form: Form, to: &Path) {
    let source = Source { host: "gate.example".into(), version: "0.1.0" };
    let mut text = String::new();
    for record in records() {
        writeln!(text, "{}", line(&record, form, &source)).expect("it is memory");
    }
    fs::write(to, text).expect("the workspace is writable");
}

fn judged(python: &Path, script: &str, file: &Path, more: &[&str]) {
    let output = Command::new(python)
        .arg(workspace::repository("tests/it/audit").join(script))
        .arg(file)
        .args(more)
        .output()
        .expect("python starts");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(&format!("{} read", EVENTS.len() * 2)), "{said}");
}

#[test]
fn every_event_is_valid_by_the_published_schema_of_ocsf() {
    let file = workspace::directory("audit-forms").join("ocsf.jsonl");
    export(Form::Ocsf, &file);
    let schemas = workspace::repository("tests/data/ocsf").display().to_string();
    judged(Path::new("/usr/bin/python3"), "ocsf.py", &file, &[&schemas]);
}

#[test]
fn every_event_is_read_back_by_a_parser_of_cef() {
    let file = workspace::directory("audit-forms").join("cef.txt");
    export(Form::Cef, &file);
    judged(&program("python"), "cef.py", &file, &[NASTY]);
}

#[test]
fn every_event_is_read_back_by_a_parser_of_rfc_5424() {
    let file = workspace::directory("audit-forms").join("syslog.txt");
    export(Form::Syslog, &file);
    judged(&program("python"), "syslog.py", &file, &[NASTY]);
}
