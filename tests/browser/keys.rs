//! API keys: made, shown once, used by a program, listed, deleted.

use super::{
    signing_in::{gives_the_code, signed_in},
    tab::Tab,
    world::World,
};

const PAGE: &str = "/_gate/account/keys";

async fn creates(tab: &Tab, name: &str, scopes: &[&str], expires: &str) {
    tab.goes_to(PAGE).await;
    tab.follows("link", "Create a key").await;
    tab.fills("Name", name).await;
    for scope in scopes {
        tab.clicks("checkbox", scope).await;
    }
    tab.clicks("radio", expires).await;
    tab.follows("button", "Create key").await;
}

async fn shown(tab: &Tab) -> String {
    tab.evaluate("document.querySelector('code.key').innerText").await.as_str().unwrap().trim().to_owned()
}

/// Name, permissions and expiry; the key is on the screen once, and never again.
#[tokio::test(flavor = "multi_thread")]
async fn api_key_with_name_permissions_and_expiry_is_shown_once() {
    let world = World::start().await;
    let device = world.device().await;
    let tab = signed_in(&device, &world.person("reseller")).await;
    tab.goes_to(PAGE).await;
    tab.reads("You have no API keys.").await;
    tab.looks("keys-empty").await;
    tab.follows("link", "Create a key").await;
    tab.looks("keys-new").await;
    tab.fills("Name", "backup script").await;
    tab.clicks("radio", "In 30 days").await;
    tab.follows("button", "Create key").await;
    tab.reads("Choose at least one thing that the key may do.").await;
    assert_eq!(tab.value("Name").await, "backup script", "what was typed survives");
    tab.looks("keys-new-refused").await;
    tab.clicks("checkbox", "users:read").await;
    tab.follows("button", "Create key").await;
    tab.reads("Your new API key").await;
    tab.looks("keys-made").await;
    let key = shown(&tab).await;
    assert!(key.starts_with("gate_"), "{key}");
    device.allow_clipboard().await;
    tab.clicks("button", "Copy").await;
    tab.reads("Copied.").await;
    assert_eq!(tab.evaluate("navigator.clipboard.readText()").await, key.as_str());
    tab.follows("link", "I have kept it").await;
    tab.reads("backup script").await;
    tab.reads("never used").await;
    assert!(!tab.evaluate("document.documentElement.outerHTML").await.as_str().unwrap().contains(&key));
    tab.goes_back().await;
    assert!(!tab.text().await.contains(&key), "{}", tab.saw().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn api_key_expires_in_30_60_90_days_or_never() {
    let world = World::start().await;
    let tab = signed_in(&world.device_without_scripts().await, &world.person("reseller")).await;
    for (name, expires) in [("a", "In 30 days"), ("b", "In 60 days"), ("c", "In 90 days"), ("d", "Never")] {
        creates(&tab, name, &["users:read"], expires).await;
        tab.reads("Your new API key").await;
        let until = tab.evaluate("document.querySelector('.facts time')?.dateTime || ''").await;
        let until = until.as_str().unwrap();
        match expires.split(' ').nth(1) {
            None => assert_eq!(until, "", "never"),
            Some(days) => {
                let days: f64 = days.parse().unwrap();
                let left = tab.evaluate(&format!("(new Date('{until}') - Date.now()) / 86400000")).await;
                let left = left.as_f64().unwrap();
                assert!((days - 0.1..days + 1.1).contains(&left), "{name}: {left} days until {until}");
            }
        }
        tab.follows("link", "I have kept it").await;
    }
    tab.goes_to(PAGE).await;
    tab.picture("keys-without-scripts").await;
}

/// A program uses it: what its scope allows, and no more; then it is deleted, and refused at once.
#[tokio::test(flavor = "multi_thread")]
async fn api_key_last_used_and_delete() {
    let world = World::start().await;
    let tab = signed_in(&world.device().await, &world.person("reseller")).await;
    creates(&tab, "report", &["users:read"], "In 90 days").await;
    let key = shown(&tab).await;
    tab.follows("link", "I have kept it").await;
    assert_eq!(world.program(&key, "GET", "/users").await, 200);
    assert_ne!(world.program(&key, "POST", "/users").await, 200, "it may only look");
    assert_ne!(world.program(&key, "GET", "/domains").await, 200, "a page without scopes");
    assert_ne!(world.program(&key, "GET", "/settings").await, 200);
    tab.reloads().await;
    tab.reads("Last used").await;
    tab.reads("203.0.113.7").await;
    tab.looks("keys").await;
    tab.follows("link", "Delete: report").await;
    tab.looks("keys-delete").await;
    tab.follows("button", "Delete key").await;
    tab.reads("The key is deleted.").await;
    assert_ne!(world.program(&key, "GET", "/users").await, 200);
}

/// More than root can do without a code needs one, when the key is made.
#[tokio::test(flavor = "multi_thread")]
async fn api_key_wider_than_the_unverified_owner_needs_a_code() {
    let world = World::start().await;
    let mut root = world.person("root");
    let tab = signed_in(&world.device().await, &root).await;
    creates(&tab, "deploy", &["users:write"], "Never").await;
    tab.is_at("/_gate/step-up").await;
    gives_the_code(&tab, &mut root).await;
    creates(&tab, "deploy", &["users:write"], "Never").await;
    tab.reads("Your new API key").await;
    let key = shown(&tab).await;
    assert_eq!(world.program(&key, "POST", "/users").await, 200);
}
