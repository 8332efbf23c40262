//! The panel's own session: carried for the browser, followed, and renewed when the panel says that it is over.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::{HeaderValue, Request};

use super::{
    client::{Answer, send},
    rig::{Rig, site},
};
use crate::{
    clock::Wall,
    rules::{
        identity::UserName,
        judge::View,
        login::{Credentials, Jar, Recipe, SetCookie, Token},
        session::{EndReason, PanelLogin, SessionChange},
        site::{Site, Sites},
    },
    secret::SecretBytes,
    store::Store,
};

/// A rig whose session is signed in to the panel with this cookie, for so long already.
async fn rig(recipe: Recipe, sid: &str, ago: u64) -> Rig {
    let rig = Rig::start().await;
    let site = Site { login: Some(Arc::new(recipe)), ..site() };
    rig.gate.live().swap(|snapshot| snapshot.sites = Sites::new(vec![site.clone()]).unwrap());
    let mut jar = Jar::default();
    jar.take(&[SetCookie::parse(format!("sid={sid}").as_bytes()).unwrap()], &["sid".to_owned()]);
    jar.header = Some(("x-panel-token".into(), SecretBytes::new(*b"t0")));
    let name = UserName::parse("ada").unwrap();
    jar.again = Some(Credentials { name, password: SecretBytes::new(*b"right") });
    keep(&rig, &jar, ago).await;
    rig
}

async fn keep(rig: &Rig, jar: &Jar, ago: u64) {
    let now = rig.gate.moment().wall;
    let at = Wall::from_secs(now.secs() - ago);
    let sealed = jar.seal(rig.gate.live().snapshot().keys.master(), &rig.sid, rig.gate.entropy().array());
    let change = SessionChange { panel: Some(Some(PanelLogin { sealed, at })), ..SessionChange::default() };
    let written = rig.store.change_session(rig.sid, change, now).await.unwrap();
    assert!(rig.gate.settled(written).await);
}

async fn get(rig: &Rig, method: &str, path: &str, cookies: &str) -> Answer {
    let mut request: Request<Body> = rig.request(method, path);
    let cookie = format!("{}; {cookies}", rig.cookie);
    request.headers_mut().insert("cookie", HeaderValue::from_str(&cookie).unwrap());
    request.headers_mut().insert("x-panel-token", HeaderValue::from_static("mine"));
    send(&mut rig.http1().await, request).await
}

/// The cookies of the jar as the store has them.
async fn stored(rig: &Rig) -> String {
    let session = rig.store.session(&rig.sid).await.unwrap().unwrap();
    let keys = rig.gate.live().snapshot().keys.clone();
    let jar = Jar::open(keys.master(), &rig.sid, &session.panel.unwrap().sealed).unwrap();
    String::from_utf8(jar.pairs()).unwrap()
}

fn recipe() -> Recipe {
    Recipe { role: Some("admin".into()), ..Recipe::sample() }
}

fn with_token() -> Recipe {
    let mut recipe = recipe();
    recipe.pass_on.token =
        Some(Token { pointer: "/t".into(), header: "x-panel-token".into(), prefix: String::new() });
    recipe
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_panels_cookie_and_token_replace_what_the_client_sends_under_their_names() {
    let rig = rig(with_token(), "7", 60).await;
    let text = get(&rig, "GET", "/echo", "sid=stolen; lang=de; sid=twice").await.text().to_owned();
    assert!(text.contains("cookie: lang=de; sid=7\n"), "{text}");
    assert!(text.contains("x-panel-token: t0\n") && !text.contains("mine"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_panel_sets_is_followed_and_never_reaches_the_browser() {
    let rig = rig(recipe(), "7", 60).await;
    let answer = get(&rig, "GET", "/member", "sid=8").await;
    let set: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(set, ["theme=dark"]);
    assert_eq!(answer.text(), "GET sid=7");
    assert_eq!(get(&rig, "GET", "/member", "").await.text(), "GET sid=107", "the very next request has it");
    for _ in 0..100 {
        if stored(&rig).await == "sid=207" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not written down: {}", stored(&rig).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_the_panel_has_ended_is_renewed_once_and_the_request_comes_again() {
    let rig = rig(Recipe { renew: true, ..recipe() }, "old", 60).await;
    let asking = (0..5).map(|_| get(&rig, "GET", "/member?tab=2", ""));
    let answers = futures_util::future::join_all(asking).await;
    // One that comes after the renewal has the new session already.
    let (late, sent): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert!(!sent.is_empty() && late.iter().all(|answer| answer.text() == "GET sid=1"));
    for answer in sent {
        assert_eq!(answer.status, 307, "{}", answer.text());
        assert_eq!(answer.headers["location"], "https://panel.test/member?tab=2");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    assert_eq!(get(&rig, "GET", "/member", "").await.text(), "GET sid=1", "five requests, one renewal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_is_sent_again_with_its_method() {
    let rig = rig(Recipe { renew: true, ..recipe() }, "old", 60).await;
    assert_eq!(get(&rig, "POST", "/member", "").await.status, 307);
    assert_eq!(get(&rig, "POST", "/member", "").await.text(), "POST sid=1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panel_that_wants_a_sign_in_right_after_one_is_not_asked_in_circles() {
    let rig = rig(Recipe { renew: true, ..recipe() }, "old", 0).await;
    let answer = get(&rig, "GET", "/member", "").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["location"]),
        (302, &"/login?next=member".parse().unwrap())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_kept_password_our_session_ends_with_the_panels() {
    let rig = rig(recipe(), "old", 60).await;
    let mut jar = Jar::default();
    jar.take(&[SetCookie::parse(b"sid=old").unwrap()], &["sid".to_owned()]);
    keep(&rig, &jar, 60).await;
    let answer = get(&rig, "GET", "/member", "").await;
    assert_eq!(answer.status, 401, "{}", answer.text());
    let session = rig.gate.live().records.session(&rig.sid).unwrap();
    assert_eq!(session.ended.unwrap().why, EndReason::SignedOut);
    assert_eq!(session.panel, None, "a tombstone keeps nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_was_changed_at_the_panel_ends_our_session() {
    let rig = rig(Recipe { renew: true, ..recipe() }, "old", 60).await;
    let mut jar = Jar::default();
    let name = UserName::parse("ada").unwrap();
    jar.again = Some(Credentials { name, password: SecretBytes::new(*b"of last week") });
    keep(&rig, &jar, 60).await;
    assert_eq!(get(&rig, "GET", "/member", "").await.status, 401);
    assert!(rig.gate.live().records.session(&rig.sid).unwrap().ended.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_from_before_the_panel_was_asked_ends_when_the_panel_wants_a_sign_in() {
    let rig = rig(recipe(), "7", 60).await;
    let change = SessionChange { panel: Some(None), ..SessionChange::default() };
    let written = rig.store.change_session(rig.sid, change, rig.gate.moment().wall).await.unwrap();
    rig.gate.settled(written).await;
    assert!(!get(&rig, "GET", "/echo", "sid=stolen").await.text().contains("sid="));
    assert_eq!(get(&rig, "GET", "/member", "sid=8").await.status, 401);
    assert!(rig.gate.live().records.session(&rig.sid).unwrap().ended.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_anonymous_page_carries_nobodys_panel_session() {
    let rig = rig(recipe(), "7", 60).await;
    let text = get(&rig, "GET", "/public/page", "sid=stolen; lang=de").await.text().to_owned();
    assert!(text.contains("cookie: lang=de\n") && !text.contains("sid="), "{text}");
}
