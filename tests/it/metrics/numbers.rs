//! A working day in numbers.

use std::path::Path;

use serde_json::json;

use super::{
    ask_sidecar,
    exposition::{Page, Sample, promtool},
};
use crate::support::{
    browser::{Browser, background},
    gate::{self},
    house::House,
};

const BANNED: &str = "198.51.100.9";

fn page(house: &House) -> Page {
    Page::read(&house.metrics("/metrics"))
}

/// People sign in, look, are refused, renew, prove codes; somebody steals, somebody is banned: each is counted once and
/// where it belongs, promtool has nothing to say, and no label says who or where.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_counted() {
    let house = House::start_with("metrics", "log: { format: json }\n");
    let before = page(&house);
    for (name, labels) in [
        ("panelgate_refreshes_total", [("result", "reused")]),
        ("panelgate_limited_total", [("class", "sign-in")]),
        ("panelgate_decisions_total", [("reason", "store-unavailable")]),
    ] {
        assert_eq!(before.sum(name, &labels), 0, "it is there before it happens: {name}");
    }
    decisions(&house).await;
    tokens(&house).await;
    factors_and_limits(&house).await;
    guesses(&house).await;
    bans(&house);

    let after = page(&house);
    assert_eq!(promtool(&["check", "metrics"], Path::new("/"), &after.text), "");
    no_label_says_who(&after);
    assert!(after.sum("panelgate_store_commit_duration_seconds_count", &[]) >= 4);
    let (writes, commits) = (
        after.sum("panelgate_store_commit_writes_sum", &[]),
        after.sum("panelgate_store_commit_writes_count", &[]),
    );
    assert!(writes >= commits && commits > 0, "{writes} writes in {commits} commits");
    assert_eq!(after.sum("panelgate_store_failed_commits_total", &[]), 0);
    assert_eq!(after.sum("panelgate_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1);
    logs_are_json(&house);
}

async fn decisions(house: &House) {
    let before = page(house);
    let somebody = house.somebody().await;
    for _ in 0..3 {
        assert_eq!(somebody.background("GET", "/echo/x").await.status, 200);
    }
    assert_eq!(somebody.background("GET", "/echo/blocked/x").await.status, 403);
    assert_eq!(Browser::new(house.client()).background("GET", "/echo/x").await.status, 401);
    assert!(ask_sidecar(house, "192.0.2.7", "/echo/x", "").starts_with("HTTP/1.1 401"));
    let after = page(house);
    let more = |labels: &[(&str, &str)]| {
        let name = "panelgate_decisions_total";
        let before = before.samples.iter().filter(|sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(*label).is_some_and(|own| own == value))
        });
        after.sum(name, labels) - before.map(Sample::count).sum::<i64>()
    };
    assert_eq!(more(&[("door", "edge"), ("outcome", "allow"), ("reason", "role-allows")]), 3);
    assert_eq!(more(&[("door", "edge"), ("outcome", "deny"), ("reason", "role-lacks-access")]), 1);
    assert_eq!(more(&[("door", "edge"), ("outcome", "sign-in"), ("reason", "no-credential")]), 1);
    assert_eq!(more(&[("door", "sidecar"), ("outcome", "sign-in"), ("reason", "no-credential")]), 1);
    assert_eq!(more(&[("outcome", "allow"), ("door", "sidecar")]), 0);
    let took = |stage: &str, door: &str, page: &Page| {
        page.sum("panelgate_stage_duration_seconds_count", &[("stage", stage), ("door", door)])
    };
    let took = |stage, door| took(stage, door, &after) - took(stage, door, &before);
    assert_eq!(took("decision", "edge"), 5);
    assert_eq!(took("decision", "sidecar"), 1);
    assert_eq!(took("panel", "edge"), 3);
    assert_eq!(took("answer", "edge"), 2);
    assert_eq!(took("answer", "sidecar"), 1);
    assert_eq!(took("portal", "edge"), 1);
    assert_eq!(after.sum("panelgate_sessions", &[]) - before.sum("panelgate_sessions", &[]), 1);
    assert_eq!(after.sum("panelgate_sessions_opened_total", &[("by", "portal")]), 1);
    assert_eq!(after.sum("panelgate_password_wait_seconds_count", &[]), 1);
    assert_eq!(after.sum("panelgate_password_queue", &[]), 0);
}

async fn tokens(house: &House) {
    let before = page(house);
    let owner = house.somebody().await;
    let thief = owner.copy();
    assert_eq!(owner.refresh().await.status, 200);
    assert_eq!(thief.copy().refresh().await.status, 200, "the answer may have been lost: the same again");
    assert_eq!(owner.refresh().await.status, 200);
    assert_eq!(thief.refresh().await.status, 401, "two generations ago");
    assert_eq!(owner.refresh().await.status, 401, "the session is over");
    assert_eq!(Browser::new(house.client()).refresh().await.status, 401, "nothing to renew");
    let after = page(house);
    let more = |result| {
        let of = |page: &Page| page.sum("panelgate_refreshes_total", &[("result", result)]);
        of(&after) - of(&before)
    };
    let results = ["rotated", "repeated", "reused", "dead", "invalid", "limited", "failed"].map(more);
    assert_eq!(results, [2, 1, 1, 1, 1, 0, 0]);
    assert_eq!(after.sum("panelgate_sessions", &[]), before.sum("panelgate_sessions", &[]));
}

async fn factors_and_limits(house: &House) {
    let before = page(house);
    let (operator, password) = house.gate.operator();
    let person = Browser::signed_in(house.client(), &operator.name, password).await;
    let wrong = format!("{:06}", (operator.code().parse::<u32>().unwrap() + 1000) % 1_000_000);
    assert_eq!(person.api("POST", "second-factor", &json!({ "code": wrong })).await.status, 401);
    assert_eq!(person.api("POST", "second-factor", &json!({ "code": operator.code() })).await.status, 200);
    let code = json!({ "backup_code": operator.backup_code });
    assert_eq!(person.api("POST", "second-factor", &code).await.status, 200);
    let (name, password) = gate::user("user");
    let hasty = Browser::new(house.client());
    let mut last = 0;
    for _ in 0..30 {
        last = hasty.api("POST", "sign-in", &json!({ "username": name, "password": password })).await.status;
        if last == 429 {
            break;
        }
    }
    assert_eq!(last, 429);
    let after = page(house);
    for (factor, times) in [("totp", 1), ("backup-code", 1)] {
        assert_eq!(after.sum("panelgate_elevations_total", &[("factor", factor)]), times);
    }
    assert_eq!(after.sum("panelgate_elevated_sessions", &[]), 1);
    assert_eq!(after.sum("panelgate_failures_total", &[("what", "second-factor")]), 1);
    let limited = |page: &Page| page.sum("panelgate_limited_total", &[("class", "sign-in")]);
    assert_eq!(limited(&after) - limited(&before), 1);
}

/// What is no password and no code: an API key and a refresh token that nobody was given, and a trap.
async fn guesses(house: &House) {
    let counted = || {
        ["key", "refresh", "trap"].map(|what| page(house).sum("panelgate_failures_total", &[("what", what)]))
    };
    assert_eq!(counted(), [0, 0, 0], "they are there before they happen");
    let key = panelgate::rules::api_key::KeyText::generate([9; 32]);
    let key = format!("X-Api-Key: {}\r\n", key.expose());
    assert!(ask_sidecar(house, "192.0.2.17", "/echo/x", &key).starts_with("HTTP/1.1 401"));
    let token = house.somebody().await.cookie("__Secure-gate_refresh").expect("somebody has signed in");
    let (head, _) = token.rsplit_once('.').expect("a refresh token has three parts");
    let forged = format!("__Secure-gate_refresh={head}.{}", data_encoding::BASE64URL_NOPAD.encode(&[7; 32]));
    let ask = background("POST", "/_gate/refresh").field("Cookie", &forged).body("application/json", "{}");
    assert_eq!(house.client().send(&ask).await.status, 401);
    assert!(ask_sidecar(house, "192.0.2.17", "/backup/.env", "").starts_with("HTTP/1.1 403"));
    assert_eq!(counted(), [1, 1, 1]);
}

fn bans(house: &House) {
    let config = house.directory.join("config.yaml");
    let added = std::process::Command::new(env!("CARGO_BIN_EXE_panelgate"))
        .args(["ban", "add", BANNED, "--config"])
        .arg(config)
        .output();
    assert!(added.is_ok_and(|output| output.status.success()));
    assert!(ask_sidecar(house, BANNED, "/echo/x", "").starts_with("HTTP/1.1 403"));
    let after = page(house);
    assert_eq!(after.sum("panelgate_bans", &[]), 1);
    assert_eq!(after.sum("panelgate_banned_total", &[]), 1);
    let labels = [("door", "sidecar"), ("outcome", "deny"), ("reason", "banned")];
    assert_eq!(after.sum("panelgate_decisions_total", &labels), 1);
}

/// Names, paths and addresses would make as many series as there are of them, and tell them to whoever may read metrics.
fn no_label_says_who(page: &Page) {
    for (label, value) in page.samples.iter().flat_map(|sample| &sample.labels) {
        let bounded = value.len() <= 24 && !value.contains('/');
        let nobody = !value.contains("some-") && !value.contains("operator") && !value.contains("192.0.2");
        assert!(bounded && nobody && !value.contains(BANNED), "{label}=\"{value}\"");
    }
    assert!(page.samples.len() < 1000, "{} series", page.samples.len());
}

/// `log.format: json`: a line is an object, with time, level and target, and its fields beside them.
fn logs_are_json(house: &House) {
    let log = house.gate.running.log();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for line in &lines {
        for field in ["timestamp", "level", "target"] {
            assert!(line[field].is_string(), "{field}: {line}");
        }
    }
    let decision =
        lines.iter().find(|line| line["target"] == "panelgate::decision").expect("one was refused");
    assert!(decision["reason"].is_string() && decision["client"].is_string(), "{decision}");
}
