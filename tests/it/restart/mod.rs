//! A new process takes the place of a running one, and nobody notices.

mod activation;

use std::{net::TcpListener, time::Duration};

use serde_json::json;

use crate::support::{
    browser::Browser,
    house::{House, cut_after, echoes, signal},
};

/// WebSockets that are held meanwhile.
const SOCKETS: usize = 200;

/// The whole claim: wrk through both doors and 200 WebSockets while a new process takes over. No request fails, every
/// WebSocket stays with the old process and goes on obeying what happens in the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_under_load_fails_no_request_and_live_connections_stay_and_obey() {
    let house = House::start("restart-load");
    let (many, one) = (house.somebody().await, house.somebody().await);
    let mut sockets = Vec::new();
    for _ in 1..SOCKETS {
        sockets.push(house.socket(&many).await);
    }
    let mut lonely = house.socket(&one).await;
    let (edge, sidecar) = (house.load_edge(&many, 8), house.load_sidecar(&many, 8));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let new = tokio::task::block_in_place(|| house.replace());
    assert_ne!(new, house.gate.running.pid());
    tokio::task::block_in_place(|| {
        edge.finish();
        sidecar.finish();
    });
    assert!(!house.gate.running.has_ended(), "the old process holds the WebSockets");
    for socket in &mut sockets {
        assert!(echoes(socket).await, "a WebSocket was lost");
    }
    // R12: the session ends in the new process, the old one cuts what hangs on it, and nothing else.
    let signed_out = one.api("POST", "sign-out", &json!({})).await;
    assert!(signed_out.status < 300, "{signed_out:?}");
    let cut = cut_after(&mut lonely).await;
    assert!(cut < Duration::from_millis(1500), "cut only after {cut:?}");
    assert!(echoes(&mut sockets[0]).await);
    // A policy that takes the right away counts in the old process, too.
    house.write("policy.yaml", &house.read("policy.yaml").replace("user: full,", "user: none,"));
    let cut = cut_after(&mut sockets[0]).await;
    assert!(cut < Duration::from_secs(5), "cut only after {cut:?}");
    drop(sockets);
    house
        .wait_until("the old process goes when its last connection has ended", || {
            house.gate.running.has_ended()
        })
        .await;
}

/// Sign-ins that failed count on; so does everything that is written down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_and_sessions_are_carried_over() {
    let house = House::start("restart-limits");
    let somebody = house.somebody().await;
    let guesser = Browser::new(house.client());
    let wrong = json!({ "username": "some-user", "password": "a wrong guess that is long enough" });
    let mut status = 0;
    for _ in 0..40 {
        status = guesser.api("POST", "sign-in", &wrong).await.status;
        if status == 429 {
            break;
        }
    }
    assert_eq!(status, 429);
    tokio::task::block_in_place(|| house.replace());
    assert_eq!(guesser.api("POST", "sign-in", &wrong).await.status, 429, "a restart frees nobody");
    assert_eq!(somebody.background("GET", "/echo/x").await.status, 200);
    renews(&somebody).await;
    tokio::task::block_in_place(|| house.replace());
    assert_eq!(guesser.api("POST", "sign-in", &wrong).await.status, 429);
    assert_eq!(somebody.background("GET", "/echo/x").await.status, 200);
}

/// A configuration with a mistake: the old process never stops serving, and says why it was not replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_process_with_a_bad_configuration_is_refused_and_the_old_one_goes_on() {
    let house = House::start("restart-bad");
    let somebody = house.somebody().await;
    let good = house.read("config.yaml");
    house.write("config.yaml", &good.replace("restart: {", "restat: {"));
    signal("USR2", house.serving());
    house
        .wait_until("readyz says why", || {
            house.metrics("/readyz").contains("the new process has not taken over")
        })
        .await;
    let said = house.metrics("/readyz");
    assert!(said.starts_with("HTTP/1.0 200") && said.contains("restat"), "{said}");
    assert!(said.contains("hand-over failed at "), "{said}");
    assert_eq!(somebody.refresh().await.status, 200, "it can still write");
    house.write("config.yaml", &good);
    signal("HUP", house.serving());
    house
        .wait_until("readyz says nothing of it once a reload was taken", || {
            !house.metrics("/readyz").contains("taken over")
        })
        .await;
    assert_eq!([house.hear(), house.hear()], ["RELOADING=1", "READY=1"]);
    tokio::task::block_in_place(|| house.replace());
    renews(&somebody).await;
}

/// The new process fails when it has the store already: the old one opens the store again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_process_that_fails_at_the_last_step_gives_the_store_back() {
    let house = House::start("restart-late");
    let somebody = house.somebody().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let good = house.read("config.yaml");
    house.write(
        "config.yaml",
        &(good.clone() + &format!("admin: {{ socket: {}/admin.new }}\n", house.directory.display())),
    );
    let edges = format!("listen: [\"127.0.0.1:{}\"", house.edge);
    let more = house.read("config.yaml").replace(&edges, &format!("{edges}, \"127.0.0.1:{port}\""));
    house.write("config.yaml", &more);
    signal("USR2", house.serving());
    house
        .wait_until("readyz says why", || {
            house.metrics("/readyz").contains("the new process has not taken over")
        })
        .await;
    assert!(house.metrics("/readyz").contains(&format!("127.0.0.1:{port}")), "{}", house.metrics("/readyz"));
    assert_eq!(somebody.refresh().await.status, 200, "it can write again");
    assert!(house.gate.running.log().contains("it is given the store"), "{}", house.gate.log_tail());
}

/// The new process dies: the old one believes nothing any more that it is not told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_new_process_dies_the_old_one_cuts_what_it_holds() {
    let house = House::start("restart-death");
    let somebody = house.somebody().await;
    let mut socket = house.socket(&somebody).await;
    let new = tokio::task::block_in_place(|| house.replace());
    assert!(echoes(&mut socket).await);
    signal("KILL", new);
    let cut = cut_after(&mut socket).await;
    assert!(cut < Duration::from_secs(2), "cut only after {cut:?}");
    house.wait_until("the old process goes as well", || house.gate.running.has_ended()).await;
}

/// A change that reaches the old process in the moment of the hand-over is answered 503, and comes again.
async fn renews(somebody: &Browser) {
    for _ in 0..20 {
        let status = somebody.refresh().await.status;
        if status == 200 {
            return;
        }
        assert_eq!(status, 503);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the new process cannot write");
}
