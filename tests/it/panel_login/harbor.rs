//! The sample panel with its own sign-in: `panelgate demo --panel-login`.

use std::{fs, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use serde_json::{Value, json};

use crate::support::{
    browser::{Browser, navigation},
    client::{Ask, Client},
    process::Running,
    workspace,
};

/// A running demo, and what it says about itself.
struct Demo {
    facts: Value,
    _running: Running,
}

fn demo() -> Demo {
    let directory = workspace::directory("harbor");
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_panelgate"));
    let arguments = ["demo", "--panel-login", "--json", "--port-base", "0"];
    let running = Running::start("demo", &directory, binary, &arguments);
    let facts = || {
        let log = running.log_tail();
        log.lines().find_map(|line| serde_json::from_str::<Value>(line).ok())
    };
    running.wait_until("say where it is", || facts().is_some());
    Demo { facts: facts().expect("it has been read"), _running: running }
}

impl Demo {
    fn client(&self) -> Client {
        let text = |key: &str| self.facts[key].as_str().expect("the demo says so");
        let mut roots = RootCertStore::empty();
        let authority = fs::read(text("ca")).expect("the authority can be read");
        roots.add(CertificateDer::from_pem_slice(&authority).expect("it is PEM")).expect("it is sound");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = builder.expect("TLS").with_root_certificates(roots).with_no_client_auth();
        let site = text("site").to_owned();
        let port = site.rsplit(':').next().and_then(|port| port.parse().ok()).expect("it has a port");
        let host: &'static str = "localhost";
        Client::new(port, host, Arc::new(config)).naming_its_port()
    }

    fn sign_in(&self, name: &str, password: &str) -> Ask {
        let body = json!({ "username": name, "password": password }).to_string();
        Ask::new("POST", "/_gate/api/v1/sign-in")
            .field("Origin", self.facts["site"].as_str().expect("the demo says so"))
            .field("Sec-Fetch-Site", "same-origin")
            .body("application/json", body)
    }

    fn password(&self, name: &str) -> &str {
        let users = self.facts["users"].as_array().expect("a list");
        let user = users.iter().find(|user| user["name"] == name).expect("it is in the cast");
        user["password"].as_str().expect("a text")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_at_the_gate_is_signed_in_at_the_panel_and_stays_so() {
    let demo = demo();
    let browser = Browser::new(demo.client());
    let wrong = browser.send(demo.sign_in("alice", "wrong")).await;
    assert_eq!(wrong.status, 401, "{wrong:?}");
    let answer = browser.send(demo.sign_in("alice", demo.password("alice"))).await;
    assert_eq!(answer.json()["state"], "signed-in", "{answer:?}");

    let page = browser.navigate("/").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.text().contains("<b>alice</b>"), "the panel knows her: {}", page.text());
    assert!(browser.cookie("harbor_session").is_none(), "the panel's cookie stays at the gate");

    // Harbor's sessions last 15 s.
    tokio::time::sleep(Duration::from_secs(16)).await;
    let again = browser.navigate("/domains").await;
    assert_eq!(again.status, 307, "{again:?}");
    let location = again.field("Location").expect("a redirect leads somewhere").to_owned();
    assert!(location.ends_with("/domains"), "to the same page: {location}");
    let page = browser.send(navigation("GET", "/domains")).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.text().contains("<b>alice</b>"), "{}", page.text());

    // `renew: true` keeps the password in the session; nobody reads it there.
    let config = demo.facts["config"].as_str().expect("the demo says so");
    let store = std::path::Path::new(config).with_file_name("data").join("panelgate.redb");
    let stored = fs::read(store).expect("the store is there");
    let password = demo.password("alice").as_bytes();
    assert!(stored.windows(5).any(|part| part == b"alice"), "this is not the store");
    assert!(!stored.windows(password.len()).any(|part| part == password), "the password is in the store");
}
