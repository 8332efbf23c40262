//! What other programs read: parsers that are not ours are asked in `tests/it/audit`.

use super::{Form, Source, line};
use crate::{
    clock::Wall,
    rules::trail::{self, Fields, Link, Record, read},
};

fn record(event: &str, members: &[(&str, &str)]) -> Record {
    let mut fields = Fields::new();
    for (name, value) in members {
        fields.insert((*name).to_owned(), (*value).into());
    }
    let text = trail::line(&mut Link::default(), Wall::from_millis(1_800_000_000_123), event, &fields);
    read(text.as_bytes()).unwrap()
}

fn shown(record: &Record, form: Form) -> String {
    line(record, form, &Source { host: "gate one".into(), version: "0.1.0" })
}

#[test]
fn cef_escapes_what_would_end_a_value_and_keeps_to_one_line() {
    let record = record(
        "sign-in-failed",
        &[("user", "a|b=c\\d\ne"), ("client", "203.0.113.9"), ("outcome", "refused"), ("own", "x=y")],
    );
    let text = shown(&record, Form::Cef);
    assert!(text.starts_with("CEF:0|Panelgate|Panelgate|0.1.0|sign-in-failed|a wrong name or password|6|rt=1800000000123 externalId=1 "), "{text}");
    assert!(text.contains(r"duser=a|b\=c\\d\ne"), "{text}");
    assert!(
        text.contains("src=203.0.113.9") && text.contains("outcome=failure") && !text.contains('\n'),
        "{text}"
    );
    let text = shown(&super::tests::record("signed-out", &[("client", "2001:db8::1")]), Form::Cef);
    assert!(text.contains("c6a2=2001:db8::1") && !text.contains(" src="), "{text}");
}

#[test]
fn syslog_escapes_what_would_end_a_value_and_keeps_to_one_line() {
    let record = record("sign-in-failed", &[("user", "a]b\"c\\d\ne"), ("a b", "x")]);
    let text = shown(&record, Form::Syslog);
    assert!(
        text.starts_with(
            "<84>1 2027-01-15T08:00:00.123Z gateone panelgate - sign-in-failed [panelgate@32473 seq=\"1\""
        ),
        "{text}"
    );
    assert!(text.contains(r#"user="a\]b\"c\\d e""#) && text.contains(r#" ab="x""#), "{text}");
    assert!(text.ends_with("] a wrong name or password"), "{text}");
}

#[test]
fn ocsf_names_class_actor_and_place() {
    let record = record(
        "impersonated-write",
        &[
            ("operator", "root"),
            ("user", "alice"),
            ("client", "203.0.113.9"),
            ("country", "SE"),
            ("method", "DELETE"),
        ],
    );
    let event: serde_json::Value = serde_json::from_str(&shown(&record, Form::Ocsf)).unwrap();
    assert_eq!((event["class_uid"].as_u64(), event["type_uid"].as_u64()), (Some(6003), Some(600_304)));
    assert_eq!(event["time"].as_u64(), Some(1_800_000_000_123));
    assert_eq!(event["actor"]["user"]["name"], "root");
    assert_eq!(event["resources"][0]["name"], "alice");
    assert_eq!(event["src_endpoint"]["location"]["country"], "SE");
    let wrong = super::tests::record("second-factor", &[("proved", "no")]);
    let event: serde_json::Value = serde_json::from_str(&shown(&wrong, Form::Ocsf)).unwrap();
    assert_eq!(
        (event["status_id"].as_u64(), event["activity_name"].as_str()),
        (Some(2), Some("second-factor"))
    );
}
