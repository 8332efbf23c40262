//! Files change under load.

mod files;
mod policies;

use std::time::Duration;

use crate::support::{
    browser::Browser,
    certificates,
    gate::HOST,
    house::{House, Socket, echoes, install_certificate, signal},
};

/// WebSockets that are held meanwhile.
const SOCKETS: usize = 200;

/// The policy is flipped back and forth while both doors are loaded: no request fails, no WebSocket is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_under_load_fail_no_request() {
    let house = House::start("reload-load");
    let somebody = house.somebody().await;
    let mut sockets = held(&house, &somebody).await;
    let (edge, sidecar) = (house.load_edge(&somebody, 8), house.load_sidecar(&somebody, 8));
    let (one, other) =
        (house.read("policy.yaml"), house.read("policy.yaml").replace("reader: read", "reader: none"));
    for round in 0..12 {
        house.write("policy.yaml", if round % 2 == 0 { &other } else { &one });
        signal("HUP", house.serving());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    tokio::task::block_in_place(|| {
        edge.finish();
        sidecar.finish();
    });
    for socket in &mut sockets {
        assert!(echoes(socket).await, "a WebSocket was lost");
    }
    let generation = house.metrics("/metrics");
    let generation =
        generation.lines().find_map(|line| line.strip_prefix("panelgate_generation ")?.parse::<u32>().ok());
    assert!(generation.is_some_and(|generation| generation >= 4), "it was loaded {generation:?} times");
}

/// The certificate is replaced while connections are made: each handshake gets the old one or the new one, whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_swapped_under_load() {
    let house = House::start("certificates-load");
    let somebody = house.somebody().await;
    let mut sockets = held(&house, &somebody).await;
    let (edge, sidecar) = (house.load_edge(&somebody, 8), house.load_sidecar(&somebody, 8));
    let folder = house.directory.join("certs");
    let mut client = house.client();
    for _ in 0..3 {
        client.trust(certificates::issue(&house.directory, HOST));
        // The key comes first and does not belong to the certificate for a moment: the old pair stays.
        install_certificate(&house.directory, &folder);
        house.wait_until("the new certificate is shown", || client.is_served()).await;
    }
    tokio::task::block_in_place(|| {
        edge.finish();
        sidecar.finish();
    });
    for socket in &mut sockets {
        assert!(echoes(socket).await, "a WebSocket was lost");
    }
}

async fn held(house: &House, somebody: &Browser) -> Vec<Socket> {
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        sockets.push(house.socket(somebody).await);
    }
    sockets
}
