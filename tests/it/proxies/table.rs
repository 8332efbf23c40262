//! The table that every proxy goes through. Each row is one promise of the recipes.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

use super::{recipe::Proxy, stack::Front};
use crate::support::{
    browser::{Browser, background, navigation},
    client::{Answer, Ask},
};

/// Every identity header, as the panel's developer reads about them.
const IDENTITY: [&str; 11] = [
    "Remote-User",
    "Remote-Groups",
    "Remote-Email",
    "Remote-Name",
    "X-Gate-Role",
    "X-Gate-Session",
    "X-Gate-Access",
    "X-Gate-Elevated-Until",
    "X-Gate-Actor",
    "X-Gate-Decision",
    "X-Gate-Assertion",
];

/// What the panel saw.
struct Seen(Value);

impl Seen {
    fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "the panel was not reached: {answer:?}");
        Self(answer.json())
    }

    fn target(&self) -> &str {
        self.0["target"].as_str().unwrap_or_default()
    }

    fn fields(&self) -> Vec<(String, String)> {
        serde_json::from_value(self.0["headers"].clone()).expect("the echo lists its header fields")
    }

    /// All values of a field, joined; `""` when it is not there, as for the panel an empty one is none.
    fn field(&self, name: &str) -> String {
        let values = self.fields().into_iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        values.map(|(_, value)| value).collect::<Vec<_>>().join(", ")
    }
}

pub(super) async fn a_signed_in_user_reaches_the_panel(front: &Front) {
    let browser = front.signed_in("user").await;
    let seen = Seen::of(&browser.navigate("/echo/a/%42?c=d&e=%20f").await);
    // Traefik decodes what needs no encoding before it asks; the others leave the target alone.
    let path = if front.proxy == Proxy::Traefik { "/echo/a/B" } else { "/echo/a/%42" };
    assert_eq!(seen.target(), format!("{path}?c=d&e=%20f"), "the target must arrive as it was judged");
    assert_eq!(seen.field("Remote-User"), "some-user");
    assert_eq!(seen.field("Remote-Groups"), "user");
    assert_eq!(seen.field("Remote-Email"), "some-user@example.com");
    assert_eq!(seen.field("Remote-Name"), "The user");
    assert_eq!(seen.field("X-Gate-Role"), "user");
    assert_eq!(seen.field("X-Gate-Access"), "full");
    assert_eq!(seen.field("X-Gate-Elevated-Until"), "");
    assert_eq!(seen.field("X-Gate-Actor"), "");
    assert_eq!(seen.field("X-Gate-Assertion").split('.').count(), 3, "{:?}", seen.fields());
    assert!(!seen.field("X-Gate-Session").is_empty() && !seen.field("X-Gate-Decision").is_empty());
    assert_eq!(seen.field("X-Gate-Proxy-Secret"), "", "the proxy's own secret is not the panel's");
    let posted = browser.send(background("POST", "/echo/form").body("text/plain", "hello")).await;
    assert_eq!(Seen::of(&posted).0["body_bytes"], 5);
}

pub(super) async fn a_visitor_is_sent_to_the_sign_in_page(front: &Front) {
    let answer = front.browser().navigate("/echo/a?b=c").await;
    let location = redirect(&answer);
    assert!(location.starts_with("/_gate/sign-in"), "{answer:?}");
    assert!(location.contains("%2Fecho%2Fa%3Fb%3Dc"), "the way back is missing: {location}");
    let page = front.browser().navigate(&location).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.text().contains("<form"), "{page:?}");
}

pub(super) async fn a_background_request_gets_401_as_a_problem(front: &Front) {
    for method in ["GET", "POST", "DELETE"] {
        let answer = front.browser().background(method, "/echo/a").await;
        assert_problem(&answer, 401);
        assert!(answer.text().contains("/_gate/sign-in"), "it does not say where to sign in: {answer:?}");
    }
}

pub(super) async fn a_blocked_page_redirects_to_step_up(front: &Front) {
    let browser = front.signed_in("root").await;
    let answer = browser.navigate("/echo/blocked/a").await;
    let location = redirect(&answer);
    assert!(location.starts_with("/_gate/step-up"), "{answer:?}");
    assert!(location.contains("%2Fecho%2Fblocked%2Fa"), "the way back is missing: {location}");
}

pub(super) async fn a_readable_page_lets_get_pass_and_post_not(front: &Front) {
    let browser = front.signed_in("root").await;
    let seen = Seen::of(&browser.background("GET", "/echo/readable/a").await);
    assert_eq!(seen.field("X-Gate-Access"), "read");
    let head = browser.background("HEAD", "/echo/readable/a").await;
    assert_eq!(head.status, 200, "{head:?}");
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let answer = browser.background(method, "/echo/readable/a").await;
        assert!(matches!(answer.status, 401 | 403), "{method}: {answer:?}");
        assert_problem(&answer, answer.status);
        assert!(answer.text().contains("/_gate/step-up"), "it does not say where to verify: {answer:?}");
    }
    // A GET that a panel would take for something else is no GET (R36): judged as a change, or shorn of the override.
    let ask = background("GET", "/echo/readable/a").field("X-HTTP-Method-Override", "DELETE");
    let answer = browser.send(ask).await;
    assert!(
        answer.status == 401 || Seen::of(&answer).field("X-HTTP-Method-Override").is_empty(),
        "{answer:?}"
    );
    let writer = front.signed_in("user").await;
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        let answer = writer.send(background("GET", "/echo/a").field(name, "DELETE")).await;
        assert_eq!(Seen::of(&answer).field(name), "", "{name} reached the panel");
    }
}

pub(super) async fn after_the_second_factor_post_passes(front: &Front) {
    let (browser, operator) = front.operator().await;
    let refused = browser.background("POST", "/echo/readable/a").await;
    assert!(matches!(refused.status, 401 | 403), "{refused:?}");
    let answer = browser.api("POST", "second-factor", &json!({ "code": operator.code() })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = Seen::of(&browser.background("POST", "/echo/readable/a").await);
    assert_eq!(seen.field("X-Gate-Access"), "full");
    assert!(seen.field("X-Gate-Elevated-Until").parse::<u64>().is_ok(), "{:?}", seen.fields());
    Seen::of(&browser.navigate("/echo/blocked/a").await);
}

pub(super) async fn what_a_role_lacks_is_denied(front: &Front) {
    let browser = front.signed_in("user").await;
    assert_problem(&browser.background("GET", "/echo/blocked/a").await, 403);
    let page = browser.navigate("/echo/blocked/a").await;
    assert_eq!(page.status, 403, "{page:?}");
    assert!(page.field("Content-Type").is_some_and(|kind| kind.starts_with("text/html")), "{page:?}");
    assert!(page.text().contains("Decision"), "the page must name its decision: {page:?}");
    // A page that no entry of the policy names.
    assert_problem(&browser.background("GET", "/unheard-of").await, 403);
}

/// R7: every spelling that some panel could fold into one of our names.
pub(super) async fn a_forged_identity_reaches_nobody(front: &Front) {
    let browser = front.signed_in("user").await;
    let spellings: [fn(&str) -> String; 6] = [
        |name| name.to_owned(),
        str::to_lowercase,
        str::to_uppercase,
        |name| name.replace('-', "_"),
        |name| name.replace('-', "."),
        |name| name.replacen('-', "_", 1).to_lowercase(),
    ];
    for spell in spellings {
        let forged = IDENTITY.iter().chain(&["X-Gate-Outcome", "X-Gate-Proxy-Secret"]);
        let ask = forged.fold(navigation("GET", "/echo/a"), |ask, name| ask.field(&spell(name), "mallory"));
        let answer = browser.send(ask).await;
        if answer.status == 400 {
            continue;
        }
        let seen = Seen::of(&answer);
        assert_eq!(seen.field("Remote-User"), "some-user");
        assert!(!answer.text().contains("mallory"), "{}: {:?}", spell("Remote-User"), seen.fields());
    }
}

/// R1, R2: the request that is judged is the one that is made.
pub(super) async fn forwarded_headers_of_the_client_are_not_believed(front: &Front) {
    let lies = [
        ("X-Original-URL", "https://panel.example.com/echo/a"),
        ("X-Original-URI", "/echo/a"),
        ("X-Original-Method", "GET"),
        ("X-Rewrite-URL", "/echo/a"),
        ("X-Forwarded-Uri", "/echo/a"),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Host", "other.example.com"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Port", "81"),
        ("X-Forwarded-Prefix", "/evil-prefix"),
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Real-IP", "203.0.113.9"),
        ("Forwarded", "for=203.0.113.9;host=other.example.com"),
    ];
    let lie = |ask: Ask| lies.iter().fold(ask, |ask, (name, value)| ask.field(name, value));
    let browser = front.signed_in("root").await;
    let blocked = browser.send(lie(background("GET", "/echo/blocked/a"))).await;
    assert_problem(&blocked, 401);
    let changed = browser.send(lie(background("POST", "/echo/readable/a"))).await;
    assert_problem(&changed, 401);
    let answer = browser.send(lie(background("GET", "/echo/a"))).await;
    let seen = Seen::of(&answer);
    assert_eq!(seen.field("X-Forwarded-For"), browser.client.from.to_string());
    assert_eq!(seen.field("X-Forwarded-Host"), "panel.example.com");
    assert_eq!(seen.field("X-Forwarded-Proto"), "https");
    for part in ["203.0.113.9", "other.example.com", "evil-prefix", "/echo/a\",\"x", "\"81\""] {
        assert!(!answer.text().contains(part), "{part} arrived: {:?}", seen.fields());
    }
    for name in
        ["X-Original-URL", "X-Original-URI", "X-Original-Method", "X-Rewrite-URL", "Forwarded", "X-Real-IP"]
    {
        assert_eq!(seen.field(name), "", "{name}");
    }
}

/// R8: a panel that takes a request without `Remote-User` for its own local administrator must never get one.
pub(super) async fn connection_cannot_name_an_identity_header_away(front: &Front) {
    let browser = front.signed_in("user").await;
    for value in
        ["close, Remote-User", "remote-user, x-gate-role, close", "close,Remote-Groups, X-Gate-Access"]
    {
        let answer = browser.send(navigation("GET", "/echo/a").field("Connection", value)).await;
        if answer.status == 400 {
            continue;
        }
        let seen = Seen::of(&answer);
        assert_eq!(seen.field("Remote-User"), "some-user", "{value}");
        assert_eq!(seen.field("Remote-Groups"), "user", "{value}");
        assert_eq!(seen.field("X-Gate-Role"), "user", "{value}");
        assert_eq!(seen.field("X-Gate-Access"), "full", "{value}");
    }
}

pub(super) async fn too_many_requests_get_429_with_retry_after(front: &Front) {
    let browser = front.browser();
    // A client cannot escape by claiming to be somebody else.
    let script = || background("GET", "/echo/a").field("X-Forwarded-For", "198.51.100.7");
    let answer = throttled(&browser, script).await;
    assert_problem(&answer, 429);
    // A page is told the same.
    let page = throttled(&browser, || navigation("GET", "/echo/a")).await;
    assert!(page.field("Content-Type").is_some_and(|kind| kind.starts_with("text/html")), "{page:?}");
    for answer in [answer, page] {
        let wait = answer.field("Retry-After").and_then(|seconds| seconds.parse::<u64>().ok());
        assert!(wait.is_some_and(|seconds| (1..=60).contains(&seconds)), "{answer:?}");
    }
    let other = front.browser().background("GET", "/echo/a").await;
    assert_eq!(other.status, 401, "another address has its own allowance: {other:?}");
}

pub(super) async fn a_websocket_echoes(front: &Front) {
    let browser = front.signed_in("user").await;
    let stream = browser.client.connect().await;
    let connected = tokio_tungstenite::client_async(handshake(&browser), stream).await;
    let (mut socket, answer) = connected.unwrap_or_else(|error| panic!("no WebSocket: {error:?}"));
    assert_eq!(answer.status(), 101);
    socket.send(Message::text("knock knock")).await.expect("the socket is open");
    let echo = async {
        while let Some(message) = socket.next().await {
            if message.is_ok_and(|message| message == Message::text("knock knock")) {
                return true;
            }
        }
        false
    };
    assert_eq!(timeout(Duration::from_secs(5), echo).await, Ok(true), "the echo did not come");
}

/// R23: whoever may only look gets no WebSocket, by whatever way the proxy asks.
pub(super) async fn a_websocket_counts_as_a_change(front: &Front) {
    let browser = front.signed_in("reader").await;
    assert_eq!(browser.background("GET", "/echo/a").await.status, 200);
    let stream = browser.client.connect().await;
    match tokio_tungstenite::client_async(handshake(&browser), stream).await {
        Ok(_) => panic!("a reader got a WebSocket"),
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => {
            assert!(matches!(answer.status().as_u16(), 401 | 403), "{answer:?}");
        }
        Err(error) => panic!("neither a WebSocket nor an answer: {error}"),
    }
}

pub(super) async fn an_event_stream_arrives_as_it_is_sent(front: &Front) {
    let browser = front.signed_in("user").await;
    let ask = background("GET", "/live/events")
        .field("Cookie", &browser.cookies("/live/events").unwrap_or_default());
    let mut open = browser.client.open(&ask).await;
    assert_eq!(open.answer.status, 200, "{:?}", open.answer);
    let first = open.read_until("data:", Duration::from_secs(3)).await;
    assert!(first.is_some(), "an event a second is sent, and none came in three");
}

pub(super) async fn large_cookies_pass(front: &Front) {
    let browser = front.signed_in("user").await;
    let large = "x".repeat(12 << 10);
    let cookies = format!("theme={large}; {}", browser.cookies("/echo/a").unwrap_or_default());
    let answer = browser.client.send(&background("GET", "/echo/a").field("Cookie", &cookies)).await;
    assert_eq!(Seen::of(&answer).field("Cookie"), format!("theme={large}"));
}

pub(super) async fn headers_sent_twice_do_no_harm(front: &Front) {
    let browser = front.signed_in("user").await;
    let cookies = browser.cookies("/echo/a").unwrap_or_default();
    let twice = background("GET", "/echo/a").field("Cookie", "a=1").field("Cookie", &cookies);
    let answer = browser.client.send(&twice.field("X-Thing", "one").field("X-Thing", "two")).await;
    if front.proxy == Proxy::Envoy {
        // Envoy joins the two with a comma, in which no cookie can be told from the next (RFC 6265 §5.4 forbids two).
        assert_eq!(answer.status, 401, "{answer:?}");
    } else {
        let seen = Seen::of(&answer);
        assert_eq!(seen.field("Cookie"), "a=1");
        assert_eq!(seen.field("X-Thing").replace(' ', ""), "one,two");
    }
    // Two access tokens that disagree are no token (R19).
    let forged = format!("__Host-gate_access=forged; {cookies}");
    let answer = browser.client.send(&background("GET", "/echo/a").field("Cookie", &forged)).await;
    assert!((400..=403).contains(&answer.status), "{answer:?}");
    let split =
        background("GET", "/echo/a").field("Cookie", "__Host-gate_access=forged").field("Cookie", &cookies);
    let answer = browser.client.send(&split).await;
    assert!((400..=403).contains(&answer.status), "{answer:?}");
    let hosts = background("GET", "/echo/a").field("Host", "other.example.com").field("Cookie", &cookies);
    let answer = browser.client.send(&hosts).await;
    assert!((400..=421).contains(&answer.status), "{answer:?}");
}

/// HTTP/2 clients may split `Cookie` into several fields (RFC 9113 §8.2.3).
pub(super) async fn http2_with_split_cookies_passes(front: &Front) {
    let browser = front.signed_in("user").await;
    let cookies = browser.cookies("/echo/a").unwrap_or_default();
    let answer = super::stack::over_http2(front, "/echo/a", &["a=1", &cookies, "b=2"]).await;
    let seen = Seen(answer);
    assert_eq!(seen.field("Remote-User"), "some-user");
    assert_eq!(seen.field("Cookie"), "a=1; b=2");
}

pub(super) async fn the_session_is_renewed_and_the_new_token_counts(front: &Front) {
    let browser = front.signed_in("user").await;
    let before = browser.cookie("__Host-gate_access");
    let answer = browser.refresh().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_ne!(browser.cookie("__Host-gate_access"), before, "both cookies must come through: {answer:?}");
    Seen::of(&browser.background("GET", "/echo/a").await);
    let again = browser.refresh().await;
    assert_eq!(again.status, 200, "the new refresh token must have come through as well: {again:?}");
}

/// R4, R5: refused, or made plain before it is judged; never one thing for the gate and another for the panel.
pub(super) async fn ambiguous_paths_open_nothing(front: &Front) {
    let browser = front.signed_in("user").await;
    for target in [
        "/echo/%2e%2e/echo/blocked/a",
        "/echo/x/../blocked/a",
        "//echo/blocked/a",
        "/echo//blocked/a",
        "/echo/%2fblocked/a",
        "/echo%2fblocked/a",
        "/echo/x/..%2fblocked/a",
        "/echo/x/..;/blocked/a",
        "/echo/%5cblocked/a",
        "/echo/\\blocked/a",
        "/echo/./blocked/a",
        "/echo/%62locked/a",
        "/echo/blocked%00/a",
        "/_gate/../echo/blocked/a",
        "/_gate/%2e%2e/echo/blocked/a",
        "/_gate/..%2fecho/blocked/a",
        "/echo/a#/../blocked/a",
        "/echo/blocked/a?/../../echo/a",
    ] {
        let answer = browser.send(background("GET", target)).await;
        let reached = answer.status == 200 && answer.text().contains("\"body_bytes\"");
        assert!(
            !reached || !Seen::of(&answer).target().contains("locked"),
            "{target} opened the page: {answer:?}"
        );
        assert!(answer.status < 500, "{target}: {answer:?}");
    }
}

pub(super) async fn the_gates_cookies_stay_at_the_gate(front: &Front) {
    let browser = front.signed_in("user").await;
    let gate = browser.cookies("/_gate/refresh").unwrap_or_default();
    assert!(gate.contains("gate_refresh="), "{gate}");
    let cookies = format!("a=1; {gate}; __Host-gate_pending=x; b=2");
    let answer = browser.client.send(&navigation("GET", "/echo/a").field("Cookie", &cookies)).await;
    assert_eq!(Seen::of(&answer).field("Cookie"), "a=1; b=2");
    let only_ours = Seen::of(&browser.navigate("/echo/a").await);
    assert_eq!(only_ours.field("Cookie"), "");
}

pub(super) async fn the_panels_own_credentials_pass_unchanged(front: &Front) {
    let browser = front.signed_in("user").await;
    for own in ["Basic cGFuZWw6MQ==", "Bearer 7|sanctum", "Digest username=\"a, b\", uri=\"/\""] {
        let ask = background("GET", "/echo/a").field("Authorization", own).field("X-Api-Key", "panel-key, 1");
        let seen = Seen::of(&browser.send(ask).await);
        assert_eq!(seen.field("Authorization"), own);
        assert_eq!(seen.field("X-Api-Key"), "panel-key, 1");
        assert_eq!(seen.field("Remote-User"), "some-user");
    }
    // A panel may take even an empty field for a credential.
    let without = Seen::of(&browser.background("GET", "/echo/a").await);
    for name in ["authorization", "x-api-key"] {
        assert!(!without.fields().iter().any(|(field, _)| field.eq_ignore_ascii_case(name)), "{name}");
    }
}

/// Programs may send the access token itself as a bearer token.
pub(super) async fn the_gates_own_bearer_tokens_stay_at_the_gate(front: &Front) {
    let browser = front.signed_in("user").await;
    let token = browser.cookie("__Host-gate_access").unwrap_or_default();
    let ask = || background("GET", "/echo/a").field("Authorization", &format!("Bearer {token}"));
    for answer in [browser.client.send(&ask()).await, browser.send(ask()).await] {
        let seen = Seen::of(&answer);
        assert_eq!(seen.field("Remote-User"), "some-user");
        assert!(!token.is_empty() && !answer.text().contains(&token), "{:?}", seen.fields());
    }
}

/// A key as the client sends it: alone, with nothing else that says who asks.
async fn with_key(
    front: &Front,
    method: &str,
    target: &str,
    field: (&str, &str),
    own: (&str, &str),
) -> Answer {
    let ask = background(method, target).field(field.0, field.1).field(own.0, own.1);
    front.client().send(&ask).await
}

pub(super) async fn an_api_key_opens_its_pages_and_stays_at_the_gate(front: &Front) {
    let (reader, writer) = front.keys();
    for (key, access) in [(reader, "read"), (writer, "full")] {
        let bearer = format!("Bearer {key}");
        for (field, own) in [
            (("X-Api-Key", key), ("Authorization", "Bearer 7|sanctum")),
            (("Authorization", &*bearer), ("X-Api-Key", "panel-key")),
        ] {
            let answer = with_key(front, "GET", "/echo/a", field, own).await;
            let seen = Seen::of(&answer);
            assert_eq!(seen.field("Remote-User"), "some-user");
            assert_eq!(seen.field("X-Gate-Access"), access);
            assert_eq!(seen.field(own.0), own.1, "the panel's own goes on");
            assert!(!answer.text().contains("gate_"), "the panel saw a key: {:?}", seen.fields());
            let changed = with_key(front, "POST", "/echo/a", field, own).await;
            if access == "full" {
                assert!(!changed.text().contains("gate_") && changed.status == 200, "{changed:?}");
            } else {
                assert_problem(&changed, 403);
                assert!(changed.text().contains("key-lacks-scope"), "{changed:?}");
            }
            assert_problem(&with_key(front, "GET", "/echo/blocked/a", field, own).await, 403);
            assert_problem(&with_key(front, "GET", "/_gate/api/v1/session", field, own).await, 401);
        }
    }
}

pub(super) async fn a_key_that_is_not_alone_or_not_ours_opens_nothing(front: &Front) {
    let (reader, writer) = front.keys();
    let mistyped = format!("{}x", reader.get(..53).unwrap_or_default());
    let bearer = format!("Bearer {writer}");
    let refused = [
        with_key(front, "GET", "/echo/a", ("X-Api-Key", &mistyped), ("X-Other", "1")).await,
        with_key(front, "GET", "/echo/a", ("X-Api-Key", reader), ("Authorization", &bearer)).await,
        with_key(front, "GET", "/echo/a", ("X-Api-Key", reader), ("X-Api-Key", "panel-key")).await,
        with_key(front, "GET", "/echo/a", ("Authorization", reader), ("X-Other", "1")).await,
        front.signed_in("user").await.send(background("GET", "/echo/a").field("X-Api-Key", reader)).await,
    ];
    for answer in refused {
        assert!((400..=403).contains(&answer.status), "{answer:?}");
        assert!(!answer.text().contains("body_bytes"), "the panel was reached: {answer:?}");
    }
}

pub(super) async fn an_upload_arrives_whole(front: &Front) {
    let browser = front.signed_in("user").await;
    let upload = vec![b'x'; 3 << 20];
    let answer = browser
        .send(background("POST", "/echo/upload").body("application/octet-stream", upload.clone()))
        .await;
    assert_eq!(Seen::of(&answer).0["body_bytes"], upload.len());
    let refused = front
        .browser()
        .send(background("POST", "/echo/upload").body("application/octet-stream", upload))
        .await;
    assert_problem(&refused, 401);
}

/// The panel has refusals of its own, and they are not the gate's to change.
pub(super) async fn the_panels_own_refusals_pass_unchanged(front: &Front) {
    let browser = front.signed_in("user").await;
    for status in [401, 403, 404, 429, 500] {
        let answer = browser.navigate(&format!("/own/{status}")).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.text(), "the panel's own answer");
    }
}

pub(super) async fn the_gates_pages_are_served(front: &Front) {
    let browser = front.browser();
    let script = browser.navigate("/_gate/client.js").await;
    assert_eq!(script.status, 200, "{script:?}");
    assert!(script.field("Content-Type").is_some_and(|kind| kind.contains("javascript")), "{script:?}");
    assert_eq!(browser.navigate("/_gate/nothing-here").await.status, 404);
    if front.proxy == Proxy::Nginx {
        let page = front.signed_in("user").await.navigate("/").await;
        let line = r#"<script src="/_gate/client.js" defer></script>"#;
        assert_eq!(page.text().matches(line).count(), 1, "{page:?}");
    }
}

pub(super) async fn plain_http_redirects_to_https(front: &Front) {
    let answer = front.plain("/echo/a?b=c").await.to_lowercase();
    let status = answer.split(' ').nth(1);
    assert!(matches!(status, Some("301" | "302" | "308")), "{answer}");
    let location = answer.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_default();
    // Traefik and Caddy name the port of their other listener, which is not 443 here.
    assert!(location.starts_with("https://panel.example.com"), "{answer}");
    assert!(location.ends_with("/echo/a?b=c"), "{answer}");
}

/// Asks until it is too much.
async fn throttled(browser: &Browser, ask: impl Fn() -> Ask) -> Answer {
    for _ in 0..300 {
        let answer = browser.send(ask()).await;
        if answer.status == 429 {
            return answer;
        }
    }
    panic!("300 requests of one client were not too many, though 60 a minute are allowed");
}

/// A WebSocket handshake with the cookies of a browser.
fn handshake(browser: &Browser) -> http::Request<()> {
    let mut request = "wss://panel.example.com/live/ws".into_client_request().expect("a valid address");
    let cookies = browser.cookies("/live/ws").unwrap_or_default();
    let fields =
        [("Origin", "https://panel.example.com"), ("Cookie", &cookies), ("Sec-Fetch-Mode", "websocket")];
    for (name, value) in fields {
        request.headers_mut().insert(name, value.parse().expect("a valid value"));
    }
    request
}

/// The path that a redirect leads to; it must stay on the site.
fn redirect(answer: &Answer) -> String {
    assert!(matches!(answer.status, 302 | 303), "not a redirect: {answer:?}");
    let location = answer.field("Location").unwrap_or_else(|| panic!("no Location: {answer:?}"));
    let path = location.strip_prefix("https://panel.example.com").unwrap_or(location);
    assert!(path.starts_with('/') && !path.starts_with("//"), "it leaves the site: {location}");
    path.to_owned()
}

/// A problem document (RFC 9457) with its status, a reason and a decision.
fn assert_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    let kind = answer.field("Content-Type");
    assert!(kind.is_some_and(|kind| kind.starts_with("application/problem+json")), "{answer:?}");
    assert_eq!(answer.json()["status"], status, "{answer:?}");
}
