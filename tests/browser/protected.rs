//! Pages that are read-only or blocked until the second factor: what the panel's users see of it.

use super::{
    signing_in::{gives_the_code, signed_in},
    world::World,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_page_says_so_and_opens_after_a_code() {
    let world = World::start().await;
    let (mut root, device) = (world.person("root"), world.device().await);
    let tab = signed_in(&device, &root).await;
    tab.follows("link", "Users").await;
    tab.reads("Read-only: verify to make changes").await;
    tab.looks_in_the_panel("panel-read-only").await;

    // A corner of the panel that does not know it is read-only: the change is not made, and that is said.
    let buttons = tab.candidates("button", "Suspend").await;
    tab.mark().await;
    tab.clicks_on(buttons[0]).await;
    tab.arrived().await;
    tab.reads("Read-only until you verify").await;
    tab.looks("refused-read-only").await;
    tab.follows("link", "Verify").await;
    tab.is_at("/_gate/step-up").await;
    tab.reads("User management is a protected page.").await;
    tab.looks("step-up").await;
    gives_the_code(&tab, &mut root).await;
    tab.reads("Verified, 14:").await;
    tab.looks_in_the_panel("panel-verified").await;

    tab.goes_to("/users").await;
    assert_eq!(tab.candidates("button", "Suspend").await.len(), buttons.len(), "nothing was changed");
    let buttons = tab.candidates("button", "Suspend").await;
    tab.mark().await;
    tab.clicks_on(buttons[0]).await;
    tab.arrived().await;
    tab.is_at("/users").await;
    assert_eq!(tab.candidates("button", "Suspend").await.len(), buttons.len() - 1, "now it is");
}

/// Which page is how open to whom, before and after a code, as the demo's policy has it.
#[tokio::test(flavor = "multi_thread")]
async fn high_security_mode_read_only_and_blocked_pages_per_page_and_role() {
    let world = World::start().await;
    for (name, expected) in [
        ("root", [("/users", "read"), ("/settings", "blocked"), ("/system", "blocked")]),
        ("admin", [("/users", "blocked"), ("/settings", "blocked"), ("/system", "none")]),
        ("reseller", [("/users", "read"), ("/settings", "none"), ("/system", "none")]),
        ("alice", [("/users", "none"), ("/settings", "none"), ("/system", "none")]),
    ] {
        let tab = signed_in(&world.device().await, &world.person(name)).await;
        for (path, expected) in expected {
            tab.goes_to(path).await;
            match expected {
                "read" => tab.reads("read-only").await,
                "blocked" => tab.is_at("/_gate/step-up").await,
                _ => tab.reads("This page is not open to you").await,
            }
        }
    }
    let mut admin = world.person("admin");
    let tab = signed_in(&world.device().await, &admin).await;
    tab.goes_to("/users").await;
    tab.reads("This page opens after you verify it’s you.").await;
    tab.looks("step-up-blocked").await;
    gives_the_code(&tab, &mut admin).await;
    tab.is_at("/users").await;
    tab.reads("Verified,").await;
    tab.goes_to("/system").await;
    tab.reads("This page is not open to you").await;
    tab.looks("refused").await;
}

/// The elevation ends by itself, in front of the reader's eyes.
#[tokio::test(flavor = "multi_thread")]
async fn the_countdown_ends_where_it_says() {
    let world = World::with(&[("ELEVATION__LASTS", "4s")]).await;
    let (mut root, device) = (world.person("root"), world.device().await);
    let tab = signed_in(&device, &root).await;
    tab.goes_to("/_gate/step-up?rd=/users").await;
    gives_the_code(&tab, &mut root).await;
    tab.reads("Verified, 0:0").await;
    tab.reads("Read-only: verify to make changes").await;
    tab.clicks("button", "Hide").await;
    assert!(tab.until(async || (!tab.text().await.contains("Read-only:")).then_some(())).await.is_some());
}
