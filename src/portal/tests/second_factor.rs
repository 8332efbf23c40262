use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::support::{Answer, BACKUP, Browser, World, example};
use crate::{
    portal::routes,
    rules::{outcome::Outcome, site::AtSignIn},
};

const CALL: &str = "/_gate/api/v1/second-factor";

async fn half(world: &World) -> Browser<'_> {
    let mut browser = Browser::new(world);
    let body = json!({ "username": "root", "password": "root-pass" }).to_string();
    let answer = browser.call("POST", "/_gate/api/v1/sign-in", &body).await;
    assert_eq!(answer.json()["state"], "second-factor");
    assert_eq!(browser.jar.keys().collect::<Vec<_>>(), ["__Host-gate_pending"]);
    browser
}

/// R11, row 56: between password and code, the cookie opens the one page that it is for. From the route table.
#[tokio::test]
async fn a_pending_sign_in_opens_nothing_but_its_own_prompt() {
    let world = World::new().await;
    let open_to_everybody = [
        "/_gate/sign-in",
        "/_gate/sign-out",
        "/_gate/not-me",
        "/_gate/api/v1/sign-in",
        "/_gate/api/v1/sign-out",
        "/_gate/client.js",
        "/_gate/portal.js",
        "/_gate/style.css",
        "/_gate/.well-known/jwks.json",
        "/_gate/api/v1/openapi.json",
        "/_gate/second-factor",
        "/_gate/api/v1/second-factor",
    ];
    let mut tried = 0;
    for route in routes::guarded() {
        for method in route.methods {
            let target = example(route.path);
            let answer = half(&world).await.call(method, &target, "{}").await;
            assert!(
                answer.set_cookie("__Host-gate_access").is_none_or(|cookie| cookie.contains("=;")),
                "{method} {target}"
            );
            if !open_to_everybody.contains(&route.path) && (*method, route.path) != ("GET", "/_gate/refresh")
            {
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {target}: {}", answer.text);
                tried += 1;
            }
        }
    }
    assert!(tried >= 6, "the table must not have shrunk to nothing: {tried}");
    for target in ["/_gate/step-up", "/_gate/refresh?rd=https://panel.example.com/"] {
        let answer = half(&world).await.open(target).await;
        assert!(
            answer.location().contains("/_gate/sign-in"),
            "{target}: {} {}",
            answer.status,
            answer.location()
        );
    }
}

/// The pending cookie in the place of the others, and the others in its place: the kinds are disjoint (R11).
#[tokio::test]
async fn no_cookie_passes_for_one_of_another_kind() {
    let world = World::new().await;
    let pending = half(&world).await.jar["__Host-gate_pending"].clone();
    let mut signed = Browser::new(&world);
    signed.sign_in("alice").await;
    let (access, refresh) =
        (signed.jar["__Host-gate_access"].clone(), signed.jar["__Secure-gate_refresh"].clone());
    for (name, value) in [
        ("__Host-gate_access", &pending),
        ("__Host-gate_access", &refresh),
        ("__Secure-gate_refresh", &access),
        ("__Secure-gate_refresh", &pending),
        ("__Host-gate_pending", &access),
        ("__Host-gate_pending", &refresh),
    ] {
        let mut browser = Browser::new(&world);
        browser.jar.insert(name.into(), value.clone());
        assert_eq!(browser.session().await.status, StatusCode::UNAUTHORIZED, "{name}");
        assert_eq!(browser.clone().refresh().await.status, StatusCode::UNAUTHORIZED, "{name}");
        assert_eq!(browser.clone().code("123456").await.status, StatusCode::UNAUTHORIZED, "{name}");
    }
}

#[tokio::test]
async fn the_right_code_completes_a_sign_in_and_elevates() {
    let world = World::new().await;
    let mut browser = half(&world).await;
    let form = browser.open("/_gate/second-factor?rd=https://panel.example.com/users").await.form();
    let code = world.code();
    let (head, tail) = code.split_at(3);
    let spaced = format!("{head} {tail}");
    let fields = [("form", form.as_str()), ("rd", "https://panel.example.com/users"), ("code", &spaced)];
    let answer = browser.submit("/_gate/second-factor", &fields).await;
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::SEE_OTHER, "https://panel.example.com/users"),
        "{}",
        answer.text
    );
    assert!(!browser.jar.contains_key("__Host-gate_pending"));
    assert_eq!(browser.session().await.json()["elevated_for_ms"], 900_000);
}

#[tokio::test]
async fn a_code_at_sign_in_does_not_elevate_where_the_site_says_so() {
    let world = World::with(|site| site.second_factor.sign_in_elevates = false, 10).await;
    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in("root").await.json()["elevated_until"], serde_json::Value::Null);
    assert_eq!(browser.session().await.json()["elevated_until"], serde_json::Value::Null);
}

/// R14, row 62: of 200 parallel tries of one code over sign-ins and a step-up, exactly one counts.
#[tokio::test(flavor = "multi_thread")]
async fn one_code_works_once() {
    let world = World::new().await;
    let (first, code) = (half(&world).await, world.code());
    let tries = (0..200).map(|_| {
        let mut browser = first.clone();
        let code = code.clone();
        async move { browser.code(&code).await }
    });
    let answers = futures_util::future::join_all(tries).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!(count(StatusCode::OK), 1);
    let used = answers.iter().filter(|answer| answer.status != StatusCode::OK).map(Answer::reason);
    // Those that are too many at once are not looked at.
    assert!(used.into_iter().all(|reason| reason == "used-code" || reason == "rate-limited"));
}

#[tokio::test]
async fn wrong_used_and_late_codes_are_told_apart_in_words() {
    let world = World::with(|_| {}, 5).await;
    let mut browser = half(&world).await;
    let wrong = browser.code("000000").await;
    assert_eq!((wrong.status, wrong.reason().as_str()), (StatusCode::UNAUTHORIZED, "wrong-code"));
    assert!(wrong.json().get("tries_left").is_none(), "four are not few");
    let few = browser.code("000000").await.json();
    assert_eq!(
        (few["tries_left"].as_u64(), few["detail"].as_str().unwrap().contains("3 tries left.")),
        (Some(3), true)
    );
    let code = world.code();
    assert_eq!(browser.code(&code).await.status, StatusCode::OK);
    let mut other = half(&world).await;
    world.clock.advance(Duration::from_secs(18));
    let used = other.code(&code).await;
    assert_eq!(
        used.json()["detail"],
        "That code has been used. Codes work once; wait for the next one (12 s)."
    );
}

/// R14, R16: the tries are those of the account, over any number of sign-ins and sessions.
#[tokio::test]
async fn the_account_is_locked_not_the_session() {
    let world = World::new().await;
    for _ in 0..5 {
        assert_eq!(half(&world).await.code("000000").await.status, StatusCode::UNAUTHORIZED);
    }
    let mut browser = half(&world).await;
    let answer = browser.code(&world.code()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "900"));
    let form = browser.open("/_gate/second-factor").await.form();
    let page =
        browser.submit("/_gate/second-factor", &[("form", &form), ("rd", ""), ("code", &world.code())]).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(page.text.contains("Too many tries. Try again in 15 min, at "), "{}", page.text);
    world.clock.advance(Duration::from_secs(900));
    assert_eq!(half(&world).await.code(&world.code()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_backup_code_works_once_however_it_is_typed() {
    let world = World::new().await;
    let mut browser = half(&world).await;
    let page = browser.open("/_gate/second-factor?with=backup").await;
    assert!(page.text.contains("name=\"backup_code\"") && !page.text.contains("inputmode"));
    let typed = BACKUP.to_lowercase().replace('-', " ").replace('1', "l");
    let form = page.form();
    let answer =
        browser.submit("/_gate/second-factor", &[("form", &form), ("rd", ""), ("backup_code", &typed)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    let body = json!({ "backup_code": BACKUP }).to_string();
    assert_eq!(half(&world).await.call("POST", CALL, &body).await.reason(), "wrong-code");
}

/// Row 58 for this step.
#[tokio::test]
async fn empty_double_and_foreign_fields_prove_nothing() {
    let world = World::with(|_| {}, 3).await;
    let code = world.code();
    let bodies = [
        "{}".to_owned(),
        "null".to_owned(),
        format!("[\"{code}\"]"),
        r#"{"code":null}"#.to_owned(),
        r#"{"code":"  "}"#.to_owned(),
        format!(r#"{{"code":{code}}}"#),
        json!({ "code": code, "backup_code": BACKUP }).to_string(),
        json!({ "code": code, "user": "admin" }).to_string(),
    ];
    for body in bodies {
        let answer = half(&world).await.call("POST", CALL, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
    assert_eq!(half(&world).await.code(&code).await.status, StatusCode::OK, "and none of it cost a try");
}

#[tokio::test]
async fn a_pending_sign_in_ends_after_its_time() {
    let world = World::new().await;
    let mut browser = half(&world).await;
    world.clock.advance(Duration::from_secs(300));
    assert_eq!(browser.code(&world.code()).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.open("/_gate/second-factor").await.location(), "/_gate/sign-in");
}

/// R15: elevation is written into the live session, and the access token is a new one of the same generation.
#[tokio::test]
async fn stepping_up_elevates_the_live_session() {
    let world = World::with(|site| site.second_factor.at_sign_in = AtSignIn::Never, 10).await;
    let mut browser = Browser::new(&world);
    browser.sign_in("root").await;
    let before = browser.clone();
    let page = browser.open("/_gate/step-up?rd=https://panel.example.com/users/7").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("Stays verified for 5 min."), "{}", page.text);
    let fields =
        [("form", page.form()), ("rd", "https://panel.example.com/users/7".into()), ("code", world.code())];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    world.clock.advance(Duration::from_secs(1));
    let answer = browser.submit("/_gate/step-up", &fields).await;
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::SEE_OTHER, "https://panel.example.com/users/7"),
        "{}",
        answer.text
    );
    assert_ne!(before.jar["__Host-gate_access"], browser.jar["__Host-gate_access"], "a new access token");
    assert_eq!(before.jar["__Secure-gate_refresh"], browser.jar["__Secure-gate_refresh"], "the family stays");
    assert_eq!(browser.session().await.json()["elevated_for_ms"], 900_000);
    let page = browser.call("GET", "/_gate/api/v1/session?path=/users/7", "").await.json();
    assert_eq!(page["elevated_for_ms"], 300_000, "a page can shorten it");
    let again = browser.open("/_gate/step-up").await;
    assert!(again.text.contains("You are verified until"), "{}", again.text);
    world.clock.advance(Duration::from_secs(900));
    assert_eq!(browser.refresh().await.status, StatusCode::OK);
    assert_eq!(browser.session().await.json()["elevated_until"], serde_json::Value::Null, "it lapses");
}

#[tokio::test]
async fn an_account_without_an_app_is_led_to_its_set_up() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    browser.sign_in("alice").await;
    let page = browser.open("/_gate/step-up?rd=/users").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    let link = "href=\"/_gate/account/two-factor?rd=https%3A%2F%2Fpanel.example.com%2Fusers\"";
    assert!(page.text.contains("You need an authenticator app") && page.text.contains(link), "{}", page.text);
    let answer = browser.code("123456").await;
    assert_eq!(answer.reason(), "needs-enrolment");
    assert_eq!(answer.json()["enrolment_url"], "https://panel.example.com/_gate/account/two-factor");
}

/// The whole story, as the gate sees it: look, be asked at the first change, change, and be asked again.
#[tokio::test]
async fn stepping_up_turns_looking_into_changing() {
    let world = World::with(|site| site.second_factor.at_sign_in = AtSignIn::Never, 10).await;
    let mut browser = Browser::new(&world);
    browser.sign_in("root").await;
    let ask = |browser: &Browser<'_>, method: &str| {
        browser.request(method, "/users/7").body(axum::body::Body::empty()).unwrap()
    };
    let (look, change) = (ask(&browser, "GET"), ask(&browser, "POST"));
    assert!(matches!(world.decide(look).await, Outcome::Allow(_)));
    assert!(matches!(world.decide(change).await, Outcome::StepUp { readable: true }));
    assert_eq!(browser.code(&world.code()).await.status, StatusCode::OK);
    assert!(matches!(world.decide(ask(&browser, "POST")).await, Outcome::Allow(_)));
    world.clock.advance(Duration::from_secs(300));
    assert!(matches!(world.decide(ask(&browser, "POST")).await, Outcome::StepUp { .. }));
}

#[tokio::test]
async fn the_prompt_says_which_page_asks_and_where_not_now_leads() {
    let world = World::with(|site| site.second_factor.at_sign_in = AtSignIn::Never, 10).await;
    for (name, lead, leave) in [
        (
            "root",
            "You can look at this page. To change anything, verify it’s you.",
            "https://panel.example.com/users/7",
        ),
        ("admin", "This page opens after you verify it’s you.", "https://panel.example.com/"),
    ] {
        let mut browser = Browser::new(&world);
        browser.sign_in(name).await;
        let page = browser.open("/_gate/step-up?rd=/users/7").await.text;
        assert!(page.contains(&format!("User management is a protected page. {lead}")), "{page}");
        assert!(page.contains(&format!("<a href=\"{leave}\">Not now</a>")), "{page}");
    }
}

#[tokio::test]
async fn a_page_of_the_panel_learns_what_this_session_may_do_there() {
    let world = World::with(|site| site.second_factor.at_sign_in = AtSignIn::Never, 10).await;
    let mut browser = Browser::new(&world);
    browser.sign_in("root").await;
    let session = browser.call("GET", "/_gate/api/v1/session?path=/users/7%3Ftab%3D1", "").await.json();
    let page = &session["page"];
    assert_eq!((&page["access"], &page["after_step_up"]), (&json!("read"), &json!("full")));
    let back = "https%3A%2F%2Fpanel.example.com%2Fusers%2F7%3Ftab%3D1";
    assert_eq!(page["step_up_url"], format!("https://panel.example.com/_gate/step-up?rd={back}"));
    assert_eq!(session["words"]["verify"], "verify to make changes");
    for path in ["https://evil.example/", "", "%00", "//x"] {
        let session = browser.call("GET", &format!("/_gate/api/v1/session?path={path}"), "").await.json();
        assert!(!session.to_string().contains("evil"), "{session}");
    }
    let open = browser.call("GET", "/_gate/api/v1/session?path=/domains/1", "").await.json();
    assert_eq!((&open["page"]["access"], &open["page"]["after_step_up"]), (&json!("full"), &json!("full")));
}

/// R12: what was begun with the old password is not finished after it.
#[tokio::test]
async fn a_sign_in_that_waits_for_its_code_ends_with_a_new_password() {
    let world = World::new().await;
    let mut waiting = half(&world).await;
    world.clock.advance(Duration::from_secs(1));
    let mut owner = Browser::new(&world);
    owner.sign_in("root").await;
    let body = json!({ "current": "root-pass", "new": "n4Xq-7fLp-02Zd" }).to_string();
    assert_eq!(owner.call("POST", "/_gate/api/v1/password", &body).await.status, StatusCode::OK);
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(waiting.code(&world.code()).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(waiting.open("/_gate/second-factor").await.location(), "/_gate/sign-in");
}
