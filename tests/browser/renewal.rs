//! Tokens that renew themselves: by the page's script, across tabs, after a sleep, and without scripts.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use panelgate::clock::{Clock as _, SystemClock};
use serde_json::Value;

use super::{device::Device, signing_in::signed_in, tab::Tab, world::World};

const DAY: f64 = 24.0 * 3600.0;
const REFRESH: &str = "/_gate/refresh";

#[tokio::test(flavor = "multi_thread")]
async fn access_15_minutes_refresh_7_days_http_only() {
    let world = World::start().await;
    let device = world.device().await;
    let tab = signed_in(&device, &world.person("alice")).await;
    let (access, refresh) = (access(&device).await, refresh(&device).await);
    for cookie in [&access, &refresh] {
        assert_eq!(cookie["httpOnly"], true, "{cookie}");
        assert_eq!(cookie["secure"], true, "{cookie}");
        assert!(cookie["size"].as_u64().unwrap() < 4096, "{cookie}");
    }
    assert_eq!(refresh["path"], REFRESH);
    let now = f64::from(u32::try_from(SystemClock::new().wall().secs()).unwrap());
    let lives = (refresh["expires"].as_f64().unwrap() - now) / DAY;
    assert!((6.99..7.01).contains(&lives), "{lives} days");
    let claims = claims(&access);
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 15 * 60);
    assert_eq!(tab.evaluate("document.cookie").await, "", "no script may read them");
}

/// Not after 9:55, but after 10:05: five minutes before the end.
#[tokio::test(flavor = "multi_thread")]
async fn auto_refresh_five_minutes_before_expiry_rotates() {
    let world = World::start().await;
    let device = world.device().await;
    let tab = signed_in(&device, &world.person("alice")).await;
    looked(&tab).await;
    let (old_access, old_refresh) = (access(&device).await, refresh(&device).await);
    tab.wakes_after(9 * 60 + 55).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(tab.requests(REFRESH), 0, "too early");
    // The script has asked how long it has, and the server's clock has not moved; so once more from the start.
    tab.reloads().await;
    looked(&tab).await;
    tab.wakes_after(10 * 60 + 5).await;
    renewed(&tab).await;
    let changed = async || (access(&device).await["value"] != old_access["value"]).then_some(());
    tab.until(changed).await.expect("a new access token comes");
    assert_ne!(refresh(&device).await["value"], old_refresh["value"], "rotated");
    tab.follows("link", "Domains").await;
    tab.reads("Add a domain").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_that_wake_at_once_renew_once() {
    let world = World::start().await;
    let device = world.device().await;
    let one = signed_in(&device, &world.person("alice")).await;
    let two = device.tab().await;
    two.goes_to("/domains").await;
    looked(&one).await;
    looked(&two).await;
    tokio::join!(one.wakes_after(14 * 60), two.wakes_after(14 * 60));
    one.until(async || (one.requests(REFRESH) + two.requests(REFRESH) > 0).then_some(()))
        .await
        .expect("one of them renews");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(one.requests(REFRESH) + two.requests(REFRESH), 1, "not both");
    for tab in [&one, &two] {
        tab.reloads().await;
        tab.reads("alice").await;
    }
}

/// Two windows reload with an expired token in the same instant, without a script that could coordinate them.
#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_that_refresh_at_once_stay_signed_in() {
    let world = World::with(&[("LIFETIMES__ACCESS", "2s")]).await;
    let device = world.device_without_scripts().await;
    let one = signed_in(&device, &world.person("alice")).await;
    let two = device.tab().await;
    two.goes_to("/domains").await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        tokio::join!(one.goes_to("/domains"), two.goes_to("/domains"));
        for tab in [&one, &two] {
            tab.is_at("/domains").await;
            tab.reads("Add a domain").await;
        }
    }
}

/// Longer than the access token lives; the reader notices nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_laptop_that_slept_goes_on_where_it_was() {
    let world = World::with(&[("LIFETIMES__ACCESS", "3s")]).await;
    let device = world.device().await;
    let tab = signed_in(&device, &world.person("alice")).await;
    looked(&tab).await;
    tab.sleeps_for(Duration::from_secs(5)).await;
    renewed(&tab).await;
    tab.follows("link", "Domains").await;
    tab.is_at("/domains").await;
    tab.reads("Add a domain").await;
}

/// Longer than the session lives: the sign-in page, and then the page that was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_laptop_that_slept_too_long_signs_in_again() {
    let world = World::with(&[("LIFETIMES__ACCESS", "2s"), ("LIFETIMES__IDLE", "4s")]).await;
    let (alice, device) = (world.person("alice"), world.device().await);
    let tab = signed_in(&device, &alice).await;
    looked(&tab).await;
    tab.sleeps_for(Duration::from_secs(6)).await;
    renewed(&tab).await;
    tab.follows("link", "Domains").await;
    tab.is_at("/_gate/sign-in").await;
    super::signing_in::gives_the_password(&tab, &alice).await;
    tab.is_at("/domains").await;
}

/// Waits until the page's script knows when to renew.
async fn looked(tab: &Tab) {
    let answered =
        "performance.getEntriesByType('resource').some((entry) => entry.name.includes('/api/v1/session'))";
    let asked = tab.until(async || (tab.evaluate(answered).await == true).then_some(())).await;
    asked.expect("the script asks about the session");
}

/// Waits until it asks for new tokens.
async fn renewed(tab: &Tab) {
    let asked = tab.until(async || (tab.requests(REFRESH) > 0).then_some(())).await;
    asked.expect("the script renews the session");
}

async fn access(device: &Device) -> Value {
    device.cookie("__Host-gate_access").await.expect("there is an access token")
}

async fn refresh(device: &Device) -> Value {
    device.cookie("__Secure-gate_refresh").await.expect("there is a refresh token")
}

fn claims(cookie: &Value) -> Value {
    let payload = cookie["value"].as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap()).unwrap()
}
