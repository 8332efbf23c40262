//! `/healthz` and `/readyz`.

use serde_json::Value;

use crate::support::house::{House, install_certificate, signal};

fn document(house: &House) -> Value {
    let answer = house.metrics("/readyz?format=json");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    assert!(head.contains("application/json"), "{head}");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

fn check<'d>(document: &'d Value, name: &str) -> &'d Value {
    let checks = document["checks"].as_array().expect("a list");
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name}: {document}"))
}

/// A refused configuration and a panel that is away are said, and take nothing away; stopping does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn causes_are_named() {
    let house = House::start("ready");
    assert!(house.metrics("/healthz").ends_with("\r\n\r\nok\n"));
    let well = house.metrics("/readyz?verbose");
    assert!(well.contains("200 OK") && well.contains("\r\n\r\nready\n"), "{well}");
    for name in
        ["process", "store", "audit-trail", "configuration", "hand-over", "files", "certificates", "panel"]
    {
        assert!(well.contains(&format!("[+]{name} ok\n")), "{name}: {well}");
    }
    assert!(!house.metrics("/readyz").contains("[+]"), "what is well is not said unasked");

    let config = house.read("config.yaml");
    house.write("config.yaml", &format!("{config}\nno_such_key: 1\n"));
    house
        .wait_until("the refusal shows", || house.metrics("/readyz").contains("[-]configuration since"))
        .await;
    let said = document(&house);
    assert_eq!(said["ready"], true, "{said}");
    let cause = &check(&said, "configuration")["causes"][0];
    assert!(cause["fatal"] == false && cause["since"].is_string() && cause["what"].is_string(), "{said}");
    assert_eq!(check(&said, "store")["ok"], true, "{said}");
    let upstream = config.lines().find(|line| line.contains("upstream:")).expect("there is a panel");
    house.write("config.yaml", &config.replace(upstream, "    upstream: http://127.0.0.1:9"));
    house.wait_until("it is mended", || !house.metrics("/readyz").contains("[-]configuration")).await;

    let somebody = house.somebody().await;
    assert_eq!(somebody.background("GET", "/echo/x").await.status, 502);
    let said = document(&house);
    assert_eq!(check(&said, "panel")["ok"], false, "{said}");
    assert_eq!(said["ready"], true, "the gate's own pages still work: {said}");
    assert!(house.metrics("/metrics").contains("panelgate_health{check=\"panel\"} 0\n"));
    house.write("config.yaml", &config);
    house.wait_until("the panel is back", || house.metrics("/readyz").contains("reload ok")).await;
    let back = || async { somebody.background("GET", "/echo/x").await.status == 200 };
    for _ in 0..100 {
        if back().await {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(check(&document(&house), "panel")["ok"], true);
}

/// While it finishes what was begun, it says that nobody should come any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_stops_is_not_ready() {
    let house = House::start("ready-stop");
    let somebody = house.somebody().await;
    let slow = tokio::spawn(async move { somebody.background("GET", "/echo/slow?seconds=3").await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    signal("TERM", house.serving());
    house.wait_until("it says so", || house.metrics("/readyz").contains("503 ")).await;
    let said = house.metrics("/readyz");
    assert!(said.contains("\r\n\r\nnot ready\n[-]process: it was told to stop"), "{said}");
    assert!(house.metrics("/metrics").contains("panelgate_ready 0\n"));
    assert_eq!(slow.await.unwrap().status, 200);
}

/// An expired certificate is named, until there is a better one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_certificate_is_named() {
    let house = House::start("ready-certificate");
    let folder = house.directory.join("certs");
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["old.example.com".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("old.key"), key.serialize_pem()).unwrap();
    std::fs::write(folder.join("old.crt"), certificate.pem()).unwrap();
    house
        .wait_until("it is named", || house.metrics("/readyz").contains("[-]certificates since 2021-01-01"))
        .await;
    assert!(house.metrics("/metrics").contains("panelgate_certificate_end_timestamp_seconds 1609459200\n"));
    std::fs::remove_file(folder.join("old.crt")).unwrap();
    install_certificate(&house.directory, &folder);
    house.wait_until("it is gone", || !house.metrics("/readyz").contains("[-]certificates")).await;
}
