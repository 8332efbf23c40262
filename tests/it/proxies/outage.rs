//! The sidecar is away: every recipe stays closed.

use std::fs;

use futures_util::future::join_all;

use super::recipe::{self, Addresses, Proxy};
use crate::support::{
    browser::{background, navigation},
    certificates,
    client::Client,
    gate::HOST,
    panel, ports, workspace,
};

#[tokio::test]
async fn without_a_sidecar_nothing_reaches_the_panel() {
    let directory = workspace::directory("outage");
    fs::create_dir_all(&directory).expect("the workspace is writable");
    let tls = certificates::issue(&directory, HOST);
    let addresses = Addresses {
        certificates: directory.clone(),
        socket: directory.join("nobody.sock"),
        sidecar: ports::free(),
        secret: "nobody knows it, and nobody asks for it".to_owned(),
        panel: panel::start(),
    };
    join_all(Proxy::ALL.map(|proxy| {
        let (addresses, directory, tls) = (&addresses, &directory, &tls);
        async move {
            let (_running, port) = recipe::start(proxy, addresses, directory, tls);
            let client = Client::new(port, HOST, tls.clone());
            for ask in [background("GET", "/echo/a"), navigation("GET", "/"), background("POST", "/echo/a")] {
                let answer = client.send(&ask.field("Cookie", "__Host-gate_access=x")).await;
                let name = proxy.name();
                assert!((500..=504).contains(&answer.status), "{name}: {answer:?}");
                assert!(!answer.text().contains("body_bytes"), "{name}: the panel answered: {answer:?}");
            }
        }
    }))
    .await;
}
