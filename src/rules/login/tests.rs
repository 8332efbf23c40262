use std::time::Duration;

use super::*;
use crate::{
    rules::{identity::UserName, seal::Sealer, session::Sid},
    secret::{SecretBytes, SecretText},
};

fn recipe() -> Recipe {
    Recipe {
        name: "panel".into(),
        url: url::Url::parse("http://127.0.0.1:8080/login").unwrap(),
        before: None,
        body: Template::Form(vec![("user".into(), Piece::split("{username}"))]),
        success: Success { status: vec![200, 302], ..Success::default() },
        claims: Claims::default(),
        roles: BTreeMap::new(),
        role: Some("user".into()),
        timeout: Duration::from_secs(5),
        authorities: vec![],
        pass_on: PassOn { cookies: vec!["sid".into()], token: None },
        signed_out: None,
        renew: false,
    }
}

fn alice() -> UserName {
    UserName::parse("alice").unwrap()
}

fn reading(recipe: &Recipe, status: u16, location: Option<&str>, cookies: &[&str], body: &str) -> Reading {
    let cookies: Vec<_> = cookies.iter().filter_map(|text| SetCookie::parse(text.as_bytes())).collect();
    read(recipe, &alice(), Answer { status, location, cookies: &cookies, body: body.as_bytes() })
}

fn person(reading: Reading) -> Person {
    let Reading::SignedIn(person) = reading else { panic!("{reading:?}") };
    *person
}

#[test]
fn credentials_cannot_leave_their_place_in_a_form_or_in_json() {
    let password = SecretText::from("p&x=1+\"},{\"admin\":true\\ ä".to_owned());
    let filling = Filling { username: "a&b=c", password: &password, token: "t/1=" };
    let fields = [("user", "{username}"), ("pass", "<{password}>"), ("csrf", "{token}"), ("go", "1 2")];
    let form = Template::Form(fields.map(|(name, text)| (name.to_owned(), Piece::split(text))).into());
    let body = form.fill(filling);
    let back: Vec<(String, String)> = url::form_urlencoded::parse(body.bytes.expose()).into_owned().collect();
    let password = password.expose();
    let wanted = [("user", "a&b=c"), ("pass", &format!("<{password}>")), ("csrf", "t/1="), ("go", "1 2")];
    assert_eq!(back, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));

    let json = Template::Json(Piece::split(r#"{"user":"{username}","pass":"{password}","keep":"{other}"}"#));
    assert!(json.is_sound() && json.has(&Piece::Password) && !json.has(&Piece::Token));
    let body = json.fill(filling);
    let back: serde_json::Value = serde_json::from_slice(body.bytes.expose()).unwrap();
    assert_eq!((back["user"].as_str(), back["pass"].as_str()), (Some("a&b=c"), Some(password)));
    assert_eq!(back["keep"], "{other}", "what is no place stays as it is");
    assert!(!Template::Json(Piece::split(r#"{"user":{username}}"#)).is_sound(), "a place outside a string");
    assert!(!format!("{body:?}").contains("admin"), "a body does not show itself");
}

#[test]
fn every_condition_that_is_set_must_hold() {
    let redirects = Recipe {
        success: Success {
            status: vec![302],
            location_not: Some("/login".into()),
            cookie: Some("sid".into()),
            ..Success::default()
        },
        ..recipe()
    };
    let says = |status, location, cookies: &[&str]| reading(&redirects, status, Some(location), cookies, "");
    assert!(matches!(says(302, "/", &["sid=1"]), Reading::SignedIn(_)));
    for (status, location, cookies) in [
        (200, "/", "sid=1"),
        (302, "/login?failed=1", "sid=1"),
        (302, "login", "sid=1"),
        (302, "http://127.0.0.1:8080/login/", "sid=1"),
        (302, "/", "other=1"),
        (302, "/", "sid="),
        (302, "/", "sid=x; Max-Age=0"),
        (302, "/", "sid=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT"),
    ] {
        assert_eq!(says(status, location, &[cookies]), Reading::No, "{status} {location} {cookies}");
    }
    assert!(matches!(says(302, "/login-done", &["sid=1"]), Reading::SignedIn(_)), "another page");

    let wanted = |equals: Option<&str>| Recipe {
        success: Success {
            json: Some(Wanted { pointer: "/ok".into(), equals: equals.map(str::to_owned) }),
            ..Success::default()
        },
        ..recipe()
    };
    let json = |equals, body| matches!(reading(&wanted(equals), 200, None, &[], body), Reading::SignedIn(_));
    assert!(json(Some("true"), r#"{"ok":true}"#) && json(Some("1"), r#"{"ok":1}"#));
    assert!(json(None, r#"{"ok":"yes"}"#));
    assert!(!json(Some("true"), r#"{"ok":false}"#) && !json(None, r#"{"ok":false}"#));
    assert!(!json(None, "<form>"), "a page instead of a document is a no");
}

#[test]
fn a_panel_that_is_down_or_says_too_little_is_a_fault_and_never_a_sign_in() {
    for status in [500, 502, 503, 429] {
        assert!(matches!(reading(&recipe(), status, None, &["sid=1"], ""), Reading::Fault(_)), "{status}");
    }
    let claims = Claims { name: Some("/user/name".into()), ..Claims::default() };
    let names = Recipe { claims, ..recipe() };
    for body in ["{}", "", r#"{"user":{"name":"two words"}}"#, r#"{"user":{"name":["alice"]}}"#] {
        assert!(matches!(reading(&names, 200, None, &[], body), Reading::Fault(_)), "{body}");
    }
    let roleless = Recipe { role: None, ..recipe() };
    assert!(matches!(reading(&roleless, 200, None, &[], "{}"), Reading::Fault(_)));
}

#[test]
fn the_answer_says_who_it_is_and_in_which_role() {
    let claims = Claims {
        name: Some("/user/name".into()),
        role: Some("/user/role".into()),
        email: Some("/user/email".into()),
        display: Some("/user/full".into()),
    };
    let roles = [("administrator".to_owned(), "root".into())].into();
    let full = Recipe { claims, roles, ..recipe() };
    let says = |body: &str| person(reading(&full, 200, None, &["sid=s1; Path=/", "lang=de"], body));
    let anna = says(r#"{"user":{"name":"Anna","role":"administrator","email":"a@x","full":"Anna B."}}"#);
    assert_eq!((anna.name.as_str(), &*anna.role), ("anna", "root"));
    assert_eq!((anna.email.as_str(), anna.display.as_str()), ("a@x", "Anna B."));
    assert_eq!(anna.jar.pairs(), b"sid=s1", "only what is passed on");
    assert_eq!(anna.jar.cookies[0].path.as_deref(), Some("/"));
    assert_eq!(&*says(r#"{"user":{"name":"b","role":"reseller"}}"#).role, "reseller", "taken as it is");
    assert_eq!(&*says(r#"{"user":{"name":"b"}}"#).role, "user", "the default");
}

#[test]
fn a_token_becomes_the_field_that_the_panel_wants_it_in() {
    let token = Token { pointer: "/token".into(), header: "authorization".into(), prefix: "Bearer ".into() };
    let tokens = Recipe { pass_on: PassOn { cookies: vec![], token: Some(token) }, ..recipe() };
    let jar = person(reading(&tokens, 200, None, &[], r#"{"token":"a.b.c"}"#)).jar;
    assert_eq!(jar.header, Some(("authorization".to_owned(), SecretBytes::new(*b"Bearer a.b.c"))));
    for body in [r#"{"token":"a\r\nX: y"}"#, r#"{"token":""}"#, "{}"] {
        assert!(matches!(reading(&tokens, 200, None, &[], body), Reading::Fault(_)), "{body}");
    }
}

#[test]
fn the_panel_says_that_its_session_is_over_by_status_or_by_where_it_leads() {
    let at = url::Url::parse("https://panel.example.com/users/7").unwrap();
    let over = SignedOut { status: vec![401], location: Some("/login".into()), cookie: None };
    let says = |over: &SignedOut, status, location| over.is(status, location, &[], &at);
    assert!(says(&over, 401, None) && says(&over, 302, Some("/login?next=%2F")));
    assert!(says(&over, 303, Some("https://panel.example.com/login")));
    assert!(!says(&over, 200, None) && !says(&over, 302, Some("/users/7/login")));
    assert!(!says(&over, 200, Some("/login")), "only a redirect leads somewhere");
    let to = Some("/index.php?route=/login".to_owned());
    let with_query = SignedOut { location: to, ..SignedOut::default() };
    assert!(says(&with_query, 302, Some("/index.php?route=/login&x=1")));
    assert!(!says(&with_query, 302, Some("/index.php?route=/home")));
}

#[test]
fn taking_its_cookie_back_is_another_way_to_say_it() {
    let at = url::Url::parse("https://panel.example.com/").unwrap();
    let over = SignedOut { cookie: Some("sid".into()), ..SignedOut::default() };
    let says = |cookies: &[&str]| {
        let cookies: Vec<_> = cookies.iter().filter_map(|text| SetCookie::parse(text.as_bytes())).collect();
        over.is(200, None, &cookies, &at)
    };
    assert!(says(&["lang=de", "sid=deleted; Max-Age=0"]));
    assert!(!says(&["sid=fresh"]) && !says(&["lang=; Max-Age=0"]) && !says(&[]));
    assert!(!says(&["sid=old; Max-Age=0", "sid=fresh"]), "replaced, not taken back");
}

#[test]
fn a_jar_follows_the_panel_and_opens_in_its_own_session_only() {
    let (sealer, sid, other) = (Sealer::new([7; 32]), Sid([1; 32]), Sid([2; 32]));
    let names = ["sid".to_owned(), "csrf".to_owned()];
    let set = |text: &str| SetCookie::parse(text.as_bytes()).unwrap();
    let mut jar = Jar::default();
    assert!(jar.take(&[set("sid=1"), set("csrf=c"), set("lang=de")], &names));
    assert!(!jar.take(&[set("sid=1; HttpOnly")], &names), "the same again is no change");
    assert!(jar.take(&[set("sid=2"), set("csrf=; Max-Age=0")], &names));
    assert_eq!(jar.pairs(), b"sid=2");
    let sealed = jar.seal(&sealer, &sid, [3; 12]);
    assert_eq!(Jar::open(&sealer, &sid, &sealed), Some(jar));
    assert_eq!(Jar::open(&sealer, &other, &sealed), None);
}

#[test]
fn set_cookie_is_read_as_browsers_do_and_rubbish_is_not() {
    let cookie = SetCookie::parse(b"sid=a b=c; path=/app; SAMESITE=Strict; Max-Age=60; HttpOnly").unwrap();
    assert_eq!((cookie.name.as_str(), cookie.value.unwrap().expose()), ("sid", &b"a b=c"[..]));
    assert_eq!((cookie.path.as_deref(), cookie.max_age, cookie.strict), (Some("/app"), Some(60), true));
    let bad: [&[u8]; 4] = [b"=x", b"novalue", b"a=\xff", b"a=\x01"];
    for bad in bad {
        assert_eq!(SetCookie::parse(bad), None, "{bad:?}");
    }
    assert_eq!(SetCookie::parse(b"a=b; Path=relative").unwrap().path, None);
}

#[test]
fn five_faults_in_a_row_open_the_breaker_and_one_question_closes_it() {
    let at = Duration::from_secs;
    let mut breaker = Breaker::default();
    for second in 0..4 {
        assert!(breaker.admit(at(second)) && !breaker.note(false, at(second)));
    }
    assert!(!breaker.note(true, at(4)), "a good answer starts the count again");
    for second in 5..9 {
        assert!(breaker.admit(at(second)) && !breaker.note(false, at(second)));
    }
    assert!(breaker.note(false, at(9)), "the fifth opens it");
    assert!(!breaker.admit(at(10)) && !breaker.admit(at(38)));
    assert!(breaker.admit(at(39)), "one after thirty seconds");
    assert!(!breaker.admit(at(40)), "and no second one beside it");
    assert!(!breaker.note(false, at(41)) && !breaker.admit(at(60)));
    assert!(breaker.admit(at(71)) && !breaker.note(true, at(71)));
    assert!(breaker.admit(at(72)) && breaker.admit(at(72)), "closed again");
}
