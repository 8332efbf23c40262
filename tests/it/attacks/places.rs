//! Bans of whole countries and networks' owners, and lists of bans, through the command line and a running gate.

use std::fs;

use super::{Remote, cli};
use crate::support::{house::House, workspace::repository};

/// In MaxMind's test data 81.2.69.142 is in GB, 89.160.20.112 is AS29518's, and of 203.0.113.0/24 nothing is known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn countries_and_autonomous_systems_are_shut_out_and_let_in_again() {
    let top = format!(
        "geoip: {{ city: {}, asn: {} }}\nbans: {{ allow: [\"89.160.20.128/25\"] }}",
        repository("tests/data/geoip/GeoLite2-City-Test.mmdb").display(),
        repository("tests/data/geoip/GeoLite2-ASN-Test.mmdb").display()
    );
    let house = House::start_with("attack-places", &top);
    let [british, swede, allowed, unknown] =
        ["81.2.69.142", "89.160.20.112", "89.160.20.130", "203.0.113.9"].map(|text| Remote::at(&house, text));
    let ask = async |remote: &Remote<'_>| remote.ask("/echo/x", &[]).await;
    for remote in [&british, &swede, &allowed, &unknown] {
        assert_eq!(ask(remote).await.status, 401, "nobody is banned yet");
    }
    let said = cli(&house, &["ban", "add", "country:GB", "--for", "1h"]);
    assert!(said.contains("country:GB is banned until") && !said.contains("nobody"), "{said}");
    assert!(ask(&british).await.is_refused("banned"));
    assert_eq!(ask(&swede).await.status, 401);
    assert_eq!(ask(&unknown).await.status, 401, "what is not known is not banned");
    cli(&house, &["ban", "add", "asn:AS29518"]);
    assert!(ask(&swede).await.is_refused("banned"));
    assert_eq!(ask(&allowed).await.status, 401, "`bans.allow` wins");
    cli(&house, &["ban", "lift", "country:GB"]);
    cli(&house, &["ban", "lift", "asn:29518", "--json"]);
    for remote in [&british, &swede] {
        assert_eq!(ask(remote).await.status, 401, "the ban is lifted");
    }
    assert!(
        house.gate.running.log().contains("event=\"banned\" whom=country:GB"),
        "{}",
        house.gate.log_tail()
    );
}

/// What CrowdSec wrote is imported into a running gate and counts at once; what comes out goes in again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_of_crowdsec_count_at_once() {
    let house = House::start("attack-lists");
    let listed = Remote::at(&house, "198.51.100.77");
    assert_eq!(listed.ask("/echo/x", &[]).await.status, 401);
    let alerts = repository("tests/data/crowdsec/alerts.json");
    let said = cli(&house, &["ban", "import", alerts.to_str().expect("a plain path"), "--list", "crowdsec"]);
    assert!(said.starts_with("4 banned, 0 kept"), "{said}");
    assert!(listed.ask("/echo/x", &[]).await.is_refused("banned"));
    let exported = house.directory.join("bans.csv");
    fs::write(&exported, cli(&house, &["ban", "export", "--format", "crowdsec-csv"])).expect("writable");
    let empty = house.directory.join("empty.json");
    fs::write(&empty, "null").expect("writable");
    let import = |file: &std::path::Path| {
        cli(&house, &["ban", "import", file.to_str().expect("plain"), "--list", "crowdsec", "--replace"])
    };
    assert!(
        import(&empty).contains("4 lifted"),
        "an empty answer of the local API lifts what it gave before"
    );
    assert_eq!(listed.ask("/echo/x", &[]).await.status, 401);
    assert!(import(&exported).starts_with("4 banned"));
    assert!(listed.ask("/echo/x", &[]).await.is_refused("banned"));
}
