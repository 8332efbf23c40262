//! The code of an app, backup codes, lock-outs, and the way out of them.

use serde_json::Value;

use super::{
    signing_in::{gives_the_password, signed_in},
    tab::Tab,
    totp::App,
    world::{Person, World},
};

/// A demo that asks for the second factor at every sign-in.
async fn strict() -> World {
    World::with(&[("SECOND_FACTOR__AT_SIGN_IN", "always")]).await
}

/// A window of a new device on the page that asks for the code.
async fn asked_for_the_code(world: &World, person: &Person) -> Tab {
    let tab = world.device().await.tab().await;
    tab.goes_to("/").await;
    gives_the_password(&tab, person).await;
    tab.is_at("/_gate/second-factor").await;
    tab
}

/// Types a code; the sixth digit sends it.
async fn types_the_code(tab: &Tab, code: &str) {
    tab.mark().await;
    tab.fills("Code from your app", code).await;
    tab.arrived().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_with_code() {
    let world = strict().await;
    let (mut root, device) = (world.person("root"), world.device().await);
    let tab = device.tab().await;
    tab.goes_to("/").await;
    gives_the_password(&tab, &root).await;
    tab.is_at("/_gate/second-factor").await;
    tab.looks("second-factor").await;
    tab.follows("link", "Use a backup code").await;
    tab.looks("second-factor-backup-code").await;
    tab.follows("link", "Use a code from your app").await;

    // With the password alone, everything is as it was before it.
    let other = device.tab().await;
    other.goes_to("/").await;
    other.is_at("/_gate/sign-in").await;

    App::settle().await;
    let code = root.app().step(0);
    tab.mark().await;
    // Pasted with a space, as some apps show it; the sixth digit sends it.
    let (first, second) = code.split_at(3);
    tab.fills("Code from your app", &format!("{first} {second}")).await;
    tab.arrived().await;
    tab.is_at("/").await;
    tab.reads("root").await;

    // The same code again, from another device.
    let other = asked_for_the_code(&world, &root).await;
    types_the_code(&other, &code).await;
    other.reads("That code has been used.").await;
    other.looks("second-factor-used-code").await;
}

/// One step of tolerance each way, and not two.
#[tokio::test(flavor = "multi_thread")]
async fn previous_and_next_code_accepted() {
    let world = strict().await;
    for (name, offset, accepted) in
        [("root", -2, false), ("root", -1, true), ("root", 1, true), ("admin", 2, false), ("admin", 0, true)]
    {
        let mut person = world.person(name);
        let tab = asked_for_the_code(&world, &person).await;
        App::settle().await;
        let code = person.app().step(offset);
        types_the_code(&tab, &code).await;
        if accepted {
            tab.is_at("/").await;
        } else {
            tab.reads("That code does not match.").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lockout_after_too_many() {
    let world = strict().await;
    let mut root = world.person("root");
    let tab = asked_for_the_code(&world, &root).await;
    let right = root.app().code().await;
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for left in (0..5).rev() {
        types_the_code(&tab, wrong).await;
        if left == 1 {
            tab.reads("One try left.").await;
            tab.looks("second-factor-one-try-left").await;
        }
    }
    // The right one does not help any more.
    types_the_code(&tab, &right).await;
    tab.reads("Too many tries. Try again in").await;
    tab.looks("second-factor-locked").await;
    tab.goes_to("/").await;
    tab.is_at("/_gate/sign-in").await;
}

/// Each of them once.
#[tokio::test(flavor = "multi_thread")]
async fn with_backup_code() {
    let world = strict().await;
    let alice = world.person("alice");
    let printed: Value =
        serde_json::from_str(&world.cli(&["2fa", "enrol", "alice", "--json"]).await).unwrap();
    let codes: Vec<&str> =
        printed["backup_codes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(codes.len(), 10, "{printed}");
    // As it was kept, and as it is typed from paper.
    for code in [codes[0].to_owned(), codes[1].replace('-', " ").to_lowercase()] {
        let tab = asked_for_the_code(&world, &alice).await;
        tab.follows("link", "Use a backup code").await;
        tab.fills("Backup code", &code).await;
        tab.follows("button", "Verify").await;
        tab.is_at("/").await;
        tab.reads("alice").await;
    }
    let tab = asked_for_the_code(&world, &alice).await;
    tab.follows("link", "Use a backup code").await;
    tab.fills("Backup code", codes[0]).await;
    tab.follows("button", "Verify").await;
    tab.reads("That backup code does not match, or it has been used.").await;
    tab.looks("second-factor-used-backup-code").await;
}

/// Too many tries, and the phone is lost: the operator's command line is the way out.
#[tokio::test(flavor = "multi_thread")]
async fn cli_disables_2fa_for_locked_out_root() {
    let world = strict().await;
    let root = world.person("root");
    let tab = asked_for_the_code(&world, &root).await;
    for _ in 0..6 {
        types_the_code(&tab, "000000").await;
    }
    tab.reads("Too many tries.").await;
    world.cli(&["2fa", "disable", "root"]).await;
    let tab = signed_in(&world.device().await, &root).await;
    tab.reads("root").await;
}
