//! R20: what does not come from our own pages does nothing.

use axum::body::Body;
use http::{StatusCode, request::Builder};

use super::support::{Browser, World, example};
use crate::portal::routes;

fn unsafe_routes() -> Vec<(&'static str, String)> {
    let all = routes::guarded();
    all.iter()
        .flat_map(|route| route.methods.iter().map(|method| (*method, example(route.path))))
        .filter(|(method, _)| *method != "GET")
        .collect()
}

fn with(request: Builder, headers: &[(&str, &str)]) -> http::Request<Body> {
    headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value))
        .body("{}".into())
        .unwrap()
}

/// Row 96: every unsafe address × every way of coming from elsewhere.
#[tokio::test]
async fn every_unsafe_address_refuses_foreign_requests() {
    let world = World::new().await;
    let foreign: [&[(&str, &str)]; 12] = [
        &[],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "")],
        &[("sec-fetch-site", "SAME-ORIGIN")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://panel.example.com")],
        &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://panel.example.com")],
        &[("origin", "https://panel.example.com.evil.example")],
    ];
    let mut browser = Browser::new(&world);
    browser.sign_in("alice").await;
    let before = browser.jar.clone();
    let routes = unsafe_routes();
    assert!(routes.len() >= 10, "{routes:?}");
    for (method, target) in routes {
        for headers in foreign {
            for kind in ["application/json", "application/x-www-form-urlencoded"] {
                let request = browser.request(method, &target).header("content-type", kind);
                let answer = browser.go(with(request, headers)).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {target} {headers:?}");
                assert_eq!(answer.reason(), "cross-site");
            }
        }
    }
    assert_eq!(browser.jar, before);
    assert_eq!(browser.session().await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_client_without_fetch_metadata_proves_itself_by_its_origin() {
    let world = World::new().await;
    let body = r#"{"username":"alice","password":"alice-pass"}"#;
    let request = Browser::new(&world)
        .request("POST", "/_gate/api/v1/sign-in")
        .header("origin", "https://panel.example.com")
        .header("content-type", "application/json; charset=utf-8");
    let answer = world.send(request.body(body.into()).unwrap()).await;
    assert_eq!(answer.json()["state"], "signed-in");
}

/// The types that a foreign form can send are refused by the calls, and JSON by the forms.
#[tokio::test]
async fn the_wrong_content_type_does_nothing() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    // Whom no page turns away before it looks at the type.
    browser.sign_in("root").await;
    for (method, target) in unsafe_routes() {
        for kind in [
            "text/plain",
            "multipart/form-data; boundary=x",
            "",
            "application/jsonx",
            "text/plain; x=application/json",
        ] {
            let request = browser.request(method, &target).header("content-type", kind);
            let answer = browser.go(with(request, &[("sec-fetch-site", "same-origin")])).await;
            let refused =
                answer.status == StatusCode::UNSUPPORTED_MEDIA_TYPE || answer.location().contains("sign-in");
            assert!(refused, "{method} {target} {kind}: {} {}", answer.status, answer.text);
        }
    }
    assert_eq!(browser.session().await.status, StatusCode::OK);
}

/// Row 79: a form's token is worth nothing in another session, on another page or after its time.
#[tokio::test]
async fn form_tokens_are_bound() {
    let world =
        World::with(|site| site.second_factor.at_sign_in = crate::rules::site::AtSignIn::Never, 100).await;
    let (mut root, mut admin) = (Browser::new(&world), Browser::new(&world));
    root.sign_in("root").await;
    admin.sign_in("admin").await;
    let foreign = admin.open("/_gate/step-up").await.form();
    let anonymous = Browser::new(&world).open("/_gate/sign-in").await.form();
    let own = root.open("/_gate/step-up").await.form();
    let code = world.code();
    for token in ["", "AAAA", &foreign, &anonymous, own.get(2..).unwrap()] {
        let answer = root.submit("/_gate/step-up", &[("form", token), ("rd", ""), ("code", &code)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{token}");
        assert!(answer.text.contains("Nothing was done; try again."), "{}", answer.text);
    }
    let right = root.submit("/_gate/step-up", &[("form", &own), ("rd", ""), ("code", &code)]).await;
    assert_eq!(right.status, StatusCode::SEE_OTHER, "and none of that cost the code");
    let mut late = Browser::new(&world);
    world.clock.advance(std::time::Duration::from_secs(12 * 3600));
    let fields =
        [("form", anonymous.as_str()), ("rd", ""), ("username", "alice"), ("password", "alice-pass")];
    assert_eq!(late.submit("/_gate/sign-in", &fields).await.status, StatusCode::FORBIDDEN);
    assert!(late.jar.is_empty());
}

#[tokio::test]
async fn forms_take_no_field_twice_and_none_that_is_not_theirs() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    let form = browser.open("/_gate/sign-in").await.form();
    let base = [("form", form.as_str()), ("rd", ""), ("username", "alice"), ("password", "alice-pass")];
    for extra in [("username", "root"), ("password", "x"), ("role", "root"), ("form", "x")] {
        let fields: Vec<_> = base.into_iter().chain([extra]).collect();
        let answer = browser.submit("/_gate/sign-in", &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{extra:?}");
    }
    assert!(browser.jar.is_empty());
}
