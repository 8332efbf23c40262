use std::{sync::Arc, time::Duration};

use http::{Request, StatusCode};
use serde_json::json;
use tower::ServiceExt;

use super::support::{Answer, Browser, START, World, rules};
use crate::{
    gate::{Refusal, RefusalAudience, RefusalKind},
    rules::{outcome::DecisionId, reason::Reason},
};

fn refusal(kind: RefusalKind, reason: Reason, method: &str, audience: RefusalAudience) -> Refusal {
    Refusal {
        kind,
        reason,
        page: Some(Arc::from("user-management")),
        acting_for: None,
        url: "https://panel.example.com/users/7?tab=a&b=2".into(),
        method: method.into(),
        audience,
        decision: DecisionId([1, 2, 3, 4, 5]),
        at: START,
    }
}

/// As through nginx: the sealed header alone.
async fn sealed(world: &World, refusal: &Refusal) -> Answer {
    let request = Request::builder().uri("/_gate/refused").header("x-gate-outcome", world.gate.seal(refusal));
    world.send(request.body("".into()).unwrap()).await
}

const BACK: &str = "rd=https%3A%2F%2Fpanel.example.com%2Fusers%2F7%3Ftab%3Da%26b%3D2";

#[tokio::test]
async fn a_person_is_sent_to_the_page_that_helps() {
    let world = World::new().await;
    for (kind, reason, page) in [
        (RefusalKind::SignIn, Reason::NoCredential, "sign-in"),
        (RefusalKind::SignIn, Reason::AccessExpired, "refresh"),
        (RefusalKind::StepUp { readable: false }, Reason::NeedsElevation, "step-up"),
        (RefusalKind::Deny, Reason::NeedsEnrolment, "account/two-factor"),
    ] {
        let answer = sealed(&world, &refusal(kind, reason, "GET", RefusalAudience::Navigation)).await;
        assert_eq!(answer.status, StatusCode::FOUND);
        assert_eq!(answer.location(), format!("https://panel.example.com/_gate/{page}?{BACK}"));
    }
}

/// A form that was sent is not lost in a redirect: a page says that nothing was saved and how to go on.
#[tokio::test]
async fn a_form_gets_a_page_that_says_nothing_was_done() {
    let world = World::new().await;
    for (kind, reason, status, says, page) in [
        (
            RefusalKind::StepUp { readable: true },
            Reason::NeedsElevation,
            403,
            "Read-only until you verify",
            "step-up",
        ),
        (
            RefusalKind::StepUp { readable: false },
            Reason::NeedsElevation,
            403,
            "Blocked until you verify",
            "step-up",
        ),
        (RefusalKind::SignIn, Reason::AccessExpired, 401, "Nothing was saved", "refresh"),
        (RefusalKind::SignIn, Reason::SessionEnded, 401, "You are signed out", "sign-in"),
    ] {
        let answer = sealed(&world, &refusal(kind, reason, "POST", RefusalAudience::Navigation)).await;
        assert_eq!(answer.status, status);
        assert!(answer.text.contains(says), "{says}: {}", answer.text);
        assert!(
            answer.text.contains(&format!("href=\"https://panel.example.com/_gate/{page}?{BACK}\"")),
            "{}",
            answer.text
        );
        assert!(answer.text.contains("<code>0410-6105</code>"), "the decision: {}", answer.text);
        assert!(
            answer.text.contains("16:00 UTC") && answer.text.contains("2025-11-24T16:00:00Z"),
            "{}",
            answer.text
        );
    }
}

/// RFC 9457, RFC 9470, RFC 6750, RFC 9110 §15.5.2.
#[tokio::test]
async fn a_script_gets_a_problem_document_that_names_the_way_on() {
    let world = World::new().await;
    for (kind, reason, status, challenge, link) in [
        (RefusalKind::SignIn, Reason::NoCredential, 401, "Bearer", Some("sign_in_url")),
        (RefusalKind::SignIn, Reason::AccessExpired, 401, "invalid_token", Some("refresh_url")),
        (
            RefusalKind::StepUp { readable: true },
            Reason::NeedsElevation,
            401,
            "insufficient_user_authentication",
            Some("step_up_url"),
        ),
        (RefusalKind::Deny, Reason::RoleLacksAccess, 403, "", None),
        (RefusalKind::Deny, Reason::NeedsEnrolment, 403, "", Some("enrolment_url")),
        (
            RefusalKind::Throttle { retry_after: Duration::from_millis(1200) },
            Reason::RateLimited,
            429,
            "",
            None,
        ),
        (RefusalKind::Unavailable, Reason::StoreUnavailable, 503, "", None),
        (RefusalKind::BadRequest, Reason::AmbiguousTarget, 400, "", None),
        (RefusalKind::BadRequest, Reason::UnknownHost, 421, "", None),
    ] {
        let answer = sealed(&world, &refusal(kind, reason, "POST", RefusalAudience::Background)).await;
        assert_eq!(answer.status, status, "{reason:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["reason"], reason.code());
        assert_eq!(problem["type"], format!("urn:panelgate:reason:{}", reason.code()));
        assert_eq!(problem["decision"], "0410-6105");
        assert!(answer.header("www-authenticate").contains(challenge), "{reason:?}");
        assert_eq!(answer.header("www-authenticate").is_empty(), challenge.is_empty(), "{reason:?}");
        for name in ["sign_in_url", "refresh_url", "step_up_url", "enrolment_url"] {
            let expected =
                link == Some(name) || (name == "sign_in_url" && status == 401 && link != Some("step_up_url"));
            assert_eq!(problem.get(name).is_some(), expected, "{reason:?} {name}");
        }
        assert_eq!(answer.header("retry-after"), if status == 429 { "2" } else { "" });
    }
}

/// Every kind and reason, in every language, as page and document: never a 2xx, never an empty word.
#[tokio::test]
async fn every_refusal_can_be_said() {
    let world = World::new().await;
    let kinds = [
        RefusalKind::SignIn,
        RefusalKind::StepUp { readable: true },
        RefusalKind::StepUp { readable: false },
        RefusalKind::Deny,
        RefusalKind::Throttle { retry_after: Duration::from_secs(7000) },
        RefusalKind::Unavailable,
        RefusalKind::BadRequest,
    ];
    for kind in kinds {
        for reason in Reason::ALL {
            for (audience, language) in
                [(RefusalAudience::Navigation, "de"), (RefusalAudience::Background, "en")]
            {
                let refusal = refusal(kind, reason, "POST", audience);
                let request = Request::builder()
                    .method("POST")
                    .uri("/_gate/refused")
                    .header("accept-language", language);
                let answer = world
                    .send(
                        request.header("x-gate-outcome", world.gate.seal(&refusal)).body("".into()).unwrap(),
                    )
                    .await;
                assert!(answer.status.as_u16() >= 400, "{kind:?} {reason:?}");
                assert!(
                    !answer.text.contains("<h1></h1>")
                        && !answer.text.contains("<p></p>")
                        && !answer.text.contains("\"\"")
                );
                assert_eq!(answer.text.contains("lang=\"de\""), audience == RefusalAudience::Navigation);
            }
        }
    }
}

/// R1, R9: what is not sealed by us a moment ago is not said back.
#[tokio::test]
async fn nothing_unsealed_is_reflected() {
    let world = World::new().await;
    let good =
        world.gate.seal(&refusal(RefusalKind::Deny, Reason::NoPage, "GET", RefusalAudience::Navigation));
    let flipped = |(at, c)| if at == 30 { if c == 'A' { 'B' } else { 'A' } } else { c };
    let changed: String = good.chars().enumerate().map(flipped).collect();
    for text in ["", "<script>alert(1)</script>", "eyJ", &changed] {
        let request = Request::builder().uri("/_gate/refused").header("x-gate-outcome", text);
        let answer = world.send(request.body("".into()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(!answer.text.contains("alert") && !answer.text.contains("users/7"), "{}", answer.text);
    }
    let twice = Request::builder()
        .uri("/_gate/refused")
        .header("x-gate-outcome", &good)
        .header("x-gate-outcome", &good);
    assert!(!world.send(twice.body("".into()).unwrap()).await.text.contains("0410-6105"));
    world.clock.advance(Duration::from_secs(61));
    let request = Request::builder().uri("/_gate/refused").header("x-gate-outcome", &good);
    assert!(!world.send(request.body("".into()).unwrap()).await.text.contains("0410-6105"), "a minute later");
}

/// A door that could not describe the request has no visit, and its refusal is rendered all the same.
#[tokio::test]
async fn a_host_of_no_site_is_told_so_without_a_site() {
    let world = World::new().await;
    let mut request = Request::builder().uri("/_gate/refused").body(axum::body::Body::empty()).unwrap();
    let unknown = refusal(RefusalKind::BadRequest, Reason::UnknownHost, "GET", RefusalAudience::Navigation);
    request.extensions_mut().insert(unknown);
    let response = crate::portal::serve(Arc::clone(&world.portal)).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST);
    assert!(response.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
}

#[tokio::test]
async fn without_a_visit_nothing_is_done() {
    let world = World::new().await;
    for target in ["/_gate/sign-in", "/_gate/api/v1/session", "/_gate/nothing"] {
        let request = Request::builder().uri(target).body(axum::body::Body::empty()).unwrap();
        let response = crate::portal::serve(Arc::clone(&world.portal)).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{target}");
    }
}

/// A page of ours that needs a session behaves like a page of the panel.
#[tokio::test]
async fn our_own_pages_are_renewed_and_signed_in_like_the_panels() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    let step_up = "/_gate/step-up?rd=%2Fusers";
    assert!(
        browser.open(step_up).await.location().starts_with("https://panel.example.com/_gate/sign-in?rd=")
    );
    browser.sign_in("root").await;
    world.clock.advance(Duration::from_secs(3600));
    let answer = browser.open(step_up).await;
    let onward = answer.location().strip_prefix("https://panel.example.com").unwrap().to_owned();
    assert!(onward.starts_with("/_gate/refresh?rd="));
    let answer = browser.open(&onward).await;
    assert_eq!(answer.location(), "https://panel.example.com/_gate/step-up?rd=%2Fusers");
    assert_eq!(browser.open(step_up).await.status, StatusCode::OK);
}

/// What is closed now says when it opens; hours of a single role are that role's business.
#[tokio::test]
async fn a_page_that_is_closed_now_says_when_it_opens() {
    let when = json!({ "hours": "Mon-Fri 07:00-19:00 Europe/Berlin" });
    let page = |page: serde_json::Value| {
        let mut page = page;
        page["name"] = json!("user-management");
        page["paths"] = json!(["/users/**"]);
        json!({ "version": 1, "roles": ["root"], "pages": [page] })
    };
    for (document, said) in [
        (page(json!({ "when": when, "access": { "root": "full" } })), true),
        (
            page(json!({ "access": { "root": { "unelevated": "full", "elevated": "full", "when": when } } })),
            false,
        ),
    ] {
        let world = World::with(|site| site.policy = Arc::new(rules(&document)), 5).await;
        let closed = refusal(RefusalKind::Deny, Reason::OutsideHours, "GET", RefusalAudience::Navigation);
        let answer = sealed(&world, &closed).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.text.contains("This page is closed now"), "{}", answer.text);
        assert_eq!(answer.text.contains("Mon-Fri 07:00-19:00 Europe/Berlin"), said, "{}", answer.text);
    }
}
