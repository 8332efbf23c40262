//! Setting the authenticator app up, moving and removing it, and the backup codes.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};

use super::support::{Answer, BACKUP, Browser, World, policy_with};
use crate::rules::{identity::Totp, site::AtSignIn};

const PAGE: &str = "/_gate/account/two-factor";
const CONFIRM: &str = "/_gate/account/two-factor/confirm";
const SECURITY: &str = "/_gate/account/security";
const CALL: &str = "/_gate/api/v1/totp";

async fn signed_in<'w>(world: &'w World, name: &str) -> Browser<'w> {
    let mut browser = Browser::new(world);
    browser.sign_in(name).await;
    browser
}

async fn start(browser: &mut Browser<'_>, given: Value) -> Answer {
    browser.call("POST", CALL, &given.to_string()).await
}

async fn confirm(browser: &mut Browser<'_>, code: &str) -> Answer {
    browser.call("POST", "/_gate/api/v1/totp/confirm", &json!({ "code": code }).to_string()).await
}

/// Sets alice's app up: its secret, and the backup codes.
async fn set_up(world: &World, browser: &mut Browser<'_>) -> (String, Vec<String>) {
    let begun = start(browser, json!({ "password": "alice-pass" })).await.json();
    let secret = begun["secret"].as_str().unwrap().to_owned();
    let done = confirm(browser, &world.code_of(&secret, 0)).await;
    assert_eq!(done.json()["state"], "enrolled", "{}", done.text);
    let codes = done.json()["backup_codes"].as_array().unwrap().clone();
    (secret, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

async fn backup(browser: &mut Browser<'_>, code: &str) -> Answer {
    let body = json!({ "backup_code": code }).to_string();
    browser.call("POST", "/_gate/api/v1/second-factor", &body).await
}

/// A sign-in that waits for its code.
async fn half<'w>(world: &'w World, name: &str) -> Browser<'w> {
    let mut browser = Browser::new(world);
    let body = json!({ "username": name, "password": format!("{name}-pass") }).to_string();
    let answer = browser.call("POST", "/_gate/api/v1/sign-in", &body).await;
    assert_eq!(answer.json()["state"], "second-factor");
    browser
}

fn key_of(page: &Answer) -> String {
    page.text.split("id=\"key\">").nth(1).unwrap().split('<').next().unwrap().to_owned()
}

/// The whole of it by forms: password, picture and key, code, backup codes.
#[tokio::test]
async fn an_app_is_set_up_in_three_steps() {
    let world = World::new().await;
    let mut browser = signed_in(&world, "alice").await;
    assert!(browser.open(SECURITY).await.text.contains("Your account has none yet"));
    let page = browser.open(PAGE).await;
    assert!(page.text.contains("autocomplete=\"current-password\"") && !page.text.contains("<svg"));
    let form = page.form();
    let wrong = browser.submit(PAGE, &[("form", &form), ("rd", ""), ("password", "nope")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.text.contains("not your current password") && !wrong.text.contains("<svg"));
    let right = browser.submit(PAGE, &[("form", &form), ("rd", ""), ("password", "alice-pass")]).await;
    assert_eq!((right.status, right.location()), (StatusCode::SEE_OTHER, PAGE));

    let page = browser.open(PAGE).await;
    assert!(page.text.contains("<svg class=\"qr\"") && page.text.contains("width=\"256\" height=\"256\""));
    let key = key_of(&page);
    assert!(key.split(' ').all(|group| group.len() == 4) && key.len() == 39, "{key}");
    let secret = key.replace(' ', "");
    let url = format!("otpauth://totp/Panel:alice?secret={secret}&#38;issuer=Panel");
    assert!(page.text.contains(&url), "issuer and account: {}", page.text);
    let form = page.form();
    let wrong = browser.submit(CONFIRM, &[("form", &form), ("rd", ""), ("code", "000000")]).await;
    assert_eq!((wrong.status, key_of(&wrong)), (StatusCode::UNAUTHORIZED, key.clone()));
    assert!(world.sessions("alice")[0].elevation.is_none(), "nothing is on before a right code");

    let before = browser.jar["__Host-gate_access"].clone();
    let code = world.code_of(&secret, 0);
    let done = browser.submit(CONFIRM, &[("form", &form), ("rd", ""), ("code", &code)]).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    assert_eq!(done.text.matches("<li><code>").count(), 10);
    assert!(done.text.contains("I have kept these") && done.text.contains("data-copy=\"#codes\""));
    assert_ne!(browser.jar["__Host-gate_access"], before, "R15");
    assert_eq!(browser.session().await.json()["elevated_for_ms"], 900_000);
    assert!(browser.open(SECURITY).await.text.contains("10 of 10 are left"));
    let again = browser.submit(CONFIRM, &[("form", &form), ("rd", ""), ("code", &code)]).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "a reload shows no codes");
    assert!(!again.text.contains("<li><code>"));
}

/// R14: one step of tolerance each way, and what turned it on proves nothing else.
#[tokio::test]
async fn the_previous_and_the_next_code_turn_it_on_and_are_used_up() {
    for (steps, right) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
        let world = World::new().await;
        let mut browser = signed_in(&world, "alice").await;
        let begun = start(&mut browser, json!({ "password": "alice-pass" })).await.json();
        let code = world.code_of(begun["secret"].as_str().unwrap(), steps);
        let answer = confirm(&mut browser, &code).await;
        assert_eq!(answer.status == StatusCode::OK, right, "{steps}: {}", answer.text);
        if right {
            assert_eq!(browser.code(&code).await.reason(), "used-code", "{steps}");
            assert_eq!(half(&world, "alice").await.code(&code).await.reason(), "used-code", "{steps}");
        }
    }
}

/// Of 200 parallel confirmations one turns it on, and the codes that it was told are those that count.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_200_parallel_confirmations_counts() {
    let world = World::new().await;
    let mut browser = signed_in(&world, "alice").await;
    let begun = start(&mut browser, json!({ "password": "alice-pass" })).await.json();
    let code = world.code_of(begun["secret"].as_str().unwrap(), 0);
    let tries = (0..200).map(|_| {
        let (mut browser, code) = (browser.clone(), code.clone());
        async move { confirm(&mut browser, &code).await }
    });
    let answers = join_all(tries).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == StatusCode::OK).collect();
    let [won] = won.as_slice() else { panic!("{} were told yes", won.len()) };
    let codes = won.json()["backup_codes"].clone();
    let answer = backup(&mut half(&world, "alice").await, codes[0].as_str().unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

/// Of 200 parallel tries of one backup code, exactly one gets in.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_200_parallel_tries_of_a_backup_code_counts() {
    let world = World::new().await;
    let (_, codes) = set_up(&world, &mut signed_in(&world, "alice").await).await;
    let first = half(&world, "alice").await;
    let tries = (0..200).map(|_| {
        let (mut browser, code) = (first.clone(), codes[3].clone());
        async move { backup(&mut browser, &code).await.status }
    });
    let answers = join_all(tries).await;
    let count = |wanted| answers.iter().filter(|status| **status == wanted).count();
    let (wrong, at_once) = (count(StatusCode::UNAUTHORIZED), count(StatusCode::TOO_MANY_REQUESTS));
    assert_eq!((count(StatusCode::OK), wrong + at_once), (1, 199));
    assert!(signed_in_with(&world, &codes[4]).await.open(SECURITY).await.text.contains("8 of 10"));
}

async fn signed_in_with<'w>(world: &'w World, code: &str) -> Browser<'w> {
    let mut browser = half(world, "alice").await;
    let answer = backup(&mut browser, code).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    browser
}

/// Shown once, kept as hashes; a warning at three.
#[tokio::test]
async fn the_codes_left_are_counted_and_few_are_warned_of() {
    let world = World::new().await;
    let mut browser = signed_in(&world, "alice").await;
    let (secret, codes) = set_up(&world, &mut browser).await;
    let user = world.gate.live().records.user_by_name(&"alice".to_owned().try_into().unwrap()).unwrap();
    let kept = format!("{user:?}");
    for text in codes.iter().chain([&secret]) {
        assert!(!kept.contains(text.as_str()), "kept as it is");
        for page in [SECURITY, PAGE, "/_gate/account/backup-codes", "/_gate/account/password"] {
            assert!(!browser.open(page).await.text.contains(text.as_str()), "{page}");
        }
    }
    for (used, left) in codes.iter().zip((0..10).rev()) {
        let page = signed_in_with(&world, used).await.open(SECURITY).await.text;
        let warned = page.contains("<p class=\"warning\">");
        assert_eq!(warned, left <= 3, "{left} left");
        assert!(left == 0 || page.contains(&format!("{left} of 10")), "{left} left: {page}");
    }
    assert_eq!(backup(&mut half(&world, "alice").await, &codes[0]).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn new_backup_codes_need_a_code_and_end_the_old_ones() {
    let world = World::new().await;
    let mut browser = signed_in(&world, "root").await;
    let make = "/_gate/account/backup-codes";
    world.clock.advance(Duration::from_secs(60));
    let form = browser.open(make).await.form();
    for wrong in ["", "000000", BACKUP] {
        let answer = browser.submit(make, &[("form", &form), ("rd", ""), ("code", wrong)]).await;
        assert!(answer.status.is_client_error() && !answer.text.contains("<li><code>"), "{wrong}");
    }
    let code = world.code();
    let made = browser.submit(make, &[("form", &form), ("rd", ""), ("code", &code)]).await;
    assert_eq!((made.status, made.text.matches("<li><code>").count()), (StatusCode::OK, 10), "{}", made.text);
    let again =
        browser.call("POST", "/_gate/api/v1/backup-codes", &json!({ "code": code }).to_string()).await;
    assert_eq!(again.reason(), "used-code", "R14");
    assert_eq!(backup(&mut browser, BACKUP).await.status, StatusCode::UNAUTHORIZED, "the old one");
    let new = made.text.split("<li><code>").nth(1).unwrap().split('<').next().unwrap();
    assert_eq!(backup(&mut browser, new).await.status, StatusCode::OK);
}

/// The file has the codes of the page, and can be made to have nothing else.
#[tokio::test]
async fn the_codes_can_be_downloaded_from_their_page_only() {
    let world = World::new().await;
    let mut browser = signed_in(&world, "alice").await;
    let (_, codes) = set_up(&world, &mut browser).await;
    let form = browser.open("/_gate/account/backup-codes").await.form();
    let file = "/_gate/account/backup-codes/download";
    let all = codes.join(" ");
    let answer = browser.submit(file, &[("form", &form), ("codes", &all)]).await;
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"backup-codes.txt\"");
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert!(answer.text.starts_with("Backup codes for Panel, account alice\n\n"));
    assert!(codes.iter().all(|code| answer.text.contains(&format!("\n{code}\n"))));
    for (form, codes) in [("", all.as_str()), (&form, "<script>"), (&form, ""), (&form, &codes[0])] {
        let answer = browser.submit(file, &[("form", form), ("codes", codes)]).await;
        assert!(answer.status.is_client_error(), "{codes}");
        assert_eq!(answer.header("content-disposition"), "");
    }
}

#[tokio::test]
async fn removing_the_app_needs_a_code_of_it() {
    let world = World::with(|site| site.second_factor.at_sign_in = AtSignIn::Never, 1000).await;
    let mut browser = signed_in(&world, "root").await;
    let page = "/_gate/account/two-factor/remove";
    let form = browser.open(page).await.form();
    let wrong = browser.submit(page, &[("form", &form), ("rd", ""), ("code", "000000")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let backup = browser.call("DELETE", CALL, &json!({ "code": BACKUP }).to_string()).await;
    assert_eq!(backup.reason(), "wrong-code", "a backup code is for getting in");
    let answer = browser.submit(page, &[("form", &form), ("rd", ""), ("code", &world.code())]).await;
    assert_eq!(answer.location(), "/_gate/account/security?done=removed");
    let page = browser.open(answer.location()).await.text;
    assert!(page.contains("is removed") && page.contains("Your account has none yet"), "{page}");
    assert_eq!(browser.code(&world.code()).await.reason(), "needs-enrolment");
    let again = browser.call("DELETE", CALL, &json!({ "code": world.code() }).to_string()).await;
    assert_eq!(again.reason(), "needs-enrolment");
}

/// With the app that there is, or a backup code if the phone is lost; never with the password alone.
#[tokio::test]
async fn moving_to_another_phone_needs_a_code() {
    let world = World::new().await;
    let mut browser = signed_in(&world, "root").await;
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(start(&mut browser, json!({ "password": "root-pass" })).await.reason(), "code-needed");
    assert_eq!(start(&mut browser, json!({ "code": "000000" })).await.reason(), "wrong-code");
    let begun = start(&mut browser, json!({ "code": world.code() })).await;
    assert_eq!(begun.status, StatusCode::OK, "{}", begun.text);
    let old = world.code_of("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 1);
    let secret = begun.json()["secret"].as_str().unwrap().to_owned();
    assert_eq!(confirm(&mut browser, &old).await.status, StatusCode::UNAUTHORIZED, "a code of the old app");
    assert_eq!(confirm(&mut browser, &world.code_of(&secret, 0)).await.status, StatusCode::OK);
    world.clock.advance(Duration::from_secs(60));
    let mut other = half(&world, "root").await;
    assert_eq!(other.code(&world.code()).await.status, StatusCode::UNAUTHORIZED, "the old app");
    assert_eq!(other.code(&world.code_of(&secret, 0)).await.status, StatusCode::OK);
    assert_eq!(
        start(&mut other, json!({ "backup_code": BACKUP })).await.reason(),
        "wrong-code",
        "ended with the old app"
    );
}

/// A set-up that was begun before the app changed elsewhere takes no place of the new one.
#[tokio::test]
async fn a_set_up_ends_with_its_time_its_session_and_the_app_that_it_replaces() {
    let world = World::new().await;
    let mut late = signed_in(&world, "alice").await;
    let begun = start(&mut late, json!({ "password": "alice-pass" })).await.json();
    assert_eq!(begun["expires_in"], 600);
    world.clock.advance(Duration::from_secs(600));
    let code = world.code_of(begun["secret"].as_str().unwrap(), 0);
    assert_eq!(confirm(&mut late, &code).await.reason(), "no-set-up");
    assert!(late.open(PAGE).await.text.contains("current-password"), "starts again");

    let mut overtaken = signed_in(&world, "alice").await;
    let begun = start(&mut overtaken, json!({ "password": "alice-pass" })).await.json();
    let code = world.code_of(begun["secret"].as_str().unwrap(), 0);
    set_up(&world, &mut late).await;
    assert_eq!(confirm(&mut overtaken, &code).await.reason(), "no-set-up");
    assert_eq!(confirm(&mut Browser::new(&world), &code).await.status, StatusCode::UNAUTHORIZED);
}

/// R14, R16: tries count per account, whatever they are for.
#[tokio::test]
async fn too_many_tries_lock_the_set_up_and_every_other_prompt() {
    let world = World::new().await;
    let mut browser = signed_in(&world, "alice").await;
    start(&mut browser, json!({ "password": "alice-pass" })).await;
    confirm(&mut browser, "000000").await;
    confirm(&mut browser, "000000").await;
    let first = confirm(&mut browser, "000000").await;
    assert_eq!((first.reason().as_str(), first.json()["tries_left"].clone()), ("wrong-code", json!(2)));
    confirm(&mut browser, "000000").await;
    confirm(&mut browser, "000000").await;
    let form = browser.open(PAGE).await.form();
    let locked = browser.submit(CONFIRM, &[("form", &form), ("rd", ""), ("code", "000000")]).await;
    assert_eq!(locked.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(!locked.header("retry-after").is_empty() && locked.text.contains("Too many tries"));
    assert!(browser.open(SECURITY).await.status == StatusCode::OK, "the session lives");
}

/// R31 does not apply here, but the work does: a password is tried as often as a sign-in is.
#[tokio::test]
async fn the_password_is_asked_for_like_at_a_sign_in() {
    let world = World::new().await;
    let mut browser = signed_in(&world, "alice").await;
    let mut answers = Vec::new();
    for _ in 0..100 {
        answers.push(start(&mut browser, json!({ "password": "nope" })).await.status);
    }
    assert_eq!(answers[0], StatusCode::UNAUTHORIZED);
    assert_eq!(answers.last(), Some(&StatusCode::TOO_MANY_REQUESTS));
}

/// An account that signs in elsewhere has no password to ask for: a sign-in just now is needed instead.
#[tokio::test]
async fn without_a_password_a_fresh_sign_in_is_needed() {
    let world = World::new().await;
    let mut browser = signed_in(&world, "alice").await;
    world.forget_password("alice").await;
    assert!(browser.open("/_gate/account/password").await.text.contains("kept elsewhere"));
    assert!(browser.open(PAGE).await.text.contains("just signed in"));
    let body = json!({ "current": "alice-pass", "new": "n4Xq-7fLp-02Zd" }).to_string();
    let change = browser.call("POST", "/_gate/api/v1/password", &body).await;
    assert_eq!(change.reason(), "no-local-password");
    world.clock.advance(Duration::from_secs(899));
    assert_eq!(start(&mut browser, json!({})).await.status, StatusCode::OK);
    world.clock.advance(Duration::from_secs(601));
    browser.refresh().await;
    assert_eq!(start(&mut browser, json!({})).await.reason(), "sign-in-again");
    let page = browser.open(PAGE).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("Sign in again first") && page.text.contains("15 min"), "{}", page.text);
}

/// A proof that does not elevate is not offered, and nothing is used up.
#[tokio::test]
async fn the_step_up_page_offers_only_what_elevates() {
    for (methods, code, backup, switch) in [
        (json!(["totp", "backup-code"]), true, false, true),
        (json!(["totp"]), true, false, false),
        (json!(["backup-code"]), false, true, false),
    ] {
        let elevation = json!({ "lasts": "15m", "methods": methods });
        let policy = std::sync::Arc::new(policy_with("elevation", elevation));
        let change = |site: &mut crate::rules::site::Site| {
            site.policy = policy;
            site.second_factor.at_sign_in = AtSignIn::Never;
        };
        let world = World::with(change, 10).await;
        let page = signed_in(&world, "root").await.open("/_gate/step-up").await.text;
        assert_eq!(page.contains("id=\"code\""), code, "{methods}");
        assert_eq!(page.contains("id=\"backup_code\""), backup, "{methods}");
        assert_eq!(page.contains("Use a backup code"), switch, "{methods}");
    }
}

/// The first code is written down with the app, so that a restart does not bring it back.
#[tokio::test]
async fn the_step_of_the_first_code_is_kept() {
    let world = World::new().await;
    set_up(&world, &mut signed_in(&world, "alice").await).await;
    let user =
        world.gate.store().user_by_name(&"alice".to_owned().try_into().unwrap()).await.unwrap().unwrap();
    let Some(Totp { last_step, .. }) = user.totp else { panic!("no app") };
    assert_eq!(last_step, super::support::START.secs() / 30);
}
