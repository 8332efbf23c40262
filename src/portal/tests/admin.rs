//! Accounts and sessions in the hands of administrators.

use std::time::Duration;

use http::StatusCode;

use super::support::{Answer, Browser, World};
use crate::store::UserChange;

const USERS: &str = "/_gate/admin/users";
const SESSIONS: &str = "/_gate/admin/sessions";
const API: &str = "/_gate/api/v1/admin";

async fn signed_in<'w>(world: &'w World, name: &str) -> Browser<'w> {
    // A code works once (R14).
    world.clock.advance(Duration::from_secs(30));
    let mut browser = Browser::at(world, "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0", "89.160.20.112");
    assert_eq!(browser.sign_in(name).await.status, StatusCode::OK, "{name}");
    browser
}

async fn is_in(browser: &mut Browser<'_>) -> bool {
    browser.session().await.status == StatusCode::OK
}

/// Asks and then does it, as a person would.
async fn confirmed(browser: &mut Browser<'_>, address: &str, choice: &[(&str, &str)]) -> Answer {
    let asked = browser.open(address).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.text);
    let form = asked.form();
    let fields: Vec<_> = [("form", form.as_str())].into_iter().chain(choice.iter().copied()).collect();
    browser.submit(address, &fields).await
}

#[tokio::test]
async fn only_administrators_who_have_just_proved_their_second_factor_come_in() {
    let world = World::new().await;
    let mut alice = signed_in(&world, "alice").await;
    let mut root = signed_in(&world, "root").await;
    let pages = [USERS, "/_gate/admin/users/alice", "/_gate/admin/users/alice/disable", SESSIONS];
    let calls = [format!("{API}/users"), format!("{API}/users/alice"), format!("{API}/sessions")];
    for page in pages {
        assert_eq!(alice.open(page).await.status, StatusCode::FORBIDDEN, "{page}");
        assert!(Browser::new(&world).open(page).await.location().contains("/_gate/sign-in"), "{page}");
        assert_eq!(root.open(page).await.status, StatusCode::OK, "{page}");
    }
    for call in &calls {
        assert_eq!(alice.call("GET", call, "").await.status, StatusCode::FORBIDDEN, "{call}");
        assert_eq!(root.call("GET", call, "").await.status, StatusCode::OK, "{call}");
    }
    world.clock.advance(Duration::from_secs(901));
    root.refresh().await;
    for page in pages {
        let answer = root.open(page).await;
        assert!(answer.location().starts_with("https://panel.example.com/_gate/step-up?rd="), "{page}");
    }
    for call in &calls {
        assert_eq!(root.call("GET", call, "").await.reason(), "needs-elevation", "{call}");
    }
}

#[tokio::test]
async fn an_administrator_without_a_second_factor_sets_one_up_first() {
    let world = World::new().await;
    let mut root = signed_in(&world, "root").await;
    world.change("root", UserChange { totp: Some(None), ..UserChange::default() }).await;
    let answer = root.open(USERS).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.text.contains("/_gate/account/two-factor"), "{}", answer.text);
}

#[tokio::test]
async fn the_table_shows_who_is_below_with_factor_sessions_and_last_use_and_can_be_filtered() {
    let world = World::new().await;
    signed_in(&world, "alice").await;
    let mut root = signed_in(&world, "root").await;
    let page = root.open(USERS).await;
    for name in ["alice", "admin", "root"] {
        assert!(page.text.contains(&format!("href=\"/_gate/admin/users/{name}\"")), "{name}: {}", page.text);
    }
    assert!(page.text.contains("<td>Set up</td>") && page.text.contains("<td>Not set up</td>"));
    assert!(page.text.contains("aria-label=\"1, Sessions: alice\">1</a>"), "{}", page.text);
    let filtered = root.open("/_gate/admin/users?q=ALI").await;
    assert!(filtered.text.contains("/users/alice") && !filtered.text.contains("/users/admin"));
    assert!(root.open("/_gate/admin/users?q=nobody").await.text.contains("No account matches"));
    let mut admin = signed_in(&world, "admin").await;
    let page = admin.open(USERS).await;
    assert!(page.text.contains("/users/alice") && !page.text.contains("/users/root"), "{}", page.text);
    assert!(!page.text.contains("href=\"/_gate/admin/users/admin\""), "{}", page.text);
}

#[tokio::test]
async fn disabling_signs_out_at_once_and_enabling_lets_in_again() {
    let world = World::new().await;
    let mut alice = signed_in(&world, "alice").await;
    let mut root = signed_in(&world, "root").await;
    let asked = root.open("/_gate/admin/users/alice/disable").await;
    assert!(asked.text.contains("Disable alice?") && asked.text.contains("signed out everywhere at once"));
    assert_eq!(
        root.submit("/_gate/admin/users/alice/disable", &[("form", "x")]).await.status,
        StatusCode::FORBIDDEN
    );
    assert!(is_in(&mut alice).await, "R20: asking changes nothing, and neither does a form of nobody");
    let done = confirmed(&mut root, "/_gate/admin/users/alice/disable", &[]).await;
    assert_eq!(done.location(), "/_gate/admin/users/alice?done=disable");
    assert!(!is_in(&mut alice).await, "R12");
    let body = "{\"username\":\"alice\",\"password\":\"alice-pass\"}";
    assert_eq!(alice.call("POST", "/_gate/api/v1/sign-in", body).await.status, StatusCode::UNAUTHORIZED);
    let page = root.open(done.location()).await;
    assert!(page.text.contains("Disabled") && page.text.contains("role=\"status\">Done."), "{}", page.text);
    confirmed(&mut root, "/_gate/admin/users/alice/enable", &[]).await;
    assert_eq!(alice.call("POST", "/_gate/api/v1/sign-in", body).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_locked_out_user_loses_the_second_factor_and_signs_in_with_the_password_alone() {
    let world = World::new().await;
    let mut root = signed_in(&world, "root").await;
    let done = confirmed(&mut root, "/_gate/admin/users/admin/remove-second-factor", &[]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let body = "{\"username\":\"admin\",\"password\":\"admin-pass\"}";
    let answer = Browser::new(&world).call("POST", "/_gate/api/v1/sign-in", body).await;
    assert_eq!(answer.json()["state"], "signed-in", "no code is asked for");
}

#[tokio::test]
async fn roles_are_given_below_ones_own_and_count_at_the_next_request() {
    let world = World::new().await;
    let mut alice = signed_in(&world, "alice").await;
    let mut root = signed_in(&world, "root").await;
    let address = "/_gate/admin/users/alice/role";
    let asked = root.open(address).await;
    assert!(
        asked.text.contains("<option value=\"admin\">") && !asked.text.contains("<option value=\"root\">")
    );
    for (role, status) in [("root", 409), ("emperor", 409), ("", 422)] {
        let refused = confirmed(&mut root, address, &[("choice", role)]).await;
        assert_eq!(refused.status, status, "{role}");
    }
    confirmed(&mut root, address, &[("choice", "admin")]).await;
    assert_eq!(alice.session().await.json()["role"], "admin", "R12");
    let mut admin = signed_in(&world, "admin").await;
    assert_eq!(admin.open(address).await.status, StatusCode::NOT_FOUND, "she is no longer below an admin");
}

#[tokio::test]
async fn signing_somebody_out_ends_every_session_of_the_account_and_no_other() {
    let world = World::new().await;
    let (mut one, mut two) = (signed_in(&world, "alice").await, signed_in(&world, "alice").await);
    let mut root = signed_in(&world, "root").await;
    confirmed(&mut root, "/_gate/admin/users/alice/sign-out", &[]).await;
    assert!(!is_in(&mut one).await && !is_in(&mut two).await && is_in(&mut root).await);
    signed_in(&world, "alice").await;
}

/// R32, on every verb: whoever is not below is as unknown as somebody who was never there.
#[tokio::test]
async fn an_account_that_is_not_below_cannot_even_be_looked_at() {
    let world = World::new().await;
    let mut root = signed_in(&world, "root").await;
    let mut admin = signed_in(&world, "admin").await;
    let id = root.session().await.json()["session"].as_str().unwrap().to_owned();
    for name in ["root", "admin", "nobody", "-"] {
        let here = format!("{USERS}/{name}");
        for page in
            [here.clone(), format!("{here}/disable"), format!("{here}/role"), format!("{here}/sign-out")]
        {
            assert_eq!(admin.open(&page).await.status, StatusCode::NOT_FOUND, "{page}");
            assert_eq!(admin.submit(&page, &[("form", "x")]).await.status.as_u16() / 100, 4, "{page}");
        }
        let call = format!("{API}/users/{name}");
        for (method, target, body) in [
            ("GET", call.clone(), ""),
            ("PATCH", call.clone(), "{\"disabled\":true}"),
            ("DELETE", format!("{call}/second-factor"), ""),
            ("DELETE", format!("{call}/sessions"), ""),
        ] {
            assert_eq!(
                admin.call(method, &target, body).await.status,
                StatusCode::NOT_FOUND,
                "{method} {target}"
            );
        }
    }
    for page in [format!("{SESSIONS}/{id}/revoke"), format!("{SESSIONS}/aaaa/revoke")] {
        assert_eq!(admin.open(&page).await.status, StatusCode::NOT_FOUND, "{page}");
    }
    assert_eq!(admin.call("DELETE", &format!("{API}/sessions/{id}"), "").await.status, StatusCode::NOT_FOUND);
    assert!(!admin.open(SESSIONS).await.text.contains("/users/root"));
    assert!(is_in(&mut root).await);
}

#[tokio::test]
async fn root_cannot_lock_himself_out() {
    let world = World::new().await;
    let mut root = signed_in(&world, "root").await;
    let page = root.open("/_gate/admin/users/root").await;
    assert!(page.text.contains("This is your own account") && !page.text.contains("/root/disable"));
    for act in ["disable", "remove-second-factor", "sign-out"] {
        let refused = confirmed(&mut root, &format!("{USERS}/root/{act}"), &[]).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{act}");
    }
    let call =
        root.call("PATCH", &format!("{API}/users/root"), "{\"role\":\"alice\",\"disabled\":true}").await;
    assert_eq!(call.reason(), "own-account");
    assert_eq!(root.session().await.json()["role"], "root");
}

#[tokio::test]
async fn everybodys_sessions_are_listed_filtered_and_revoked_after_a_question() {
    let world = World::new().await;
    let mut alice = signed_in(&world, "alice").await;
    let mut root = signed_in(&world, "root").await;
    let page = root.open(SESSIONS).await;
    assert!(page.text.contains("/users/alice\">alice</a>") && page.text.contains("/users/root\">root</a>"));
    let filtered = root.open("/_gate/admin/sessions?user=alice").await;
    assert!(!filtered.text.contains("/users/root"), "{}", filtered.text);
    let id = alice.session().await.json()["session"].as_str().unwrap().to_owned();
    let address = format!("{SESSIONS}/{id}/revoke");
    let asked = root.open(&address).await;
    for fact in ["alice", "Firefox on Linux", "Linköping, Sweden", "89.160.20.112", "signed out at once"] {
        assert!(asked.text.contains(fact), "{fact}: {}", asked.text);
    }
    assert_eq!(root.submit(&address, &[("form", "x")]).await.status, StatusCode::FORBIDDEN, "R20");
    assert!(is_in(&mut alice).await);
    confirmed(&mut root, &address, &[]).await;
    assert!(!is_in(&mut alice).await && is_in(&mut root).await);
}

#[tokio::test]
async fn scripts_do_the_same() {
    let world = World::new().await;
    let mut alice = signed_in(&world, "alice").await;
    let mut root = signed_in(&world, "root").await;
    let listed = root.call("GET", &format!("{API}/users?q=alice"), "").await.json();
    assert_eq!((&listed["total"], &listed["users"][0]["sessions"]), (&1.into(), &1.into()));
    let sessions = root.call("GET", &format!("{API}/sessions?user=alice"), "").await.json();
    let session = &sessions["sessions"][0];
    assert_eq!((&session["user"], &session["city"]), (&"alice".into(), &"Linköping".into()));
    let target = format!("{API}/sessions/{}", session["id"].as_str().unwrap());
    assert_eq!(root.call("DELETE", &target, "").await.json()["revoked"], 1);
    assert!(!is_in(&mut alice).await);
    let here = format!("{API}/users/alice");
    let changed = root.call("PATCH", &here, "{\"role\":\"admin\",\"disabled\":true}").await.json();
    assert_eq!((&changed["role"], &changed["disabled"]), (&"admin".into(), &true.into()));
    assert_eq!(
        root.call("PATCH", &here, "{\"disabled\":true}").await.status,
        StatusCode::OK,
        "it is so already"
    );
    for (body, status) in [("{}", 422), ("{\"role\":\"root\"}", 403), ("{\"name\":\"x\"}", 422), ("[]", 422)]
    {
        assert_eq!(root.call("PATCH", &here, body).await.status, status, "{body}");
    }
    let factor = root.call("DELETE", &format!("{API}/users/admin/second-factor"), "").await;
    assert_eq!(factor.json()["second_factor"], false);
    let again = root.call("DELETE", &format!("{API}/users/admin/second-factor"), "").await;
    assert_eq!(again.reason(), "nothing-to-do");
    assert_eq!(root.call("DELETE", &format!("{API}/users/admin/sessions"), "").await.status, StatusCode::OK);
}
