//! R21: what every answer carries, what no page says, and how large pages are.

use http::StatusCode;

use super::support::{Answer, Browser, World};
use crate::portal::routes;

const POLYGLOTS: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"><svg onload=alert(1)>",
    "' onfocus=alert(1) autofocus='",
    "javascript:/*--></title></style></textarea></script></xmp><svg/onload='+/\"/+/onmouseover=1/+/[*/[]/+alert(1)//'>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "</title><img src=x onerror=alert(1)>",
    "\u{202e}<a href=//evil>",
    "&#x3C;script&#x3E;",
];

fn is_clean(answer: &Answer, what: &str) {
    for mark in ["<script>", "<svg", "<img", "<a href=//", "onfocus=alert(1) autofocus='", "\"><", "49"] {
        let body = answer.text.replace("/_gate/style.css?v=", "").replace("/_gate/portal.js?v=", "");
        let body = body.split("name=\"form\"").next().unwrap_or_default().to_owned()
            + body.split("name=\"rd\"").nth(1).unwrap_or_default();
        if mark == "\"><" || mark == "49" {
            assert!(!body.contains("value=\"\"><svg") && !body.contains(">49<"), "{what}");
        } else {
            assert!(!body.contains(mark), "{what}: {mark} in {body}");
        }
    }
}

/// Row 95: every parameter that a page takes × polyglots.
#[tokio::test]
async fn nothing_that_is_sent_comes_back_as_markup() {
    let world = World::new().await;
    for polyglot in POLYGLOTS {
        let query: String = url::form_urlencoded::byte_serialize(polyglot.as_bytes()).collect();
        let mut browser = Browser::new(&world);
        for page in [
            "sign-in",
            "second-factor",
            "step-up",
            "sign-out",
            "refresh",
            "refused",
            "nothing-here",
            "style.css",
        ] {
            for name in ["rd", "with", "error", "username", "lang", "v", "path"] {
                let answer = browser.open(&format!("/_gate/{page}?{name}={query}")).await;
                is_clean(&answer, &format!("{page} {name} {polyglot}"));
            }
        }
        let form = browser.open("/_gate/sign-in").await.form();
        let fields =
            [("form", form.as_str()), ("rd", polyglot), ("username", polyglot), ("password", polyglot)];
        let answer = browser.submit("/_gate/sign-in", &fields).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        is_clean(&answer, polyglot);
        let answer = browser.call("GET", &format!("/_gate/api/v1/session?path={query}"), "").await;
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}

/// What is in the site's settings is escaped as well.
#[tokio::test]
async fn a_title_is_text() {
    let world = World::with(|site| site.title = "<b>A&B</b>\"".into(), 10).await;
    let page = Browser::new(&world).open("/_gate/sign-in").await;
    assert!(page.text.contains("&#60;b&#62;A&#38;B") && !page.text.contains("<b>"), "{}", page.text);
    let mut alice = Browser::new(&world);
    alice.sign_in("alice").await;
    alice.call("POST", "/_gate/api/v1/totp", r#"{"password":"alice-pass"}"#).await;
    let page = alice.open("/_gate/account/two-factor").await;
    assert!(page.text.contains("<svg class=\"qr\"") && !page.text.contains("<b>"), "{}", page.text);
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    let mut targets: Vec<(String, &str)> = Vec::new();
    for route in routes::guarded().into_iter().chain([routes::refused()]) {
        targets.extend(route.methods.iter().map(|method| (route.path.replace("{id}", "x"), *method)));
    }
    targets.push(("/_gate/nothing".into(), "GET"));
    targets.push(("/_gate/sign-in".into(), "DELETE"));
    for (target, method) in targets {
        let request = browser.request(method, &target).body("".into()).unwrap();
        let answer = browser.go(request).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; "), "{target}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{target}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{target}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{target}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{target}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{target}");
        let referrer = if (&*target, method) == ("/_gate/not-me", "GET") {
            "no-referrer"
        } else {
            "strict-origin-when-cross-origin"
        };
        assert_eq!(answer.header("referrer-policy"), referrer, "{target}");
        let kept = ["/_gate/style.css", "/_gate/client.js", "/_gate/portal.js"].contains(&&*target);
        assert_eq!(answer.header("cache-control") == "no-store", !kept, "{method} {target}");
    }
}

#[tokio::test]
async fn scripts_and_styles_are_ours_by_address_and_forms_may_lead_to_the_site() {
    let world = World::new().await;
    let answer = Browser::new(&world).open("/_gate/sign-in").await;
    assert_eq!(
        answer.header("content-security-policy"),
        "default-src 'none'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; \
         style-src https://panel.example.com/_gate/style.css; script-src https://panel.example.com/_gate/portal.js; \
         connect-src https://panel.example.com/_gate/api/; \
         form-action 'self' https://panel.example.com https://other.example.com:8443"
    );
    assert!(
        !answer.text.contains("style=")
            && !answer.text.contains("<style")
            && !answer.text.contains("onclick")
    );
    assert!(!answer.text.contains("src=\"http") && !answer.text.contains("//fonts"), "no foreign resource");
}

#[tokio::test]
async fn files_are_kept_under_their_digest_and_asked_for_otherwise() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    let page = browser.open("/_gate/sign-in").await.text;
    for kind in ["style.css", "portal.js"] {
        let address = page.split('"').find(|text| text.contains(kind)).unwrap().to_owned();
        let answer = browser.open(&address).await;
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
        let tag = answer.header("etag").to_owned();
        let request = browser
            .request("GET", &format!("/_gate/{kind}"))
            .header("if-none-match", &tag)
            .body("".into())
            .unwrap();
        let again = browser.go(request).await;
        assert_eq!((again.status, again.text.len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!(
            browser.open(&format!("/_gate/{kind}?v=old")).await.header("cache-control"),
            "public, no-cache"
        );
    }
}

/// portal.md: one round trip.
#[tokio::test]
async fn pages_stay_within_their_budget() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    let files =
        browser.open("/_gate/style.css").await.text.len() + browser.open("/_gate/portal.js").await.text.len();
    assert!(files <= 40 * 1024, "{files}");
    browser.sign_in("root").await;
    for page in ["sign-in", "step-up", "sign-out", "nothing", "refused"] {
        let size = browser.open(&format!("/_gate/{page}")).await.text.len();
        assert!((500..=30 * 1024).contains(&size), "{page}: {size}");
    }
    let mut alice = Browser::new(&world);
    alice.sign_in("alice").await;
    alice.call("POST", "/_gate/api/v1/totp", r#"{"password":"alice-pass"}"#).await;
    for page in ["security", "two-factor", "password"] {
        let size = alice.open(&format!("/_gate/account/{page}")).await.text.len();
        assert!((500..=30 * 1024).contains(&size), "{page}: {size}");
    }
}

#[tokio::test]
async fn fields_have_labels_and_say_what_they_are_for() {
    let world =
        World::with(|site| site.second_factor.at_sign_in = crate::rules::site::AtSignIn::Never, 10).await;
    let mut browser = Browser::new(&world);
    let mut pages = vec![browser.open("/_gate/sign-in").await.text];
    browser.sign_in("root").await;
    pages.push(browser.open("/_gate/step-up").await.text);
    pages.push(browser.open("/_gate/step-up?with=backup").await.text);
    for page in ["two-factor", "two-factor?with=backup", "two-factor/remove", "backup-codes", "password"] {
        pages.push(browser.open(&format!("/_gate/account/{page}")).await.text);
    }
    let mut alice = Browser::new(&world);
    alice.sign_in("alice").await;
    pages.push(alice.open("/_gate/account/two-factor").await.text);
    alice.call("POST", "/_gate/api/v1/totp", r#"{"password":"alice-pass"}"#).await;
    pages.push(alice.open("/_gate/account/two-factor").await.text);
    for page in &pages {
        for input in page.split("<input ").skip(1).map(|rest| rest.split('>').next().unwrap()) {
            if input.contains("type=\"hidden\"") {
                continue;
            }
            let id = input.split("id=\"").nth(1).unwrap().split('"').next().unwrap();
            assert!(page.contains(&format!("<label for=\"{id}\">")), "{input}");
            assert!(input.contains("autocomplete="), "{input}");
        }
        assert!(page.contains("<html lang=\"en\" dir=\"ltr\""));
        assert!(page.contains("role=\"alert\""));
    }
    for attribute in ["autocomplete=\"username\"", "autocomplete=\"current-password\""] {
        assert!(pages[0].contains(attribute));
    }
    assert!(
        pages[1].contains("autocomplete=\"one-time-code\"") && pages[1].contains("inputmode=\"numeric\"")
    );
}

#[tokio::test]
async fn the_second_language_is_spoken_throughout() {
    let world = World::new().await;
    let browser = Browser::new(&world);
    let request = browser.request("GET", "/_gate/sign-in").header("accept-language", "de-AT, en;q=0.5");
    let page = world.send(request.body("".into()).unwrap()).await;
    assert!(
        page.text.contains("lang=\"de\"")
            && page.text.contains("Benutzername")
            && !page.text.contains("User name")
    );
    assert!(page.header("vary").contains("Accept-Language"));
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_form_that_was_asked_for() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    let page = browser.open("/_gate/nothing").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (StatusCode::NOT_FOUND, "text/html; charset=utf-8")
    );
    let call = browser.call("GET", "/_gate/api/v1/nothing", "").await;
    assert_eq!((call.status, call.reason().as_str()), (StatusCode::NOT_FOUND, "not-found"));
    let wrong = browser.call("PUT", "/_gate/api/v1/sign-in", "{}").await;
    assert_eq!((wrong.status, wrong.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
}
