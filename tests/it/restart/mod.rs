//! A new process takes the place of a running one, and nobody notices.

mod activation;

use std::{
    collections::BTreeMap,
    net::TcpListener,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::json;

use crate::support::{
    browser::{Browser, background},
    gate,
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

/// Connections that were accepted before stay with the old process, whose store is elsewhere now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_old_process_is_still_asked_for_is_done_in_the_new_ones_store() {
    let house = House::start("restart-relay");
    let somebody = house.somebody().await;
    let newcomer = Browser::new(house.client());
    let (first, second, third) =
        (house.client().connect().await, house.client().connect().await, house.client().connect().await);
    tokio::task::block_in_place(|| house.replace());
    assert!(!house.gate.running.has_ended(), "the old process holds the connections");
    let refresh = || background("POST", "/_gate/refresh").body("application/json", "{}");
    let renewed = somebody.send_over(first, refresh()).await;
    assert_eq!(renewed.status, 200, "{renewed:?}");
    let (name, password) = gate::user("user");
    let credentials = json!({ "username": name, "password": password }).to_string();
    let sign_in = background("POST", "/_gate/api/v1/sign-in").body("application/json", credentials);
    let signed_in = newcomer.send_over(second, sign_in).await;
    assert_eq!(signed_in.status, 200, "{signed_in:?}");
    // Both hold in the new process, and what happens there holds in the old one.
    assert_eq!(somebody.refresh().await.status, 200);
    assert_eq!(newcomer.background("GET", "/echo/x").await.status, 200);
    assert!(newcomer.api("POST", "sign-out", &json!({})).await.status < 300);
    let refused = newcomer.send_over(third, background("GET", "/echo/x")).await;
    assert_eq!(refused.status, 401, "{refused:?}");
}

/// What is written while one process after the other takes over: nobody is told to come again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_and_sign_ins_in_the_moment_of_the_hand_over_are_done() {
    let house = Arc::new(House::start("restart-writes"));
    let over = Arc::new(AtomicBool::new(false));
    let mut renewing = Vec::new();
    for _ in 0..4 {
        let (somebody, over) = (house.somebody().await, Arc::clone(&over));
        renewing.push(tokio::spawn(async move {
            let mut answers = BTreeMap::new();
            while !over.load(Ordering::Relaxed) {
                *answers.entry(somebody.refresh().await.status).or_insert(0) += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            answers
        }));
    }
    let signing_in = tokio::spawn({
        let (house, over) = (Arc::clone(&house), Arc::clone(&over));
        async move {
            while !over.load(Ordering::Relaxed) {
                house.somebody().await;
            }
        }
    });
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        tokio::task::block_in_place(|| house.replace());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    over.store(true, Ordering::Relaxed);
    signing_in.await.expect("a sign-in failed");
    for answers in renewing {
        let answers = answers.await.unwrap();
        assert!(answers.keys().all(|status| *status == 200) && answers[&200] > 3, "{answers:?}");
    }
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
    assert_eq!(somebody.refresh().await.status, 200, "the new process can write");
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
    assert_eq!(somebody.refresh().await.status, 200);
}

/// An address that somebody else has: this shows before anything is handed over, and before the new process has accepted
/// anything that would be lost with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_process_that_cannot_listen_is_refused_before_it_is_given_the_store() {
    let house = House::start("restart-port");
    let somebody = house.somebody().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let edges = format!("listen: [\"127.0.0.1:{}\"", house.edge);
    let more = house.read("config.yaml").replace(&edges, &format!("{edges}, \"127.0.0.1:{port}\""));
    let (edge, sidecar) = (house.load_edge(&somebody, 4), house.load_sidecar(&somebody, 4));
    house.write("config.yaml", &more);
    signal("USR2", house.serving());
    house
        .wait_until("readyz says why", || {
            house.metrics("/readyz").contains("the new process has not taken over")
        })
        .await;
    assert!(house.metrics("/readyz").contains(&format!("127.0.0.1:{port}")), "{}", house.metrics("/readyz"));
    assert_eq!(somebody.refresh().await.status, 200);
    tokio::task::block_in_place(|| {
        edge.finish();
        sidecar.finish();
    });
    assert!(!house.gate.running.log().contains("it is given the store"), "{}", house.gate.log_tail());
}

/// The new process fails when it has the store already: the old one opens the store again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_process_that_fails_at_the_last_step_gives_the_store_back() {
    let house = House::start("restart-late");
    let somebody = house.somebody().await;
    // Says that it is prepared, waits for the first byte that is not zero, which is the length of the answer, and goes.
    house.update(
        "#!/usr/bin/env python3\n\
         import socket, sys\n\
         line = socket.socket(fileno=0)\n\
         length = int.from_bytes(line.recv(4, socket.MSG_WAITALL), 'big')\n\
         line.recv(length, socket.MSG_WAITALL)\n\
         line.sendall(bytes([0, 0, 0, 1, 1]))\n\
         while line.recv(1) == bytes(1): pass\n\
         sys.exit(3)\n",
    );
    signal("USR2", house.serving());
    house
        .wait_until("readyz says why", || {
            house.metrics("/readyz").contains("ended before it was ready (exit status: 3)")
        })
        .await;
    assert_eq!(somebody.refresh().await.status, 200, "it can write again");
    assert!(house.gate.running.log().contains("it is given the store"), "{}", house.gate.log_tail());
}

/// A key that is no key shows before anything is handed over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_a_new_process_that_cannot_open_the_trail_is_refused_before_it_is_given_the_store() {
    let house = House::start("restart-trail-key");
    let somebody = house.somebody().await;
    let key = house.read("data/keys/audit.pem");
    std::fs::write(house.directory.join("data/keys/audit.pem"), "garbage\n").unwrap();
    signal("USR2", house.serving());
    house
        .wait_until("readyz says why", || {
            house.metrics("/readyz").contains("the new process has not taken over")
        })
        .await;
    assert!(house.metrics("/readyz").contains("audit.pem"), "{}", house.metrics("/readyz"));
    assert!(!house.gate.running.log().contains("it is given the store"), "{}", house.gate.log_tail());
    assert_eq!(somebody.refresh().await.status, 200);
    std::fs::write(house.directory.join("data/keys/audit.pem"), key).unwrap();
    tokio::task::block_in_place(|| house.replace());
    assert_eq!(somebody.refresh().await.status, 200);
}

/// The new process has the store already, fails, and leaves a trail that cannot be opened: nothing goes on without one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_after_a_failed_hand_over_nothing_is_done_while_the_trail_cannot_be_opened() {
    let house = House::start("restart-trail");
    let somebody = house.somebody().await;
    let (file, renamed) = ("data/audit/trail-000000000001.jsonl", "data/audit/trail-000000900000.jsonl");
    house.update(&format!(
        "#!/usr/bin/env python3\n\
         import os, socket, sys\n\
         line = socket.socket(fileno=0)\n\
         length = int.from_bytes(line.recv(4, socket.MSG_WAITALL), 'big')\n\
         line.recv(length, socket.MSG_WAITALL)\n\
         line.sendall(bytes([0, 0, 0, 1, 1]))\n\
         while line.recv(1) == bytes(1): pass\n\
         os.rename('{0}/{file}', '{0}/{renamed}')\n\
         sys.exit(3)\n",
        house.directory.display()
    ));
    signal("USR2", house.serving());
    house
        .wait_until("readyz says why nothing is written", || {
            let said = house.metrics("/readyz");
            said.contains("[-]audit-trail") && said.contains("not named after its first record")
        })
        .await;
    let config = house.directory.join("config.yaml").display().to_string();
    let command = |words: &[&str]| {
        let asked = [words, &["--config", &config]].concat();
        Command::new(env!("CARGO_BIN_EXE_panelgate")).args(asked).output().expect("panelgate runs")
    };
    let refused = command(&["user", "role", "some-user", "reader"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("nothing was done"), "{said}");
    assert_eq!(somebody.refresh().await.status, 503);
    // What takes away is done, and its record waits.
    assert!(command(&["ban", "add", "203.0.113.77"]).status.success());
    std::fs::rename(house.directory.join(renamed), house.directory.join(file)).unwrap();
    house.wait_until("it goes on by itself", || !house.metrics("/readyz").contains("[-]audit-trail")).await;
    assert_eq!(somebody.refresh().await.status, 200);
    assert!(command(&["user", "role", "some-user", "reader"]).status.success());
    let trail = String::from_utf8_lossy(&command(&["audit", "tail", "-n", "100"]).stdout).into_owned();
    for wanted in ["203.0.113.77", "handover-failed", "role-set"] {
        assert!(trail.contains(wanted), "{wanted}: {trail}");
    }
    assert!(command(&["audit", "verify"]).status.success());
}

/// The old process has nothing to wait for and goes at once: the new one must not go with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_process_lives_on_when_the_old_one_has_no_connections() {
    let house = House::start("restart-idle");
    for _ in 0..6 {
        tokio::task::block_in_place(|| house.replace());
        assert_eq!(house.somebody().await.background("GET", "/echo/x").await.status, 200);
    }
}

/// Updates may follow each other sooner than a WebSocket ends: each process hears from the next one what happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_outlives_three_hand_overs_and_obeys_the_last_process() {
    let house = House::start("restart-generations");
    let (somebody, other) = (house.somebody().await, house.somebody().await);
    let (mut socket, mut kept) = (house.socket(&somebody).await, house.socket(&other).await);
    let early = house.client().connect().await;
    for _ in 0..3 {
        tokio::task::block_in_place(|| house.replace());
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(echoes(&mut socket).await && echoes(&mut kept).await, "{}", house.gate.log_tail());
    }
    let renewed =
        other.send_over(early, background("POST", "/_gate/refresh").body("application/json", "{}")).await;
    assert_eq!(renewed.status, 200, "the first process writes in the fourth one's store: {renewed:?}");
    assert!(somebody.api("POST", "sign-out", &json!({})).await.status < 300);
    let cut = cut_after(&mut socket).await;
    assert!(cut < Duration::from_secs(3), "cut only after {cut:?}");
    assert!(echoes(&mut kept).await, "nothing else was cut");
    drop((socket, kept));
    house.wait_until("the first process goes", || house.gate.running.has_ended()).await;
}

/// Commands that come in the moment of a hand-over: what they did is in the trail, and what they say is so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_during_hand_overs_are_done_told_and_accounted_for() {
    let house = Arc::new(House::start("restart-commands"));
    let config = house.directory.join("config.yaml").display().to_string();
    let banning = std::thread::spawn({
        let config = config.clone();
        move || -> Vec<(String, bool)> {
            let ban = |n: u8| {
                let address = format!("203.0.113.{n}");
                let told = Command::new(env!("CARGO_BIN_EXE_panelgate"))
                    .args(["ban", "add", &address, "--config", &config])
                    .output()
                    .expect("panelgate runs");
                (address, told.status.success())
            };
            (1..=30).map(ban).collect()
        }
    });
    for _ in 0..4 {
        tokio::task::block_in_place(|| house.replace());
    }
    let told = tokio::task::block_in_place(|| banning.join()).expect("it runs to its end");
    let told: Vec<_> = told.into_iter().filter(|(_, success)| *success).map(|(address, _)| address).collect();
    let command = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_panelgate"))
            .args([arguments, &["--config", &config]].concat())
            .output()
            .expect("panelgate runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let (listed, trail) = (command(&["ban", "list"]), command(&["audit", "search", "--event", "banned"]));
    assert!(told.len() > 20, "{told:?}");
    for n in 1..=30 {
        let address = format!("203.0.113.{n}/32");
        assert_eq!(listed.contains(&address), trail.contains(&address), "{address}\n{listed}\n{trail}");
    }
    for address in told {
        assert!(listed.contains(&format!("{address}/32")), "{address} was said to be banned\n{listed}");
    }
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
