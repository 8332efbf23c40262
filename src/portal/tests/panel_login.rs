//! Signing in where the panel keeps its users.

use std::sync::{Arc, atomic::Ordering};

use http::StatusCode;
use serde_json::json;

use super::support::{Browser, SECRET, World, sealer};
use crate::{
    rules::{
        factor::totp,
        identity::{Totp, User, UserName, UserSource},
        login::{Jar, Recipe},
        site::AtSignIn,
    },
    store::UserChange,
};

async fn world() -> World {
    World::with(|site| site.login = Some(Arc::new(Recipe::sample())), 1000).await
}

async fn sign_in(browser: &mut Browser<'_>, name: &str, password: &str) -> (StatusCode, String) {
    let body = json!({ "username": name, "password": password }).to_string();
    let answer = browser.call("POST", "/_gate/api/v1/sign-in", &body).await;
    (answer.status, answer.text)
}

fn user(world: &World, name: &str) -> Option<Arc<User>> {
    world.gate.live().records.user_by_name(&UserName::parse(name).unwrap())
}

/// What signs the newest session of an account in to the panel.
/// The newest of the account's sessions, by the number that the panel gave it.
fn jar(world: &World, name: &str) -> Option<String> {
    let sessions = world.gate.live().records.whole().unwrap().sessions_of(&user(world, name)?.id);
    let pairs = sessions.iter().filter_map(|session| {
        let jar = Jar::open(&sealer(), &session.sid, &session.panel.as_ref()?.sealed)?;
        Some(String::from_utf8(jar.pairs()).unwrap())
    });
    pairs.max()
}

#[tokio::test]
async fn the_first_sign_in_makes_the_account_and_keeps_the_panels_session_sealed() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let (status, text) = sign_in(&mut browser, "Maria", "right").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert_eq!(browser.session().await.json()["user"], "maria");
    let maria = user(&world, "maria").unwrap();
    assert_eq!(maria.source, UserSource::Login("panel-login".into()));
    assert_eq!((&*maria.role, maria.email.as_str(), &maria.password), ("alice", "maria@panel.test", &None));
    assert_eq!(jar(&world, "maria").as_deref(), Some("sid=1"));
    assert!(!browser.jar.contains_key("sid"), "at the edge the browser never has the panel's cookie");
    let text = format!("{:?}", world.gate.live().records.whole().unwrap().sessions());
    assert!(!text.contains("sid=1") && !text.contains("right"), "{text}");
}

#[tokio::test]
async fn a_wrong_password_a_taken_name_and_a_name_of_nobody_get_one_answer() {
    let world = world().await;
    let wrong = sign_in(&mut Browser::new(&world), "maria", "wrong").await;
    assert_eq!(wrong.0, StatusCode::UNAUTHORIZED);
    // `alice` is an account of the gate's own: the panel's `alice` does not become her, nor is she asked here.
    assert_eq!(sign_in(&mut Browser::new(&world), "alice", "right").await, wrong, "R31");
    assert_eq!(sign_in(&mut Browser::new(&world), "alice", "alice-pass").await, wrong, "R31");
    assert_eq!(sign_in(&mut Browser::new(&world), "two words", "right").await, wrong, "R31");
    assert_eq!(sign_in(&mut Browser::new(&world), "maria", "").await, wrong, "an empty password asks nobody");
    assert_eq!(user(&world, "alice").unwrap().source, UserSource::Embedded);
    assert_eq!(world.panel.asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_panel_that_is_down_signs_nobody_in_and_makes_no_account() {
    let world = world().await;
    *world.panel.down.lock().unwrap() = true;
    let (status, text) = sign_in(&mut Browser::new(&world), "maria", "right").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
    assert!(user(&world, "maria").is_none());
}

#[tokio::test]
async fn the_role_follows_the_panel_at_each_sign_in_and_a_disabled_account_stays_out() {
    let world = world().await;
    sign_in(&mut Browser::new(&world), "maria", "right").await;
    *world.panel.role.lock().unwrap() = Some("root".into());
    sign_in(&mut Browser::new(&world), "maria", "right").await;
    let maria = user(&world, "maria").unwrap();
    assert_eq!(&*maria.role, "root");
    let disable = UserChange { disabled: Some(true), ..UserChange::default() };
    let written = world.gate.store().change_user(maria.id, disable, super::support::START).await.unwrap();
    world.gate.settled(written).await;
    let (status, _) = sign_in(&mut Browser::new(&world), "maria", "right").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_second_factor_is_the_gates_own_and_the_panels_session_waits_for_it() {
    let world = World::with(
        |site| {
            site.login = Some(Arc::new(Recipe::sample()));
            site.second_factor.at_sign_in = AtSignIn::Always;
        },
        1000,
    )
    .await;
    sign_in(&mut Browser::new(&world), "maria", "right").await;
    let maria = user(&world, "maria").unwrap();
    let app = Totp { sealed_secret: totp::seal(&sealer(), &maria.id, &SECRET, [5; 12]), last_step: 0 };
    let written = world.gate.store().enrol(maria.id, app, vec![], None).await.unwrap();
    world.gate.settled(written).await;

    let mut browser = Browser::new(&world);
    let (_, text) = sign_in(&mut browser, "maria", "right").await;
    assert!(text.contains("second-factor"), "{text}");
    assert_eq!(
        world.gate.live().records.whole().unwrap().sessions_of(&maria.id).len(),
        1,
        "no session before the code"
    );
    assert!(!browser.jar["__Host-gate_pending"].contains("sid"));
    let answer = browser.code(&world.code()).await;
    assert_eq!(answer.json()["state"], "signed-in", "{}", answer.text);
    assert_eq!(jar(&world, "maria").as_deref(), Some("sid=2"));
}

#[tokio::test]
async fn behind_another_proxy_the_browser_gets_the_panels_cookie_and_the_session_does_not_keep_it() {
    let world = world().await;
    let mut browser = Browser::new(&world).behind_a_proxy();
    let body = json!({ "username": "maria", "password": "right" }).to_string();
    let answer = browser.call("POST", "/_gate/api/v1/sign-in", &body).await;
    let cookie = answer.set_cookie("sid").unwrap();
    assert!(cookie.starts_with("sid=1; Path=/app; Max-Age="), "{cookie}");
    assert!(cookie.contains("; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
    assert_eq!(jar(&world, "maria"), None);
}

#[tokio::test]
async fn the_embedded_accounts_are_not_asked_for_where_the_panel_keeps_them() {
    let world = world().await;
    sign_in(&mut Browser::new(&world), "root", "root-pass").await;
    assert_eq!(world.checks(), 0, "no hash was looked at");
}
