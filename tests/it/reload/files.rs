//! Files that are half there, gone, swapped or wrong: what was good stays, and it shows.

use std::{fs, os::unix::fs::symlink};

use crate::support::{
    browser::Browser,
    gate::write_privately,
    house::{House, signal},
    panel,
    workspace::repository,
};

/// How often the log says so.
fn said(house: &House, what: &str) -> usize {
    house.gate.running.log().matches(what).count()
}

async fn ready(house: &House, what: &str, line: &str) {
    house.wait_until(what, || house.metrics("/readyz").contains(line)).await;
}

async fn status(house: &House, somebody: &Browser) -> u16 {
    let asked = somebody.background("GET", "/echo/x").await.status;
    assert!(is_well(&house.metrics("/readyz")), "a bad file takes nothing away");
    asked
}

/// Everything that can happen to the policy and the configuration, with the real process and no signal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_keeps_what_is_in_force_and_is_said_once() {
    let house = House::start("reload-files");
    let somebody = house.somebody().await;
    let (policy, config) = (house.read("policy.yaml"), house.read("config.yaml"));
    ready(&house, "what is in force is told", "reload ok").await;
    let digest = |house: &House| {
        let text = house.metrics("/readyz");
        text.lines()
            .find_map(|line| line.strip_prefix("configuration ")?.split(' ').next().map(str::to_owned))
    };
    let first = digest(&house);
    for (file, good) in [("policy.yaml", &policy), ("config.yaml", &config)] {
        let before = said(&house, "reload-failed");
        // Not by renaming: it is half there for a while.
        fs::write(house.directory.join(file), good.split_at(good.len() / 2).0).unwrap();
        ready(&house, "half a file shows", "the newest configuration is not in force").await;
        assert!(house.metrics("/metrics").contains("panelgate_reload_successful 0"));
        assert_eq!(status(&house, &somebody).await, 200, "the old {file} stays");
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        assert_eq!(said(&house, "reload-failed") - before, 1, "once, not every second");
        fs::write(house.directory.join(file), good).unwrap();
        ready(&house, "the whole file is good", "reload ok").await;
        assert!(house.metrics("/metrics").contains("panelgate_reload_successful 1"));
        fs::remove_file(house.directory.join(file)).unwrap();
        ready(&house, "a file that is gone shows", "reload failed").await;
        assert_eq!(status(&house, &somebody).await, 200);
        house.write(file, good);
        ready(&house, "it is there again", "reload ok").await;
        assert_eq!(digest(&house), first, "nothing else is in force than before");
    }
    // As an orchestrator mounts it.
    let closed = policy.replace("user: full", "user: none");
    for (name, text) in [("one", &policy), ("two", &closed)] {
        fs::create_dir(house.directory.join(name)).unwrap();
        fs::write(house.directory.join(name).join("policy.yaml"), text).unwrap();
    }
    symlink("one", house.directory.join("..data")).unwrap();
    symlink("..data/policy.yaml", house.directory.join("mounted.yaml")).unwrap();
    house.write("config.yaml", &config.replace("policy: policy.yaml", "policy: mounted.yaml"));
    house.wait_until("the mounted policy counts", || digest(&house) != first).await;
    assert_eq!(status(&house, &somebody).await, 200);
    symlink("two", house.directory.join("next")).unwrap();
    fs::rename(house.directory.join("next"), house.directory.join("..data")).unwrap();
    ready(&house, "what was swapped in counts", "cells close").await;
    assert_eq!(status(&house, &somebody).await, 403);
    let log = house.gate.running.log();
    assert!(log.contains("changed: - open: user, look: always → "), "{}", house.gate.log_tail());
}

/// What the configuration names, each by itself: a pair of certificates, an issuer's keys, the database of places, the
/// gate's own keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_configuration_names_keeps_its_last_good_state() {
    let house = House::start("reload-named");
    let somebody = house.somebody().await;
    let city = repository("tests/data/geoip/GeoLite2-City-Test.mmdb");
    fs::copy(&city, house.directory.join("city.mmdb")).unwrap();
    let set = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","alg":"EdDSA","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    fs::write(house.directory.join("jwks.json"), set).unwrap();
    let config = house.read("config.yaml").replace("    policy:", "    issuers: [theirs]\n    policy:");
    let more = "geoip: { city: city.mmdb }\nissuers:\n  - { name: theirs, issuer: i, audience: a, jwks_file: jwks.json, algorithms: [EdDSA], cookies: [jwt], claims: { user: sub, session: sid } }\n";
    house.write("config.yaml", &format!("{config}{more}"));
    ready(&house, "issuers and places are taken", "the last reload changed").await;
    for (file, what) in [
        ("certs/panel.crt", "certificates"),
        ("certs/panel.key", "certificates"),
        ("jwks.json", "issuers[theirs]"),
        ("city.mmdb", "geoip"),
    ] {
        let path = house.directory.join(file);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let stale = format!("panelgate_stale{{what=\"{what}\"}} 1");
        house.wait_until("half a file shows", || house.metrics("/metrics").contains(&stale)).await;
        assert!(house.metrics("/readyz").contains(&format!(": {what}:\n")), "{file}");
        assert_eq!(status(&house, &somebody).await, 200, "the old {file} stays");
        fs::remove_file(&path).unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        assert_eq!(status(&house, &somebody).await, 200, "the old {file} stays");
        write_privately(&path, "");
        fs::write(&path, &whole).unwrap();
        house.wait_until("a mended file counts", || !house.metrics("/metrics").contains(&stale)).await;
    }
    ready(&house, "everything is well again", "reload ok").await;
    // Our own keys are read when somebody says so.
    let folder = house.directory.join("data/keys");
    let kept: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    let manifest = kept.iter().find(|file| file.extension().is_some_and(|kind| kind == "json")).unwrap();
    let whole = fs::read(manifest).unwrap();
    fs::write(manifest, b"{").unwrap();
    signal("HUP", house.serving());
    ready(&house, "damaged keys are not taken", "reload failed").await;
    assert_eq!(status(&house, &somebody).await, 200);
    fs::write(manifest, whole).unwrap();
    signal("HUP", house.serving());
    ready(&house, "the keys are whole again", "reload ok").await;
}

/// A panel that has moved, a proxy with another secret, another level of the log, a listener that has to wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_taken_is_taken_and_what_cannot_is_named() {
    let house = House::start("reload-taken");
    let somebody = house.somebody().await;
    let config = house.read("config.yaml");
    assert_eq!(status(&house, &somebody).await, 200);
    let old = config.lines().find_map(|line| line.trim().strip_prefix("upstream: ")).unwrap().to_owned();
    // Nobody is there, and then another panel is.
    house.write("config.yaml", &config.replace(&old, "http://127.0.0.1:1"));
    house
        .wait_until("the changed upstream counts", || house.metrics("/readyz").contains("changed 1 key;"))
        .await;
    assert_eq!(somebody.background("GET", "/echo/x").await.status, 502);
    let moved = config.replace(&old, &format!("http://127.0.0.1:{}", panel::start()));
    house.write("config.yaml", &(moved + "log: { level: debug, format: json }\n"));
    ready(&house, "a key that waits is named", "waits for a restart: log.format").await;
    assert!(house.metrics("/metrics").contains("panelgate_reload_waiting_keys 1"));
    assert_eq!(status(&house, &somebody).await, 200);
    // The level counts at once: what is debugged is in the log from now on.
    let secret = "another-secret-of-the-proxy-0123456789";
    write_privately(&house.directory.join("secret"), secret);
    let asked = |secret: &str| {
        let fields = [
            ("X-Gate-Proxy-Secret", secret),
            ("X-Forwarded-Method", "GET"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", crate::support::gate::HOST),
            ("X-Forwarded-Uri", "/echo/x"),
            ("X-Forwarded-For", "192.0.2.7"),
            ("X-Api-Key", &house.gate.reader),
        ];
        let fields = fields.map(|(name, value)| format!("{name}: {value}")).join("\r\n");
        plain(house.gate.port, &format!("GET /api/authz/forward-auth HTTP/1.0\r\n{fields}\r\n\r\n"))
    };
    house.wait_until("the new secret is believed", || is_well(&asked(secret))).await;
    assert!(!is_well(&asked(&house.gate.secret)), "the old one is not");
}

/// Whether an answer is 200.
fn is_well(answer: &str) -> bool {
    answer.lines().next().is_some_and(|line| line.contains(" 200 "))
}

fn plain(port: u16, text: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("the sidecar listens");
    stream.write_all(text.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}
