//! Signing in, the second factor, step-up and signing out, as they are clicked.

use super::{
    device::Device,
    tab::Tab,
    world::{Person, World},
};

/// Signs in with name and password on the page that is there.
pub(crate) async fn gives_the_password(tab: &Tab, person: &Person) {
    tab.fills("User name", &person.name).await;
    tab.fills("Password", &person.password).await;
    tab.follows("button", "Sign in").await;
}

/// A window on the panel's start page, signed in.
pub(crate) async fn signed_in(device: &Device, person: &Person) -> Tab {
    let tab = device.tab().await;
    tab.goes_to("/").await;
    tab.is_at("/_gate/sign-in").await;
    gives_the_password(&tab, person).await;
    tab.is_at("/").await;
    tab
}

/// Types the code into the page that asks for it, and is let on: with scripts, the sixth digit sends it.
pub(crate) async fn gives_the_code(tab: &Tab, person: &mut Person) {
    let code = person.app().code().await;
    tab.find("textbox", "Code from your app").await;
    tab.mark().await;
    tab.fills("Code from your app", &code).await;
    tab.arrived().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sign_in_page_lets_in_whoever_knows_the_password() {
    let world = World::start().await;
    let (alice, device) = (world.person("alice"), world.device().await);
    let tab = device.tab().await;
    tab.goes_to("/domains").await;
    tab.is_at("/_gate/sign-in").await;
    tab.looks("sign-in").await;

    tab.fills("User name", "alice").await;
    tab.fills("Password", "a wrong guess").await;
    tab.follows("button", "Sign in").await;
    tab.reads("That user name and password do not match.").await;
    assert_eq!(tab.value("User name").await, "alice", "what was typed survives");
    assert_eq!(tab.value("Password").await, "", "but never the secret");
    tab.looks("sign-in-refused").await;

    tab.fills("Password", &alice.password).await;
    tab.clicks("button", "Show").await;
    tab.looks("sign-in-password-shown").await;
    tab.follows("button", "Sign in").await;
    tab.is_at("/domains").await;
    tab.reads("alice").await;
    tab.looks_in_the_panel("panel-domains").await;
}

/// Not one click: sign-in, the second factor and a step-up.
#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_alone_is_enough() {
    let world = World::with(&[("SECOND_FACTOR__AT_SIGN_IN", "always"), ("ELEVATION__LASTS", "2s")]).await;
    let (mut root, device) = (world.person("root"), world.device().await);
    let tab = device.tab().await;
    tab.goes_to("/users").await;
    // The first field has the focus already.
    tab.types("root").await;
    tab.key("Tab").await;
    tab.types(&root.password).await;
    tab.mark().await;
    tab.key("Enter").await;
    tab.arrived().await;
    tab.is_at("/_gate/second-factor").await;
    let code = root.app().code().await;
    tab.mark().await;
    tab.types(&code).await;
    tab.arrived().await;
    tab.is_at("/users").await;

    tab.reads("Read-only:").await;
    tab.tab_to("link", "verify to make changes").await;
    tab.mark().await;
    tab.key("Enter").await;
    tab.arrived().await;
    tab.is_at("/_gate/step-up").await;
    let code = root.app().code().await;
    tab.mark().await;
    tab.types(&code).await;
    tab.arrived().await;
    tab.is_at("/users").await;
    tab.reads("Verified,").await;

    tab.tab_to("link", "Sign out").await;
    tab.mark().await;
    tab.key("Enter").await;
    tab.arrived().await;
    tab.tab_to("button", "Sign out").await;
    tab.mark().await;
    tab.key("Space").await;
    tab.arrived().await;
    tab.reads("You are signed out").await;
}

/// Plain forms: sign-in, a page that opens after a code, a change, signing out.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_it_needs_scripts() {
    let world = World::start().await;
    let (mut root, device) = (world.person("root"), world.device_without_scripts().await);
    let tab = signed_in(&device, &root).await;
    tab.follows("link", "Settings").await;
    tab.is_at("/_gate/step-up").await;
    tab.fills("Code from your app", "000000").await;
    tab.follows("button", "Verify").await;
    tab.reads("That code does not match.").await;
    let code = root.app().code().await;
    tab.fills("Code from your app", &code).await;
    tab.follows("button", "Verify").await;
    tab.is_at("/settings").await;
    tab.fills("Server name", "harbor-2").await;
    tab.follows("button", "Save settings").await;
    tab.is_at("/settings").await;
    assert_eq!(tab.value("Server name").await, "harbor-2");
    tab.follows("link", "Sign out").await;
    tab.picture("sign-out-without-scripts").await;
    tab.follows("button", "Sign out").await;
    tab.reads("You are signed out").await;
    tab.goes_to("/settings").await;
    tab.is_at("/_gate/sign-in").await;
}

/// What was on the screen before is not given out again.
#[tokio::test(flavor = "multi_thread")]
async fn back_after_sign_out_shows_nothing() {
    let world = World::start().await;
    let (alice, device) = (world.person("alice"), world.device().await);
    let tab = signed_in(&device, &alice).await;
    tab.follows("link", "Domains").await;
    tab.reads("Add a domain").await;
    tab.follows("link", "Sign out").await;
    tab.looks("sign-out").await;
    tab.follows("button", "Sign out").await;
    tab.reads("You are signed out").await;
    tab.looks("signed-out").await;
    assert!(device.cookie("__Host-gate_access").await.is_none(), "{:?}", device.cookies().await);
    for _ in 0..2 {
        tab.goes_back().await;
        assert!(!tab.text().await.contains("Add a domain"), "{}", tab.saw().await);
    }
    tab.goes_to("/domains").await;
    tab.is_at("/_gate/sign-in").await;
}
