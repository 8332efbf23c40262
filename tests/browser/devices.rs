//! Where an account is signed in: devices, places, addresses, and signing them out.

use super::{
    signing_in::{gives_the_code, signed_in},
    workspace::repository,
    world::World,
};

const PAGE: &str = "/_gate/account/sessions";

#[tokio::test(flavor = "multi_thread")]
async fn sessions_with_device_location_ip_last_active_current() {
    let places = repository("tests/data/geoip/GeoLite2-City-Test.mmdb");
    let world = World::with(&[("GEOIP__CITY", places.to_str().unwrap())]).await;
    let alice = world.person("alice");
    let other_device = world.device().await;
    let other = other_device.tab().await;
    let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.5 Mobile/15E148 Safari/604.1";
    other.is_a(phone).await;
    // An address of the test database; the demo believes its own machine about it.
    other.comes_from("2.125.160.216").await;
    other.goes_to("/").await;
    super::signing_in::gives_the_password(&other, &alice).await;

    let tab = signed_in(&world.device().await, &alice).await;
    tab.goes_to(PAGE).await;
    tab.reads("Chrome on Linux").await;
    tab.reads("This device").await;
    tab.reads("127.0.0.1").await;
    tab.reads("active now").await;
    tab.reads("Safari on iPhone").await;
    tab.reads("Boxford, United Kingdom · 2.125.160.216").await;
    tab.looks("sessions").await;
    // The own one is first.
    let text = tab.text().await;
    assert!(text.find("Chrome on Linux") < text.find("Safari on iPhone"), "{text}");
    let cookies = other_device.cookies().await;
    assert!(!cookies.is_empty());
}

/// Asked once more, with the facts; then that device is out at its next request.
#[tokio::test(flavor = "multi_thread")]
async fn revoke_with_confirmation_that_device_out_at_once() {
    let world = World::start().await;
    let alice = world.person("alice");
    let other = signed_in(&world.device().await, &alice).await;
    let tab = signed_in(&world.device_without_scripts().await, &alice).await;
    tab.goes_to(PAGE).await;
    let buttons = tab.candidates("link", "Revoke:").await;
    assert_eq!(buttons.len(), 2, "{}", tab.saw().await);
    tab.mark().await;
    tab.clicks_on(buttons[1]).await;
    tab.arrived().await;
    tab.reads("Revoke this session?").await;
    for fact in ["Chrome on Linux", "127.0.0.1", "It is signed out at once"] {
        tab.reads(fact).await;
    }
    tab.picture("session-revoke-without-scripts").await;
    // Thinking twice changes nothing.
    tab.follows("link", "Keep it").await;
    other.goes_to("/domains").await;
    other.is_at("/domains").await;

    let buttons = tab.candidates("link", "Revoke:").await;
    tab.mark().await;
    tab.clicks_on(buttons[1]).await;
    tab.arrived().await;
    tab.follows("button", "Revoke").await;
    tab.reads("The session was revoked.").await;
    // The clock of its dashboard, over a WebSocket, would have stopped as well; its next request leads to the sign-in.
    other.goes_to("/domains").await;
    other.is_at("/_gate/sign-in").await;
    tab.goes_to("/domains").await;
    tab.is_at("/domains").await;
}

/// Within a second, while the page just lies there.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_device_sees_its_live_page_stop() {
    let world = World::start().await;
    let alice = world.person("alice");
    let other = signed_in(&world.device().await, &alice).await;
    other.reads("over a WebSocket, once a second").await;
    let tab = signed_in(&world.device().await, &alice).await;
    tab.goes_to(PAGE).await;
    tab.follows("link", "Revoke all others").await;
    tab.looks("sessions-revoke-others").await;
    tab.follows("button", "Revoke all others").await;
    tab.reads("Only this device is signed in.").await;
    tab.looks("sessions-alone").await;
    other.reads("the connection was closed").await;
}

/// The administrator's view of the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_signs_somebody_out() {
    let world = World::start().await;
    let (mut admin, alice) = (world.person("admin"), world.person("alice"));
    let other = signed_in(&world.device().await, &alice).await;
    let tab = signed_in(&world.device().await, &admin).await;
    tab.goes_to("/_gate/admin/sessions").await;
    tab.is_at("/_gate/step-up").await;
    gives_the_code(&tab, &mut admin).await;
    tab.is_at("/_gate/admin/sessions").await;
    tab.reads("alice").await;
    tab.looks("admin-sessions").await;
    tab.goes_to("/_gate/admin/users").await;
    tab.looks("admin-users").await;
    tab.follows("link", "alice").await;
    tab.looks("admin-user").await;
    tab.follows("link", "Show the sessions").await;
    let buttons = tab.candidates("link", "Revoke:").await;
    tab.mark().await;
    tab.clicks_on(buttons[0]).await;
    tab.arrived().await;
    tab.looks("admin-session-revoke").await;
    tab.follows("button", "Revoke").await;
    other.goes_to("/domains").await;
    other.is_at("/_gate/sign-in").await;
}
