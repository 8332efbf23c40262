//! Setting the second factor up, keeping it, and taking it away: the account's own pages.

use std::{fs, process::Command, time::Duration};

use url::Url;

use super::{
    process::program,
    signing_in::{gives_the_code, signed_in},
    tab::Tab,
    totp::App,
    world::{Person, World},
};

/// From the account's page to the picture: the password once more.
async fn up_to_the_picture(tab: &Tab, person: &Person) {
    tab.goes_to("/_gate/account/security").await;
    tab.follows("link", "Set up an authenticator app").await;
    tab.fills("Current password", &person.password).await;
    tab.follows("button", "Continue").await;
}

/// The address that a real QR decoder reads from a picture of the screen.
async fn scanned(tab: &Tab) -> Url {
    let code = tab.find("image", "QR code for your authenticator app").await;
    let file = tab.picture_of(code, "two-factor-qr").await;
    // Width and height are in the first chunk of a PNG.
    let head = fs::read(&file).unwrap();
    assert_eq!(head[16..24], [0, 0, 1, 0, 0, 0, 1, 0], "256 by 256 pixels");
    let decoded = Command::new(program("zbarimg")).args(["--quiet", "--raw"]).arg(file).output().unwrap();
    let text = String::from_utf8(decoded.stdout).unwrap();
    Url::parse(text.trim()).unwrap_or_else(|error| panic!("no QR code was read ({error}): {text}"))
}

fn secret_in(url: &Url) -> String {
    url.query_pairs().find(|(name, _)| name == "secret").expect("there is a secret").1.into_owned()
}

/// The key below the picture.
async fn written(tab: &Tab) -> String {
    tab.evaluate("document.querySelector('code.key').innerText").await.as_str().unwrap().trim().to_owned()
}

/// The codes on the page that shows them once.
async fn codes(tab: &Tab) -> Vec<String> {
    let list =
        tab.evaluate("[...document.querySelectorAll('.codes code')].map((code) => code.innerText)").await;
    serde_json::from_value(list).unwrap()
}

/// The whole way, for tests that are about what comes after it: the person has the app and the codes then.
pub(crate) async fn sets_up(tab: &Tab, person: &mut Person) -> Vec<String> {
    up_to_the_picture(tab, person).await;
    person.scans(App::new(&written(tab).await));
    gives_the_code(tab, person).await;
    let codes = codes(tab).await;
    tab.follows("link", "I have kept these").await;
    codes
}

/// Scanned from the screen by a real decoder; the code computed from it turns it on, and signs in elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn enable_2fa() {
    let world = World::with(&[("SECOND_FACTOR__AT_SIGN_IN", "always")]).await;
    let (mut alice, device) = (world.person("alice"), world.device().await);
    let tab = signed_in(&device, &alice).await;
    tab.goes_to("/_gate/account/security").await;
    tab.looks("security-without-2fa").await;
    tab.follows("link", "Set up an authenticator app").await;
    tab.looks("two-factor-password").await;
    tab.fills("Current password", "not it").await;
    tab.follows("button", "Continue").await;
    tab.reads("That is not your current password.").await;
    tab.fills("Current password", &alice.password).await;
    tab.follows("button", "Continue").await;
    tab.looks("two-factor-scan").await;
    let url = scanned(&tab).await;
    assert_eq!(url.scheme(), "otpauth");
    assert_eq!(url.path(), "/Harbor:alice", "issuer and account");
    assert!(url.query_pairs().any(|(name, value)| name == "issuer" && value == "Harbor"), "{url}");
    alice.scans(App::new(&secret_in(&url)));
    gives_the_code(&tab, &mut alice).await;
    assert_eq!(codes(&tab).await.len(), 10);
    tab.follows("link", "I have kept these").await;
    tab.reads("Your authenticator app is set up").await;
    tab.reads("10 of 10 are left").await;
    tab.looks("security-with-2fa").await;

    let phone = world.device().await.tab().await;
    phone.goes_to("/").await;
    super::signing_in::gives_the_password(&phone, &alice).await;
    phone.is_at("/_gate/second-factor").await;
    gives_the_code(&phone, &mut alice).await;
    phone.is_at("/").await;
}

/// Typed instead of scanned: groups of four, the same secret as in the picture.
#[tokio::test(flavor = "multi_thread")]
async fn manual_key() {
    let world = World::start().await;
    let (alice, device) = (world.person("alice"), world.device().await);
    let tab = signed_in(&device, &alice).await;
    up_to_the_picture(&tab, &alice).await;
    let key = written(&tab).await;
    let groups: Vec<&str> = key.split_whitespace().collect();
    assert_eq!(groups.len(), 8, "{key}: 160 bits");
    assert!(groups.iter().all(|group| group.len() == 4), "{key}");
    assert_eq!(groups.concat(), secret_in(&scanned(&tab).await));
    device.allow_clipboard().await;
    tab.clicks("button", "Copy the key").await;
    tab.reads("Copied.").await;
    let copied = tab.evaluate("navigator.clipboard.readText()").await;
    assert_eq!(copied.as_str().unwrap().split_whitespace().collect::<String>(), groups.concat());
}

/// Only a code that is right turns it on; plain forms do, too.
#[tokio::test(flavor = "multi_thread")]
async fn verify() {
    let world = World::start().await;
    let (mut alice, device) = (world.person("alice"), world.device_without_scripts().await);
    let tab = signed_in(&device, &alice).await;
    up_to_the_picture(&tab, &alice).await;
    let key = written(&tab).await;
    tab.fills("Code from your app", "000000").await;
    tab.follows("button", "Turn on").await;
    tab.reads("That code does not match.").await;
    assert_eq!(written(&tab).await, key, "the picture that was scanned is still the one");
    assert_eq!(world.cli(&["user", "list"]).await.matches("no").count(), 2, "not yet");
    alice.scans(App::new(&key));
    let code = alice.app().code().await;
    tab.fills("Code from your app", &code).await;
    tab.follows("button", "Turn on").await;
    assert_eq!(codes(&tab).await.len(), 10);
    tab.follows("link", "I have kept these").await;
    tab.reads("Your authenticator app is set up").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_backup_codes_copy_all() {
    let world = World::start().await;
    let (mut alice, device) = (world.person("alice"), world.device().await);
    let tab = signed_in(&device, &alice).await;
    up_to_the_picture(&tab, &alice).await;
    alice.scans(App::new(&written(&tab).await));
    gives_the_code(&tab, &mut alice).await;
    let shown = codes(&tab).await;
    assert_eq!(shown.len(), 10);
    tab.looks("backup-codes").await;
    tab.looks_on_paper("backup-codes-print").await;

    device.allow_clipboard().await;
    tab.clicks("button", "Copy all").await;
    tab.reads("Copied.").await;
    let copied = tab.evaluate("navigator.clipboard.readText()").await;
    assert_eq!(copied.as_str().unwrap().split_whitespace().collect::<Vec<_>>(), shown);

    let folder = world.directory().join("downloads");
    fs::create_dir(&folder).unwrap();
    device.download_to(&folder).await;
    tab.clicks("button", "Download").await;
    let file = tab.until(async || text_files(&folder).pop()).await.expect("a file comes");
    assert!(shown.iter().all(|code| file.contains(code)), "{file}");

    // Leaving by any other way asks first; right after the download it might be the download that leaves.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    tab.goes_to("/_gate/account/security").await;
    let asked = world.cdp.dialogs();
    assert!(asked.iter().any(|dialog| dialog.contains("beforeunload")), "{asked:?}");
    tab.reads("10 of 10 are left").await;
    // Once means once.
    tab.goes_back().await;
    assert!(codes(&tab).await.is_empty(), "{}", tab.saw().await);
}

fn text_files(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let files = entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "txt"));
    files.filter_map(|entry| fs::read_to_string(entry.path()).ok()).filter(|text| !text.is_empty()).collect()
}

/// New codes end the old ones; three are left: a warning.
#[tokio::test(flavor = "multi_thread")]
async fn backup_codes_are_counted_and_made_anew_with_a_code() {
    let world = World::with(&[("LIMITS__SECOND_FACTOR", "50/15m")]).await;
    let (mut alice, device) = (world.person("alice"), world.device().await);
    let tab = signed_in(&device, &alice).await;
    let old = sets_up(&tab, &mut alice).await;
    for code in &old[..7] {
        tab.goes_to("/_gate/sign-out").await;
        tab.follows("button", "Sign out").await;
        let other = signed_in(&device, &alice).await;
        other.goes_to("/_gate/step-up?rd=/&with=backup").await;
        other.fills("Backup code", code).await;
        other.follows("button", "Verify").await;
        other.is_at("/").await;
    }
    tab.goes_to("/_gate/account/security").await;
    tab.reads("Only 3 of 10 are left.").await;
    tab.looks("security-few-codes").await;
    tab.follows("link", "Make new codes").await;
    tab.looks("new-codes").await;
    let code = alice.app().code().await;
    tab.fills("Code from your app", &code).await;
    tab.follows("button", "Make new codes").await;
    let new = codes(&tab).await;
    assert_eq!(new.len(), 10);
    assert!(new.iter().all(|code| !old.contains(code)));
    tab.follows("link", "I have kept these").await;
    tab.reads("10 of 10 are left").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disable_with_code() {
    let world = World::start().await;
    let (mut alice, device) = (world.person("alice"), world.device().await);
    let tab = signed_in(&device, &alice).await;
    sets_up(&tab, &mut alice).await;
    tab.follows("link", "Remove").await;
    tab.looks("two-factor-remove").await;
    tab.fills("Code from your app", "000000").await;
    tab.follows("button", "Remove").await;
    tab.reads("That code does not match.").await;
    let code = alice.app().code().await;
    tab.fills("Code from your app", &code).await;
    tab.follows("button", "Remove").await;
    tab.reads("Your authenticator app is removed.").await;
    tab.reads("You get them when you set up an authenticator app.").await;
}

/// A role that must have one reaches nothing else until it has.
#[tokio::test(flavor = "multi_thread")]
async fn forced_enrolment() {
    let world = World::with_policy("require_2fa: [user]").await;
    let (mut alice, device) = (world.person("alice"), world.device().await);
    let tab = device.tab().await;
    tab.goes_to("/domains").await;
    super::signing_in::gives_the_password(&tab, &alice).await;
    tab.looks("two-factor-required").await;
    for path in ["/", "/domains", "/_gate/account/sessions"] {
        tab.goes_to(path).await;
        assert!(!tab.text().await.contains("Add a domain"), "{}", tab.saw().await);
    }
    tab.goes_to("/domains").await;
    if tab.has("textbox", "Current password").await {
        tab.fills("Current password", &alice.password).await;
    }
    tab.follows("button", "Continue").await;
    alice.scans(App::new(&written(&tab).await));
    gives_the_code(&tab, &mut alice).await;
    tab.follows("link", "I have kept these").await;
    tab.goes_to("/domains").await;
    tab.is_at("/domains").await;
    tab.reads("Add a domain").await;
}
