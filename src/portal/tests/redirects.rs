//! R18, rows 90 to 94: nobody is sent anywhere but to the site's own origins.

use http::StatusCode;
use proptest::prelude::*;
use url::Url;

use super::support::{Browser, World};
use crate::{portal::redirect::Return, rules::site::Site};

const HOME: &str = "https://panel.example.com/";

const HOSTILE: &[&str] = &[
    "https://evil.example",
    "https://evil.example/panel.example.com",
    "https://panel.example.com.evil.example/",
    "https://panel.example.comevil.example/",
    "https://evilpanel.example.com/",
    "https://sub.panel.example.com/",
    "https://panel.example.com@evil.example/",
    "https://panel.example.com:443@evil.example/",
    "https://user@panel.example.com/",
    "https://user:pass@panel.example.com/",
    "https://panel.example.com:8443/",
    "https://panel.example.com:444/",
    "https://other.example.com/",
    "http://panel.example.com/",
    "http://panel.example.com:443/",
    "ftp://panel.example.com/",
    "ws://panel.example.com/",
    "//evil.example",
    "//evil.example/%2f..",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "\t//evil.example",
    " //evil.example",
    "\u{0}//evil.example",
    "/\\/evil.example",
    "https:\\\\evil.example",
    "https:/\\evil.example",
    "https:////evil.example",
    "https:///evil.example",
    "https:\\/\\/evil.example",
    "ht\ntps://evil.example",
    "\u{1}https://evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "\u{1}javascript:alert(1)",
    "javascript://panel.example.com/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "data:text/html;base64,PHNjcmlwdD4=",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "blob:https://panel.example.com/uuid",
    "filesystem:https://panel.example.com/x",
    "about:blank",
    "view-source:https://panel.example.com/",
    "https://evil.example#panel.example.com",
    "https://evil.example?panel.example.com",
    "https://evil.example\\@panel.example.com",
    "https://evil。example/",
    "https://panel。example。com.evil.example/",
    "https://ⓔvil.example/",
    "https://xn--pnel-5qa.example.com/",
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://[::1]/",
    "https://panel.example.com./",
    "https://panel.example.com%00.evil.example/",
    "https://panel.example.com%2f.evil.example/",
    "https://panel.example.com%09.evil.example/",
    "https://",
    "https:",
    "",
    "/_gate/sign-in",
    "/_gate/sign-out",
    "/_gate/refresh?rd=https://evil.example",
    "/_gate/refused",
    "/_gate/api/v1/session",
    "/_gate/second-factor",
    "/_gate",
    "/%5fgate/refresh",
    "/%5Fgate/sign-out",
    "/./_gate/sign-out",
    "/x/../_gate/sign-out",
    "/x/%2e%2e/_gate/sign-out",
    "/_GATE/sign-out",
    "https://panel.example.com/_gate/sign-in?rd=x",
];

const GOOD: &[(&str, &str)] = &[
    ("https://panel.example.com", "https://panel.example.com/"),
    ("https://panel.example.com/users/7?tab=2#top", "https://panel.example.com/users/7?tab=2#top"),
    ("https://PANEL.example.com:443/a", "https://panel.example.com/a"),
    ("https://other.example.com:8443/x", "https://other.example.com:8443/x"),
    ("https://:@panel.example.com/", "https://panel.example.com/"),
    ("/users", "https://panel.example.com/users"),
    ("/a?b=https://evil.example", "https://panel.example.com/a?b=https://evil.example"),
    ("users", "https://panel.example.com/users"),
    ("https:evil.example", "https://panel.example.com/evil.example"),
    ("/a/../b", "https://panel.example.com/b"),
    ("/_gate/step-up?rd=x", "https://panel.example.com/_gate/step-up?rd=x"),
    ("/_gateway", "https://panel.example.com/"),
    ("/ü", "https://panel.example.com/%C3%BC"),
];

fn site() -> Site {
    Site::sample("panel", &["https://panel.example.com", "https://other.example.com:8443"])
}

#[test]
fn hostile_targets_become_the_main_page() {
    assert!(HOSTILE.len() >= 60);
    for target in HOSTILE {
        assert_eq!(Return::new(Some(target), &site()).as_str(), HOME, "{target:?}");
    }
    let long = format!("https://panel.example.com/{}", "a".repeat(3000));
    assert_eq!(Return::new(Some(&long), &site()).as_str(), HOME);
}

#[test]
fn good_targets_are_kept_in_our_spelling() {
    for (target, kept) in GOOD {
        assert_eq!(Return::new(Some(target), &site()).as_str(), *kept, "{target:?}");
    }
}

/// The same corpus through the pages: query, hidden field and the answer to a form.
#[tokio::test]
async fn no_page_sends_anybody_elsewhere() {
    let world = World::new().await;
    for target in HOSTILE {
        let query: String = url::form_urlencoded::byte_serialize(target.as_bytes()).collect();
        let mut browser = Browser::new(&world);
        let page = browser.open(&format!("/_gate/sign-in?rd={query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{target:?}");
        assert!(!page.text.contains("evil"), "{target:?}: {}", page.text);
        let refresh = browser.open(&format!("/_gate/refresh?rd={query}")).await;
        assert_eq!(refresh.location(), "/_gate/sign-in", "{target:?}");
    }
    let mut browser = Browser::new(&world);
    for target in HOSTILE.iter().take(40) {
        let form = Browser::new(&world).open("/_gate/sign-in").await.form();
        let fields =
            [("form", form.as_str()), ("rd", target), ("username", "alice"), ("password", "alice-pass")];
        assert_eq!(browser.submit("/_gate/sign-in", &fields).await.location(), HOME, "{target:?}");
    }
}

proptest! {
    /// An independent reading of the answer agrees: whatever goes in, the origin that comes out is one of ours, and it
    /// is plain text that a header can carry.
    #[test]
    fn whatever_is_asked_for_the_answer_is_ours(
        head in prop::sample::select(vec!["", "/", "//", "\\", "https:", "https://", "https://panel.example.com", "javascript:"]),
        tail in "[ -~\\n\\t@:/\\\\.#?%]{0,40}|\\PC{0,20}",
    ) {
        let back = Return::new(Some(&format!("{head}{tail}")), &site());
        let origin = Url::parse(back.as_str()).unwrap().origin().ascii_serialization();
        prop_assert!(["https://panel.example.com", "https://other.example.com:8443"].contains(&&*origin));
        prop_assert!(back.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
    }
}
