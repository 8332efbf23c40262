//! Attackers by network: spraying, pretending to be elsewhere, and scanning.

use serde_json::json;

use super::{Owner, Remote, WRONG, address, cli, runs};
use crate::support::{
    browser::{Browser, background, navigation},
    house::House,
};

/// One password at many names from one network: twenty a minute, and if that is not enough, fifty and out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spraying_ends_in_the_quota_of_the_network_and_then_in_a_ban() {
    let house = House::start_with("attack-spray", "");
    let owner = Owner::at_work(&house).await;
    let sprayer = Remote::at(&house, &address(0));
    let mut statuses = Vec::new();
    for n in 0..25 {
        let said = sprayer.sign_in(&format!("user-{n}"), WRONG).await;
        statuses.push(said.status);
        assert_eq!(said.status == 429, said.retry_after().is_some(), "{said:?}");
        owner.is_served().await;
    }
    // A slow machine gives one or two of twenty a minute back meanwhile.
    let looked_at = statuses.iter().filter(|status| **status == 401).count();
    assert!((20..=24).contains(&looked_at), "{}", runs(&statuses));
    owner.can_sign_in().await;

    let config = house.read("config.yaml").replace("sign_in: 20/min", "sign_in: 10000/min");
    house.write("config.yaml", &config);
    house.wait_until("the quota is in force", || house.gate.running.log().contains("in force")).await;
    let mut banned_after = None;
    for n in 0..60 {
        let said = sprayer.sign_in(&format!("other-{n}"), WRONG).await;
        if said.is_refused("banned") {
            banned_after = Some(looked_at + n);
            break;
        }
        owner.is_served().await;
    }
    assert_eq!(banned_after, Some(50));
    for target in ["/echo/x", "/"] {
        assert!(sprayer.ask(target, &[]).await.is_refused("banned"));
    }
    owner.can_sign_in().await;
}

/// What a client says about where it comes from changes nothing, at either door.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_forged_forwarding_fields_give_no_new_tries() {
    let house = House::start_with("attack-forged", "");
    let owner = Owner::at_work(&house).await;
    let (client, mut at_edge, mut behind_proxy) = (house.client(), Vec::new(), Vec::new());
    for n in 0..30 {
        let ask = background("POST", "/_gate/api/v1/sign-in")
            .field("X-Forwarded-For", &address(n))
            .field("X-Real-IP", &address(n))
            .field("Forwarded", &format!("for={}", address(n)))
            .body(
                "application/json",
                json!({ "username": format!("edge-{n}"), "password": WRONG }).to_string(),
            );
        at_edge.push(client.send(&ask).await.status);
        let forged = Remote::at(&house, &format!("{}, 198.51.100.9", address(n)));
        behind_proxy.push(forged.sign_in(&format!("sidecar-{n}"), WRONG).await.status);
    }
    owner.can_sign_in().await;
    for statuses in [at_edge, behind_proxy] {
        let looked_at = statuses.iter().filter(|status| **status == 401).count();
        assert!((20..=24).contains(&looked_at), "{}", runs(&statuses));
    }
}

/// R16: one client of IPv6 has a whole /64, and so one counter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_going_through_a_slash_64_gives_no_new_tries() {
    let house = House::start_with("attack-rotation", "");
    let owner = Owner::at_work(&house).await;
    let mut statuses = Vec::new();
    for n in 0..30 {
        let remote = Remote::at(&house, &format!("2001:db8:1:2:{:x}::{:x}", n * 7, n + 1));
        statuses.push(remote.sign_in(&format!("user-{n}"), WRONG).await.status);
    }
    let looked_at = statuses.iter().filter(|status| **status == 401).count();
    assert!((20..=24).contains(&looked_at), "{}", runs(&statuses));
    let mapped = Remote::at(&house, "::ffff:198.51.100.77");
    assert_eq!(mapped.sign_in("neighbour", WRONG).await.status, 401);
    assert_eq!(
        Remote::at(&house, "2001:db8:1:3::1").sign_in("neighbour", WRONG).await.status,
        401,
        "the next /64"
    );
    owner.can_sign_in().await;
}

/// R16: whoever is given a /48 has 65 536 networks, and as many tries together as sixteen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_going_through_the_networks_of_a_slash_48_ends_in_its_quota() {
    let house = House::start_with("attack-site-rotation", "");
    let owner = Owner::at_work(&house).await;
    // So few that what comes back meanwhile does not matter, however slow the machine.
    let config = house.read("config.yaml").replace("sign_in: 20/min", "sign_in: 3/h");
    house.write("config.yaml", &config);
    house.wait_until("the quota is in force", || house.gate.running.log().contains("in force")).await;
    let mut statuses = Vec::new();
    for n in 0..60 {
        let remote = Remote::at(&house, &format!("2001:db8:5:{n:x}::1"));
        let said = remote.sign_in(&format!("user-{n}"), WRONG).await;
        assert_eq!(said.status == 429, said.retry_after().is_some(), "{said:?}");
        statuses.push(said.status);
        owner.is_served().await;
    }
    let looked_at = statuses.iter().filter(|status| **status == 401).count();
    assert!((48..=50).contains(&looked_at), "{}", runs(&statuses));
    let elsewhere = Remote::at(&house, "2001:db8:6:1::1");
    assert_eq!(elsewhere.sign_in("neighbour", WRONG).await.status, 401, "the next /48");
    owner.can_sign_in().await;
}

/// The same by bans: each network fails too rarely for one of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_going_through_the_networks_of_a_slash_48_ends_in_a_ban_of_it() {
    let house = House::start_with("attack-site-ban", "bans: { failures: 3/h }");
    let owner = Owner::at_work(&house).await;
    let config = house.read("config.yaml").replace("sign_in: 20/min", "sign_in: 10000/min");
    house.write("config.yaml", &config);
    house.wait_until("the quota is in force", || house.gate.running.log().contains("in force")).await;
    let mut banned_after = None;
    for n in 0..60 {
        let said =
            Remote::at(&house, &format!("2001:db8:5:{n:x}::1")).sign_in(&format!("u-{n}"), WRONG).await;
        if said.is_refused("banned") {
            banned_after = Some(n);
            break;
        }
        owner.is_served().await;
    }
    assert_eq!(banned_after, Some(48));
    assert!(cli(&house, &["ban", "list"]).contains("2001:db8:5::/48"));
    let elsewhere = Remote::at(&house, "2001:db8:6:1::1");
    assert_eq!(elsewhere.sign_in("neighbour", WRONG).await.status, 401, "the next /48");
    owner.can_sign_in().await;
}

/// Whoever asks for two things that only scanners ask for is out for an hour; a browser that a page elsewhere sends there is not,
/// and neither is somebody who is signed in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scanners_are_banned_by_the_trap_that_they_step_into() {
    let house = House::start_with("attack-traps", "");
    let owner = Owner::at_work(&house).await;
    assert_eq!(owner.browser.background("GET", "/.env").await.status, 403, "no page, and no trap");
    owner.can_sign_in().await;

    let lured = Remote::at(&house, &address(1));
    for _ in 0..3 {
        assert_eq!(lured.ask("/.env", &[("Sec-Fetch-Site", "cross-site")]).await.status, 401);
    }
    let scanner = Remote::at(&house, &address(2));
    assert_eq!(scanner.ask("/echo/x", &[]).await.status, 401);
    for _ in 0..2 {
        assert!(scanner.ask("/wp-login.php", &[]).await.is_refused("trap"));
    }
    assert_eq!(scanner.ask("/echo/x", &[]).await.status, 401, "one trap may be an accident");
    assert!(scanner.ask("/.aws/credentials", &[]).await.is_refused("trap"));
    assert!(scanner.ask("/echo/x", &[]).await.is_refused("banned"));
    assert_eq!(lured.ask("/echo/x", &[]).await.status, 401);

    let at_edge = Browser::new(house.client());
    for trap in ["/.git/config", "/.env"] {
        let answer = at_edge.send(navigation("GET", trap)).await;
        assert!(answer.status == 403 && answer.text().contains("decision"), "{answer:?}");
    }
    let told = || house.gate.running.log().contains("asked for /**/.git/** and /**/.env");
    house.wait_until("the ban is said", told).await;
    owner.can_sign_in().await;
}
