//! The sidecar is away: every recipe stays closed.

use std::path::Path;

use futures_util::future::join_all;

use super::recipe::{self, Addresses, Proxy};
use crate::support::{
    browser::{background, navigation},
    certificates,
    client::Client,
    gate::HOST,
    panel, ports, workspace,
};

/// An action that fails in HAProxy does not end the request: the rule after it must.
#[tokio::test]
async fn haproxy_stays_closed_when_its_script_breaks() {
    let directory = workspace::directory("broken-script");
    let tls = certificates::issue(&directory, HOST);
    let started = recipe::start_haproxy_with_broken_script(&nobody(&directory), &directory, &tls);
    assert_closed(Proxy::Haproxy, &Client::new(started.port, HOST, tls)).await;
}

#[tokio::test]
async fn without_a_sidecar_nothing_reaches_the_panel() {
    let directory = workspace::directory("outage");
    let tls = certificates::issue(&directory, HOST);
    let addresses = nobody(&directory);
    join_all(Proxy::ALL.map(|proxy| {
        let (addresses, directory, tls) = (&addresses, &directory, &tls);
        async move {
            let started = recipe::start(proxy, addresses, directory, tls);
            assert_closed(proxy, &Client::new(started.port, HOST, tls.clone())).await;
        }
    }))
    .await;
}

/// A panel, and the address of a sidecar that is not there.
fn nobody(directory: &Path) -> Addresses {
    Addresses {
        certificates: directory.to_owned(),
        socket: directory.join("nobody.sock"),
        sidecar: ports::free(),
        secret: "nobody knows it, and nobody asks for it".to_owned(),
        panel: panel::start(),
    }
}

async fn assert_closed(proxy: Proxy, client: &Client) {
    for ask in [background("GET", "/echo/a"), navigation("GET", "/"), background("POST", "/echo/a")] {
        let answer = client.send(&ask.field("Cookie", "__Host-gate_access=x")).await;
        let name = proxy.name();
        assert!((500..=504).contains(&answer.status), "{name}: {answer:?}");
        assert!(!answer.text().contains("body_bytes"), "{name}: the panel answered: {answer:?}");
    }
}
