use std::time::Duration;

use http::StatusCode;

use super::support::{Browser, World};

async fn signed_in(world: &World) -> Browser<'_> {
    let mut browser = Browser::new(world);
    browser.sign_in("alice").await;
    browser
}

/// An old access cookie after its time, as the door would send it: through the page.
const PAGE: &str = "/_gate/refresh?rd=https%3A%2F%2Fpanel.example.com%2Fdomains%3Fq%3D1";

#[tokio::test]
async fn a_renewal_rotates_both_tokens() {
    let world = World::new().await;
    let mut browser = signed_in(&world).await;
    let before = browser.jar.clone();
    world.clock.advance(Duration::from_secs(600));
    let answer = browser.refresh().await;
    assert_eq!(answer.json()["state"], "signed-in");
    assert_eq!(answer.json()["renew_in_ms"], 600_000);
    for (name, value) in &before {
        assert_ne!(&browser.jar[name], value, "{name} is new");
    }
    assert_eq!(browser.session().await.status, StatusCode::OK);
}

/// R13: racing tabs and lost answers get the same successor.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_racing_tabs_get_one_successor() {
    let world = World::new().await;
    let browser = signed_in(&world).await;
    let tabs = (0..20).map(|_| {
        let mut tab = browser.clone();
        async move {
            assert_eq!(tab.refresh().await.status, StatusCode::OK);
            tab.jar["__Secure-gate_refresh"].clone()
        }
    });
    let mut successors = futures_util::future::join_all(tabs).await;
    successors.sort();
    successors.dedup();
    assert_eq!(successors.len(), 1);
    assert_eq!(world.sessions("alice")[0].family.generation, 1);
}

/// R13: what is presented after its grace kills the family, wherever it is.
#[tokio::test]
async fn a_stolen_token_ends_the_session_for_the_thief_and_the_owner() {
    let world = World::new().await;
    let mut owner = signed_in(&world).await;
    let mut thief = owner.clone();
    owner.refresh().await;
    owner.refresh().await;
    world.clock.advance(Duration::from_secs(11));
    let answer = thief.refresh().await;
    assert_eq!((answer.status, answer.reason().as_str()), (StatusCode::UNAUTHORIZED, "session-ended"));
    assert!(thief.jar.is_empty(), "the cookies are cleared: {:?}", thief.jar);
    assert_eq!(owner.session().await.reason(), "session-ended");
    assert_eq!(owner.refresh().await.status, StatusCode::UNAUTHORIZED);
}

/// C5.2: the refresh token must belong to the session that the `__Host-` cookie names.
#[tokio::test]
async fn a_planted_refresh_cookie_does_not_swap_the_session() {
    let world = World::new().await;
    let mut victim = signed_in(&world).await;
    let mut attacker = Browser::new(&world);
    attacker.sign_in("root").await;
    let planted = attacker.jar["__Secure-gate_refresh"].clone();
    let own = victim.jar["__Secure-gate_refresh"].clone();
    let both = victim
        .request("POST", "/_gate/refresh")
        .header("cookie", format!("__Secure-gate_refresh={planted}"))
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/json");
    let answer = victim.go(both.body("{}".into()).unwrap()).await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "the one that belongs to the access cookie counts: {}",
        answer.text
    );
    assert_eq!(victim.session().await.json()["user"], "alice");
    assert_ne!(victim.jar["__Secure-gate_refresh"], own);
    victim.jar.insert("__Secure-gate_refresh".into(), planted);
    assert_eq!(victim.refresh().await.reason(), "conflicting-credentials");
    assert_eq!(world.sessions("root")[0].family.generation, 0, "the other session was not touched");
}

#[tokio::test]
async fn forged_and_foreign_refresh_tokens_do_nothing() {
    let world = World::new().await;
    let browser = signed_in(&world).await;
    let good = browser.jar["__Secure-gate_refresh"].clone();
    let flip = |at: usize| {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    for bad in [flip(3), flip(good.len() - 3), format!("{good}A"), String::from("x"), good.replace('.', "")] {
        let mut tab = browser.clone();
        tab.jar.insert("__Secure-gate_refresh".into(), bad.clone());
        assert_eq!(tab.refresh().await.status, StatusCode::UNAUTHORIZED, "{bad}");
    }
    assert_eq!(world.sessions("alice")[0].family.generation, 0);
    assert!(world.sessions("alice")[0].ended.is_none());
}

#[tokio::test]
async fn an_expired_page_is_renewed_on_the_way_and_nobody_sees_the_sign_in_page() {
    let world = World::new().await;
    let mut browser = signed_in(&world).await;
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(browser.session().await.reason(), "access-expired");
    let answer = browser.open(PAGE).await;
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::FOUND, "https://panel.example.com/domains?q=1")
    );
    assert_eq!(browser.session().await.status, StatusCode::OK);
    let generation = world.sessions("alice")[0].family.generation;
    assert_eq!(browser.open(PAGE).await.status, StatusCode::FOUND, "a second tab");
    assert_eq!(world.sessions("alice")[0].family.generation, generation, "has nothing left to renew");
}

#[tokio::test]
async fn a_link_from_another_site_takes_one_step_on_ours_first() {
    let world = World::new().await;
    let mut browser = signed_in(&world).await;
    world.clock.advance(Duration::from_secs(3600));
    let request = browser
        .request("GET", PAGE)
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-dest", "document");
    let answer = browser.go(request.header("sec-fetch-site", "cross-site").body("".into()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer.text.contains("http-equiv=\"refresh\" content=\"0;url=/_gate/refresh?rd="),
        "{}",
        answer.text
    );
    assert_eq!(world.sessions("alice")[0].family.generation, 0, "nothing turned");
}

#[tokio::test]
async fn images_frames_and_scripts_cannot_turn_the_family_over() {
    let world = World::new().await;
    let mut browser = signed_in(&world).await;
    world.clock.advance(Duration::from_secs(3600));
    for (mode, dest) in
        [("no-cors", "image"), ("navigate", "iframe"), ("navigate", "embed"), ("cors", "empty")]
    {
        let request =
            browser.request("GET", PAGE).header("sec-fetch-mode", mode).header("sec-fetch-dest", dest);
        let answer =
            browser.go(request.header("sec-fetch-site", "same-origin").body("".into()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{mode} {dest}");
    }
    assert_eq!(world.sessions("alice")[0].family.generation, 0);
}

#[tokio::test]
async fn a_browser_that_keeps_no_session_is_not_sent_round_and_round() {
    let world = World::new().await;
    let mut browser = signed_in(&world).await;
    let access = browser.jar["__Host-gate_access"].clone();
    world.clock.advance(Duration::from_secs(3600));
    let mut rounds = 0;
    loop {
        // It keeps everything but the new access cookie.
        browser.jar.insert("__Host-gate_access".into(), access.clone());
        let answer = browser.open(PAGE).await;
        if answer.status != StatusCode::FOUND {
            assert!(answer.text.contains("Your session could not be renewed"), "{}", answer.text);
            break;
        }
        rounds += 1;
        assert!(rounds < 10, "a circle");
    }
    assert!(rounds > 3, "a few quick renewals in a row are nothing unusual");
}

#[tokio::test]
async fn a_session_that_is_over_leads_to_the_sign_in_page_with_the_way_back() {
    let world = World::new().await;
    let mut browser = signed_in(&world).await;
    world.clock.advance(Duration::from_secs(8 * 86_400));
    let answer = browser.open(PAGE).await;
    assert_eq!(answer.location(), "/_gate/sign-in?rd=https%3A%2F%2Fpanel.example.com%2Fdomains%3Fq%3D1");
    assert!(browser.jar.is_empty());
    assert_eq!(Browser::new(&world).refresh().await.reason(), "no-credential");
}

#[tokio::test]
async fn the_store_being_away_signs_nobody_out() {
    let world = World::new().await;
    let mut browser = signed_in(&world).await;
    let before = browser.jar.clone();
    world.gate.store().close().await.unwrap();
    let answer = browser.refresh().await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "store-unavailable")
    );
    assert_eq!(browser.jar, before);
    let answer = browser.call("POST", "/_gate/api/v1/sign-out", "{}").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "row 74: never \"ok\" without the write");
}
