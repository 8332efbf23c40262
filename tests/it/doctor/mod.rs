//! `panelgate doctor` as a process, in front of every recipe as it is shipped, and as people break it.

mod run;
mod seeds;

use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use self::{
    run::{Ground, View},
    seeds::SEEDS,
};
use crate::{proxies::recipe::Proxy, support::house::House};

/// Chains that are examined at one time.
const AT_ONCE: usize = 4;

/// Codes of a severity in a report.
fn codes(report: &Value, severity: &[&str]) -> Vec<String> {
    let findings = report["findings"].as_array().expect("a list");
    let of = findings.iter().filter(|finding| severity.iter().any(|one| finding["severity"] == *one));
    of.map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect()
}

fn unchecked(report: &Value) -> Vec<&str> {
    report["unchecked"].as_array().expect("a list").iter().filter_map(|one| one["code"].as_str()).collect()
}

/// Nothing is wrong, and nothing was left out but what is named.
fn assert_clean(what: &str, (code, report): &(i32, Value), left_out: &[&str]) {
    assert_eq!(codes(report, &["error", "warning"]), Vec::<String>::new(), "{what}: {report:#}");
    assert_eq!(*code, 0, "{what}: {report:#}");
    assert_eq!(unchecked(report), left_out, "{what}: {report:#}");
}

#[tokio::test]
async fn the_shipped_recipes_are_found_sound_by_the_stand_in() {
    let ground = Ground::start("doctor-sound");
    stream::iter(Proxy::ALL)
        .for_each_concurrent(2, |proxy| {
            let ground = &ground;
            async move {
                let done = ground.examine(proxy, proxy.name(), &[], View::StandIn).await;
                // The panel is away, nothing else leads to it, and on the socket's machine there is a port as well.
                assert_clean(proxy.name(), &done, &["D080", "D082"]);
                assert_eq!(done.1["proxy"], proxy.name());
            }
        })
        .await;
}

#[tokio::test]
async fn the_shipped_recipes_are_found_sound_by_the_panels_own_echo() {
    let ground = Ground::start("doctor-echo");
    stream::iter(Proxy::ALL)
        .for_each_concurrent(2, |proxy| {
            let ground = &ground;
            async move {
                let done = ground.examine(proxy, proxy.name(), &[], View::Echo).await;
                assert_clean(proxy.name(), &done, &["D063", "D064", "D065", "D066", "D067", "D082"]);
            }
        })
        .await;
}

#[tokio::test]
async fn the_edge_is_found_sound() {
    let house = House::start("doctor-edge");
    let done = run::examine_edge(&house).await;
    assert_clean("edge", &done, &["D003", "D063", "D064", "D065", "D066", "D067", "D082"]);
    assert_eq!(done.1["proxy"], "edge");
}

#[tokio::test]
async fn every_seeded_fault_is_found_and_mended_in_the_proxys_language() {
    let ground = Ground::start("doctor-seeds");
    let wrong: Vec<String> = stream::iter(SEEDS)
        .map(|seed| {
            let ground = &ground;
            async move {
                let own = seed.unread.then(|| Ground::start(&format!("doctor-{}", seed.name)));
                let ground = own.as_ref().unwrap_or(ground);
                let (code, report) = ground.examine(seed.proxy, seed.name, seed.edits, View::StandIn).await;
                let found = codes(&report, &["error", "warning"]);
                let lines: String = report["findings"].to_string();
                let held = found == seed.expected && lines.contains(seed.mend);
                let exits = code == i32::from(!codes(&report, &["error"]).is_empty());
                (!held || !exits).then(|| {
                    format!("{} ({code}): {found:?} instead of {:?}\n{report:#}", seed.name, seed.expected)
                })
            }
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(|wrong| async { wrong })
        .collect()
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// `timeout`, a service manager, and a connection to the machine that breaks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doctor_that_is_ended_leaves_no_account_behind() {
    let house = House::start("doctor-ended");
    for with in ["TERM", "HUP", "INT"] {
        let (code, told, accounts) = run::end_at_the_edge(&house, with).await;
        assert!(code == 3 && told.contains("interrupted"), "{with}: {code} {told}");
        assert!(!accounts.contains("doctor-"), "{with}: {accounts}");
    }
}

/// Whatever else leads to the panel.
#[tokio::test]
async fn what_stands_open_beside_the_chain_is_found() {
    let ground = Ground::start("doctor-beside");
    let (code, report) = ground.examine_beside().await;
    assert_eq!(codes(&report, &["error", "warning"]), ["D080", "D082"], "{report:#}");
    assert_eq!(code, 1);
    let evidence = report["findings"].to_string();
    assert!(evidence.contains("0.0.0.0") && evidence.contains("leads past the gate"), "{report:#}");
}

/// Nothing is sent to somebody who may be somebody else.
#[tokio::test]
async fn without_an_accepted_certificate_nothing_is_sent() {
    let ground = Ground::start("doctor-stranger");
    let (code, report) = ground.examine_a_stranger().await;
    assert_eq!(codes(&report, &["error", "warning"]), ["D001"], "{report:#}");
    assert_eq!(code, 1);
}

#[test]
fn what_cannot_be_tested_at_all_is_said_with_its_own_exit_code() {
    let (code, told) = run::at_nobody();
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("https://panel.example.com") && told.contains("does not answer"), "{told}");
}

#[test]
fn there_are_enough_seeds_for_every_proxy() {
    for proxy in Proxy::ALL {
        let own = SEEDS.iter().filter(|seed| seed.proxy == proxy).count();
        assert!(own >= 4, "{}: {own}", proxy.name());
    }
    assert!(SEEDS.len() >= 25);
}
