//! Changing the password, and what it is measured by.

use super::{
    signing_in::{gives_the_password, signed_in},
    tab::Tab,
    world::World,
};

const PAGE: &str = "/_gate/account/password";
const GOOD: &str = "tidal-lantern-47-orchid";

async fn changes(tab: &Tab, current: &str, new: &str) {
    tab.goes_to(PAGE).await;
    tab.fills("Current password", current).await;
    tab.fills("New password", new).await;
    tab.follows("button", "Change password").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn change_password() {
    let world = World::start().await;
    let (alice, device) = (world.person("alice"), world.device().await);
    let tab = signed_in(&device, &alice).await;
    tab.goes_to("/_gate/account/security").await;
    tab.follows("link", "Change password").await;
    tab.looks("password").await;
    changes(&tab, "not it", GOOD).await;
    tab.reads("That is not your current password.").await;
    tab.looks("password-wrong").await;
    changes(&tab, &alice.password, GOOD).await;
    tab.reads("Your password is changed").await;

    // The old one is none any more, the new one is.
    let mut changed = alice.clone();
    let other = world.device().await.tab().await;
    other.goes_to("/").await;
    gives_the_password(&other, &alice).await;
    other.reads("That user name and password do not match.").await;
    GOOD.clone_into(&mut changed.password);
    signed_in(&world.device().await, &changed).await;
}

/// Every other device is out at once; this browser goes on.
#[tokio::test(flavor = "multi_thread")]
async fn password_change_revokes_all_sessions() {
    let world = World::start().await;
    let (alice, device) = (world.person("alice"), world.device_without_scripts().await);
    let tab = signed_in(&device, &alice).await;
    let other = signed_in(&world.device().await, &alice).await;
    let before = device.cookie("__Host-gate_access").await.unwrap()["value"].clone();
    changes(&tab, &alice.password, GOOD).await;
    tab.reads("Your password is changed").await;
    other.goes_to("/domains").await;
    other.is_at("/_gate/sign-in").await;
    tab.goes_to("/domains").await;
    tab.is_at("/domains").await;
    assert_ne!(
        device.cookie("__Host-gate_access").await.unwrap()["value"],
        before,
        "in a session of its own"
    );
}

/// The server's verdict with its reason, while it is typed.
#[tokio::test(flavor = "multi_thread")]
async fn strength_meter() {
    let world = World::start().await;
    let tab = signed_in(&world.device().await, &world.person("alice")).await;
    tab.goes_to(PAGE).await;
    for (password, verdict) in [
        ("password1234", "Weak: a common password"),
        ("alice-andersson", "Weak: "),
        ("qwertyuiop12", "Weak: "),
        ("tidal lantern", "Medium"),
        (GOOD, "Strong"),
    ] {
        tab.fills("New password", password).await;
        tab.reads(verdict).await;
        let name = verdict.split(':').next().unwrap().to_lowercase();
        tab.looks(&format!("password-{name}")).await;
    }
}

/// The server says no as well, in the same words: the page without scripts shows it.
#[tokio::test(flavor = "multi_thread")]
async fn common_passwords_rejected() {
    let world = World::start().await;
    let alice = world.person("alice");
    let tab = signed_in(&world.device_without_scripts().await, &alice).await;
    for (password, reason) in [
        ("password1234", "a common password"),
        ("alice", "shorter than"),
        ("alicealice99", "name"),
        (alice.password.as_str(), "the password you have now"),
        (&"ö".repeat(40), "longer than 72 bytes"),
    ] {
        changes(&tab, &alice.password, password).await;
        tab.reads(reason).await;
        tab.is_at(PAGE).await;
    }
    tab.picture("password-refused-without-scripts").await;
}
