//! Impersonation and High Security Mode: what operators may do to the view of others, and how it is seen.

use super::{
    signing_in::{gives_the_code, signed_in},
    tab::Tab,
    world::{Person, World},
};

/// A window of somebody who has just given a code.
pub(crate) async fn verified(world: &World, person: &mut Person) -> Tab {
    let tab = signed_in(&world.device().await, person).await;
    tab.goes_to("/_gate/step-up?rd=/").await;
    gives_the_code(&tab, person).await;
    tab.is_at("/").await;
    tab
}

async fn impersonates(tab: &Tab, name: &str, write: bool) {
    tab.goes_to("/_gate/admin/impersonate").await;
    tab.fills("User name", name).await;
    tab.fills("Reason", "Ticket 4711").await;
    if write {
        tab.clicks("checkbox", "Allow changes").await;
    }
    tab.follows("button", "Impersonate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn impersonation_with_orange_banner_end_audit() {
    let world = World::with(&[("LOG__LEVEL", "info")]).await;
    let mut root = world.person("root");
    let tab = verified(&world, &mut root).await;
    tab.goes_to("/_gate/admin/impersonate").await;
    tab.looks("impersonate").await;
    impersonates(&tab, "admin", false).await;
    for path in ["/", "/domains", "/identity"] {
        tab.goes_to(path).await;
        tab.reads("Impersonating: admin").await;
        tab.find("link", "End impersonation").await;
    }
    tab.reads("root is acting as admin").await;
    tab.looks_in_the_panel("panel-impersonating").await;
    assert!(!tab.has("button", "Hide").await, "it cannot be put away");

    // For looking only, and never at credentials.
    tab.goes_to("/users").await;
    let buttons = tab.candidates("button", "Suspend").await;
    tab.mark().await;
    tab.clicks_on(buttons[0]).await;
    tab.arrived().await;
    tab.reads("You are impersonating for looking only").await;
    tab.looks("refused-impersonating").await;
    tab.goes_to("/_gate/account/password").await;
    tab.reads("Not while impersonating").await;

    tab.goes_to("/_gate/acting/end").await;
    tab.looks("impersonation-end").await;
    // In the panel, one click does it.
    tab.goes_to("/domains").await;
    tab.follows("link", "End impersonation").await;
    tab.is_at("/domains").await;
    tab.goes_to("/identity").await;
    tab.reads("root").await;
    assert!(!tab.text().await.contains("Impersonating"), "{}", tab.saw().await);

    let log = world.log();
    let audit: Vec<&str> = log.lines().filter(|line| line.contains("panelgate::audit")).collect();
    for event in ["impersonation-started", "impersonation-ended"] {
        let line = audit.iter().find(|line| line.contains(event));
        let line = line.unwrap_or_else(|| panic!("no {event} in {audit:#?}"));
        assert!(line.contains("root") && line.contains("admin"), "{line}");
    }
    assert!(audit.iter().any(|line| line.contains("Ticket 4711")), "{audit:#?}");
}

/// Asked for with changes, and without scripts: the banner is plain markup then.
#[tokio::test(flavor = "multi_thread")]
async fn impersonation_with_changes_needs_no_scripts() {
    let world = World::start().await;
    let (mut admin, device) = (world.person("admin"), world.device_without_scripts().await);
    let tab = signed_in(&device, &admin).await;
    tab.goes_to("/_gate/step-up?rd=/").await;
    let code = admin.app().code().await;
    tab.fills("Code from your app", &code).await;
    tab.follows("button", "Verify").await;
    impersonates(&tab, "root", true).await;
    tab.reads("There is no account of that name that you can impersonate.").await;
    impersonates(&tab, "alice", true).await;
    tab.goes_to("/domains").await;
    tab.reads("Impersonating: alice").await;
    tab.picture("panel-impersonating-without-scripts").await;
    tab.fills("Name", "acting.example").await;
    tab.follows("button", "Add domain").await;
    tab.reads("acting.example").await;
    tab.follows("link", "End impersonation").await;
    tab.follows("button", "End impersonation").await;
    tab.goes_to("/domains").await;
    tab.reads("admin").await;
    assert!(!tab.text().await.contains("Impersonating"), "{}", tab.saw().await);
}

/// Off, everything is open at once; on again, it closes at once. For all, and for one.
#[tokio::test(flavor = "multi_thread")]
async fn high_security_mode_for_root() {
    let world = World::start().await;
    let mut root = world.person("root");
    let admin = signed_in(&world.device().await, &world.person("admin")).await;
    let tab = verified(&world, &mut root).await;
    tab.goes_to("/_gate/admin/high-security").await;
    tab.reads("It is on.").await;
    tab.looks("high-security").await;
    tab.follows("link", "Switch off").await;
    tab.reads("Switch High Security Mode off?").await;
    tab.looks("high-security-off").await;
    admin.goes_to("/users").await;
    admin.is_at("/_gate/step-up").await;
    tab.follows("button", "Switch off").await;
    tab.reads("It is off for everybody.").await;
    tab.looks("high-security-is-off").await;
    admin.goes_to("/users").await;
    admin.is_at("/users").await;
    tab.follows("link", "Switch on").await;
    tab.follows("button", "Switch on").await;
    tab.reads("It is on.").await;
    admin.goes_to("/users").await;
    admin.is_at("/_gate/step-up").await;

    tab.fills("User name", "admin").await;
    tab.follows("button", "Switch off").await;
    tab.follows("button", "Switch off").await;
    tab.reads("Off for admin").await;
    tab.looks("high-security-off-for-one").await;
    admin.goes_to("/users").await;
    admin.is_at("/users").await;
}

/// Nobody else sees the switch, and root needs a fresh code for it.
#[tokio::test(flavor = "multi_thread")]
async fn high_security_mode_is_root_s_alone() {
    let world = World::start().await;
    let root = signed_in(&world.device().await, &world.person("root")).await;
    root.goes_to("/_gate/admin/high-security").await;
    root.is_at("/_gate/step-up").await;
    let mut admin = world.person("admin");
    let admin = verified(&world, &mut admin).await;
    admin.goes_to("/_gate/admin/high-security").await;
    admin.reads("Not for your role").await;
    admin.looks("not-for-your-role").await;
    let alice = signed_in(&world.device().await, &world.person("alice")).await;
    for path in ["high-security", "impersonate", "users", "sessions"] {
        alice.goes_to(&format!("/_gate/admin/{path}")).await;
        alice.reads("Not for your role").await;
    }
}
