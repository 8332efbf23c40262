//! What others write. `tests/data/crowdsec` was written by CrowdSec itself.

use std::{fs, path::Path};

use super::*;

fn sample(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/crowdsec").join(name)).unwrap()
}

fn read(text: &str) -> List {
    List::read(text, None, None, 0)
}

fn whom(list: &List) -> Vec<&str> {
    let mut whom: Vec<_> = list.bans.iter().map(|ban| ban.whom.as_str()).collect();
    whom.sort_unstable();
    whom
}

fn said(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|one| format!("{}: {}", one.line, one.what)).collect()
}

#[test]
fn what_cscli_and_the_local_api_write_is_read() {
    for name in ["alerts.json", "decisions.json", "stream.json", "raw.csv"] {
        let text = sample(name);
        let list = read(&text);
        assert_eq!(list.problems, [], "{name}");
        let expected = ["198.51.100.0/24", "2001:db8::7", "203.0.113.7", "country:DE"];
        let without_country: Vec<_> = expected.into_iter().filter(|one| *one != "country:DE").collect();
        let found = whom(&list);
        assert!(found == expected || found == without_country, "{name}: {found:?}");
        let attack = list.bans.iter().find(|ban| ban.whom == "203.0.113.7").unwrap();
        assert_eq!(attack.reason, "web 'attack', manual", "{name}");
        assert!(
            attack.seconds.is_some_and(|seconds| (13_000..14_400).contains(&seconds)),
            "{name}: {attack:?}"
        );
    }
}

#[test]
fn what_is_no_ban_is_left_out_and_said() {
    let text = r#"[
 {"duration":"9m59.47s","origin":"cscli","scenario":"as","scope":"AS","type":"captcha","value":"64500"},
 {"duration":"4h","scope":"username","type":"ban","value":"carol"},
 {"duration":"-3m0s","scope":"Ip","type":"ban","value":"203.0.113.1"},
 {"duration":"4h","scope":"Ip","type":"ban","value":"203.0.113.2","simulated":true},
 {"duration":"1h29m58.471791701s","scope":"ip","value":"203.0.113.3"}
]"#;
    let list = read(text);
    assert_eq!((whom(&list), list.bans[0].seconds), (vec!["203.0.113.3"], Some(5399)));
    let skipped = said(&list.skipped);
    for (line, what) in skipped.iter().zip([
        "2: 64500",
        "3: there are no bans of the scope `username`",
        "4: the ban of",
        "5: 203.0.113.2",
    ]) {
        assert!(line.starts_with(what), "{line}");
    }
    assert_eq!((skipped.len(), list.problems.len()), (4, 0));
}

#[test]
fn every_mistake_in_decisions_has_its_line() {
    let json = "[\n {\"value\":\"203.0.113.1\"},\n {\"value\":\"nonsense\"},\n {\"scope\":\"ip\"},\n 7,\n {\"value\":\"203.0.113.2\",\"duration\":\"soon\"}\n]";
    let lines: Vec<u64> = read(json).problems.iter().map(|one| one.line).collect();
    assert_eq!(lines, [3, 4, 5, 6]);
    let csv = "duration,scope,value\n4h,ip,203.0.113.1\n4h,ip\nlong,ip,203.0.113.2\n4h,Country,XX\n";
    let lines: Vec<u64> = read(csv).problems.iter().map(|one| one.line).collect();
    assert_eq!(lines, [3, 4, 5]);
    let nested = r#"[{"decisions":[{"value":"203.0.113.1"},{"value":"x"}]},{"decisions":null}]"#;
    assert!(said(&read(nested).problems)[0].contains("decisions[1]: `x` is neither"));
    for broken in ["[{\"value\":", "{\"new\":7}", "{", "[1"] {
        assert_eq!(
            List::read(broken, Some(Format::Crowdsec), None, 0).problems.len(),
            1 + usize::from(broken == "[1"),
            "{broken}"
        );
    }
    assert_eq!(read("null"), List::default(), "the local API says so when there is nothing");
    assert_eq!(read("{\"new\":null,\"deleted\":null}"), List::default());
}

#[test]
fn a_column_says_the_scope_or_the_value_does() {
    let csv = "id,source,ip,action,expiration\n1,CAPI,Range:192.0.2.0/24,ban,1h0m0s\n2,lists,AS:64500,ban,2h\n3,x,Ip:2001:db8::1,ban,1m\n4,x,2001:db8::2,ban,1m\n";
    let list = read(csv);
    assert_eq!(list.problems, []);
    assert_eq!(whom(&list), ["192.0.2.0/24", "2001:db8::1", "2001:db8::2", "asn:64500"]);
}

#[test]
fn plain_lists_of_several_makers_are_read() {
    let text = "\u{feff}#\n# firehol_level1\n#\n1.10.16.0/20\n\n5.188.10.176 ; SBL\ncreate x hash:net family inet\nadd x 203.0.113.0/24 timeout 60\nadd x 203.0.113.9\n  2001:db8::/48  \n";
    let list = List::read(text, None, Some(60), 0);
    assert_eq!(list.problems, []);
    assert_eq!(
        whom(&list),
        ["1.10.16.0/20", "2001:db8::/48", "203.0.113.0/24", "203.0.113.9", "5.188.10.176"]
    );
    assert!(list.bans.iter().all(|ban| ban.seconds == Some(60)));
    assert_eq!(said(&read("1.2.3.4-1.2.3.9\n").problems).len(), 1, "a range is no network");
    assert_eq!(read("# nothing\n").problems.len(), 1);
}

#[test]
fn reasons_are_one_line_and_not_long() {
    let text =
        serde_json::json!([{ "value": "203.0.113.1", "scenario": format!("a\nb{}", "x".repeat(500)) }]);
    let list = read(&text.to_string());
    assert!(ban::reason(&list.bans[0].reason).is_ok_and(|reason| reason.len() == LONGEST_REASON));
}
