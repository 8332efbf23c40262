//! The list of sessions as a page, and news of sign-ins from somewhere new.

use std::time::Duration;

use http::StatusCode;

use super::support::{Answer, Browser, World};
use crate::{clock::Clock, rules::known, store::UserChange};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const CHROME: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36";
const LONDON: &str = "81.2.69.142";
const LINKOPING: &str = "89.160.20.112";
const LIST: &str = "/_gate/account/sessions";

async fn alice<'w>(world: &'w World, agent: &str, address: &str) -> Browser<'w> {
    let mut browser = Browser::at(world, agent, address);
    assert_eq!(browser.sign_in("alice").await.status, StatusCode::OK);
    browser
}

async fn id(browser: &mut Browser<'_>) -> String {
    browser.session().await.json()["session"].as_str().unwrap().to_owned()
}

async fn is_in(browser: &mut Browser<'_>) -> bool {
    browser.session().await.status == StatusCode::OK
}

/// Where the texts are on the page, each after the one before.
fn in_order(page: &Answer, texts: &[&str]) {
    let mut rest = page.text.as_str();
    for text in texts {
        let (_, after) = rest.split_once(text).unwrap_or_else(|| panic!("no {text} in {rest}"));
        rest = after;
    }
}

#[tokio::test]
async fn the_list_says_device_place_address_and_times_and_begins_with_this_one() {
    let world = World::new().await;
    let mut there = alice(&world, CHROME, LINKOPING).await;
    there.session().await;
    world.clock.advance(Duration::from_secs(2 * 3600));
    let mut here = alice(&world, FIREFOX, LONDON).await;
    let page = here.open(LIST).await;
    in_order(
        &page,
        &[
            "<b>Firefox on Linux</b><span class=\"tag good\">This device</span>",
            "London, United Kingdom · 81.2.69.142",
            "active now",
            "<b>Chrome on Windows</b>",
            "Linköping, Sweden · 89.160.20.112",
            "title=\"2025-11-24 16:00 UTC\" data-as=\"ago\">2 h ago</time>",
        ],
    );
    let german = here.request("GET", LIST).header("accept-language", "de").body("".into()).unwrap();
    in_order(
        &world.send(german).await,
        &["Dieses Gerät", "Chrome unter Windows", "Linköping, Schweden", "vor 2 Std."],
    );
    let listed = here.call("GET", "/_gate/api/v1/sessions", "").await.json();
    let other = &listed["sessions"][1];
    assert_eq!((&other["city"], &other["country"]), (&"Linköping".into(), &"SE".into()));
}

/// `last active` is in memory at once; that it is written down in batches is shown in `app::tasks`.
#[tokio::test]
async fn a_use_shows_at_once_without_a_write() {
    let world = World::new().await;
    let mut browser = alice(&world, FIREFOX, LONDON).await;
    let opened = world.clock.wall();
    world.clock.advance(Duration::from_secs(600));
    let later = world.clock.wall();
    browser.session().await;
    let listed = browser.call("GET", "/_gate/api/v1/sessions", "").await.json();
    assert_eq!(listed["sessions"][0]["seen"], later.secs());
    let sid = world.sessions("alice")[0].sid;
    let stored = world.gate.store().session(&sid).await.unwrap().unwrap();
    assert_eq!(stored.seen, opened, "nothing was written");
}

#[tokio::test]
async fn revoking_asks_first_with_the_facts_and_then_that_device_is_out_at_once() {
    let world = World::new().await;
    let mut there = alice(&world, CHROME, LINKOPING).await;
    let mut here = alice(&world, FIREFOX, LONDON).await;
    let address = format!("{LIST}/{}/revoke", id(&mut there).await);
    let asked = here.open(&address).await;
    for fact in ["Chrome on Windows", "Linköping, Sweden", LINKOPING, "It is signed out at once"] {
        assert!(asked.text.contains(fact), "{fact}: {}", asked.text);
    }
    let refused = here.submit(&address, &[("form", "stale")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "R20");
    assert!(is_in(&mut there).await, "looking and stale forms end nothing");
    let done = here.submit(&address, &[("form", &asked.form())]).await;
    assert_eq!(done.location(), "/_gate/account/sessions?done=revoked");
    assert_eq!(there.session().await.reason(), "session-ended", "on its very next request (R12)");
    let list = here.open(done.location()).await;
    assert!(list.text.contains("role=\"status\">The session was revoked.") && !list.text.contains(LINKOPING));
    assert_eq!(here.open(&address).await.status, StatusCode::NOT_FOUND, "it is gone");
}

#[tokio::test]
async fn somebody_elses_session_is_as_unknown_as_none() {
    let world = World::new().await;
    let mut root = Browser::at(&world, CHROME, LINKOPING);
    root.sign_in("root").await;
    let mut alice = alice(&world, FIREFOX, LONDON).await;
    for id in [id(&mut root).await, "aaaaaaaaaaaaaaaa".into()] {
        let answer = alice.open(&format!("{LIST}/{id}/revoke")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "R32");
        assert!(!answer.text.contains(LINKOPING));
    }
}

#[tokio::test]
async fn revoking_all_others_asks_with_the_list_and_leaves_this_one() {
    let world = World::new().await;
    let mut one = alice(&world, CHROME, LINKOPING).await;
    world.clock.advance(Duration::from_secs(1));
    let mut two = alice(&world, "my-script/1.0", LONDON).await;
    let mut here = alice(&world, FIREFOX, LONDON).await;
    let asked = here.open(&format!("{LIST}/others")).await;
    in_order(
        &asked,
        &["2 other devices", "my-script/1.0", "Chrome on Windows", "This device stays signed in"],
    );
    assert!(!asked.text.contains("Firefox"));
    let done = here.submit(&format!("{LIST}/others"), &[("form", &asked.form())]).await;
    assert_eq!(done.location(), "/_gate/account/sessions?done=others");
    assert!(!is_in(&mut one).await && !is_in(&mut two).await && is_in(&mut here).await);
    let nothing = here.open(&format!("{LIST}/others")).await;
    assert!(
        nothing.text.contains("No other device is signed in")
            && !nothing.text.contains("<form method=\"post\" action=\"/_gate/account/sessions/others\"")
    );
}

#[tokio::test]
async fn revoking_this_very_session_says_so_and_leads_to_the_sign_in() {
    let world = World::new().await;
    let mut here = alice(&world, FIREFOX, LONDON).await;
    let address = format!("{LIST}/{}/revoke", id(&mut here).await);
    let asked = here.open(&address).await;
    assert!(asked.text.contains("you will have to sign in again"));
    assert_eq!(here.submit(&address, &[("form", &asked.form())]).await.location(), "/_gate/sign-in");
    assert!(!is_in(&mut here).await);
}

#[tokio::test]
async fn a_new_device_or_country_is_news_once_and_the_first_sign_in_is_not() {
    let world = World::new().await;
    world
        .change("alice", UserChange { email: Some("alice@example.com".into()), ..UserChange::default() })
        .await;
    let mut home = alice(&world, FIREFOX, LONDON).await;
    assert!(world.news().is_none(), "the first sign-in ever");
    alice(&world, FIREFOX, LONDON).await;
    assert!(world.news().is_none(), "as before");
    let mut away = alice(&world, CHROME, LINKOPING).await;
    let news = world.news().expect("a new device");
    assert_eq!((news.user.as_str(), &*news.email), ("alice", "alice@example.com"));
    assert_eq!((&*news.session.0, &*news.device), (id(&mut away).await.as_str(), "Chrome on Windows"));
    alice(&world, CHROME, LINKOPING).await;
    assert!(world.news().is_none(), "it is asked about already");
    alice(&world, FIREFOX, "2001:218::1").await;
    assert_eq!(world.news().expect("a known device in a new country").device, "Firefox on Linux");
    let page = home.open(LIST).await;
    in_order(
        &page,
        &[
            "New sign-in",
            "Firefox on Linux, Japan. Was it you?",
            "Chrome on Windows, Linköping, Sweden. Was it you?",
        ],
    );
    let stored = world.gate.store().everything().await.unwrap().users;
    let alice = stored.iter().find(|user| user.name.as_str() == "alice").unwrap();
    assert_eq!(known::unanswered(&alice.known).count(), 2, "it survives a restart");
}

#[tokio::test]
async fn yes_it_was_me_makes_the_device_known() {
    let world = World::new().await;
    let mut home = alice(&world, FIREFOX, LONDON).await;
    let mut away = alice(&world, CHROME, LINKOPING).await;
    assert!(world.news().is_some());
    let page = home.open(LIST).await;
    let address = format!("{LIST}/{}/known", id(&mut away).await);
    assert!(page.text.contains(&format!("action=\"{address}\"")), "{}", page.text);
    assert_eq!(home.submit(&address, &[("form", "stale")]).await.status, StatusCode::FORBIDDEN, "R20");
    let done = home.submit(&address, &[("form", &page.form())]).await;
    assert_eq!(done.location(), "/_gate/account/sessions?done=known");
    assert!(!home.open(LIST).await.text.contains("Was it you?"));
    assert!(is_in(&mut away).await);
    alice(&world, CHROME, LINKOPING).await;
    assert!(world.news().is_none());
}

#[tokio::test]
async fn no_it_was_not_me_ends_that_session_and_the_device_is_news_again() {
    let world = World::new().await;
    let mut home = alice(&world, FIREFOX, LONDON).await;
    let mut away = alice(&world, CHROME, LINKOPING).await;
    assert!(world.news().is_some());
    let address = format!("{LIST}/{}/revoke", id(&mut away).await);
    let asked = home.open(&address).await;
    home.submit(&address, &[("form", &asked.form())]).await;
    assert!(!is_in(&mut away).await);
    assert!(!home.open(LIST).await.text.contains("Was it you?"));
    alice(&world, CHROME, LINKOPING).await;
    assert!(world.news().is_some(), "disowned");
}

/// Even when the session has ended by itself before its owner looks.
#[tokio::test]
async fn news_of_a_session_that_is_over_can_still_be_disowned() {
    let world = World::new().await;
    let mut home = alice(&world, FIREFOX, LONDON).await;
    let mut away = alice(&world, CHROME, LINKOPING).await;
    let address = format!("{LIST}/{}/revoke", id(&mut away).await);
    away.call("POST", "/_gate/api/v1/sign-out", "{}").await;
    let asked = home.open(&address).await;
    assert!(asked.text.contains("Chrome on Windows"), "{}", asked.text);
    let answered = home.submit(&address, &[("form", &asked.form())]).await;
    assert_eq!(answered.status, StatusCode::SEE_OTHER);
    assert!(!home.open(LIST).await.text.contains("Was it you?"));
}

#[tokio::test]
async fn scripts_can_answer_as_well() {
    let world = World::new().await;
    let mut home = alice(&world, FIREFOX, LONDON).await;
    let mut away = alice(&world, CHROME, LINKOPING).await;
    let asked = id(&mut away).await;
    let listed = home.call("GET", "/_gate/api/v1/sessions", "").await.json();
    assert_eq!(listed["unanswered"], serde_json::json!([asked]));
    let address = format!("/_gate/api/v1/sessions/{asked}/known");
    assert_eq!(home.call("POST", &address, "{}").await.json()["known"], true);
    assert_eq!(home.call("POST", &address, "{}").await.status, StatusCode::NOT_FOUND, "nobody asks any more");
}

/// The link of the letter: `/_gate/not-me?t=…` without the origin.
fn link(world: &World) -> String {
    let link = world.news().expect("news").revoke;
    link.strip_prefix("https://panel.example.com").unwrap_or_else(|| panic!("{link}")).to_owned()
}

fn field(page: &Answer, name: &str) -> String {
    let after = page.text.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
    after.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_link_of_a_letter_ends_that_one_session_without_a_sign_in_but_not_by_being_looked_at() {
    let world = World::new().await;
    let mut home = alice(&world, FIREFOX, LONDON).await;
    let mut away = alice(&world, CHROME, LINKOPING).await;
    let link = link(&world);
    let mut stranger = Browser::new(&world);
    let asked = stranger.open(&link).await;
    for fact in ["the account alice", "Chrome on Windows", "Linköping, Sweden", LINKOPING] {
        assert!(asked.text.contains(fact), "{fact}: {}", asked.text);
    }
    assert!(is_in(&mut away).await, "mail programs look at links");
    let (form, t) = (asked.form(), field(&asked, "t"));
    assert_eq!(
        stranger.submit("/_gate/not-me", &[("form", "x"), ("t", &t)]).await.status,
        StatusCode::FORBIDDEN
    );
    assert!(is_in(&mut away).await, "R20");
    let done = stranger.submit("/_gate/not-me", &[("form", &form), ("t", &t)]).await;
    assert!(done.text.contains("The session was revoked"), "{}", done.text);
    assert!(!is_in(&mut away).await && is_in(&mut home).await, "that one and no other");
    assert!(stranger.jar.is_empty(), "it signs nobody in");
    assert_eq!(stranger.open(&link).await.status, StatusCode::GONE, "once");
    assert!(!home.open(LIST).await.text.contains("Was it you?"), "that is an answer");
}

#[tokio::test]
async fn a_link_lasts_a_day_and_none_can_be_made_up() {
    let world = World::new().await;
    let mut home = alice(&world, FIREFOX, LONDON).await;
    alice(&world, CHROME, LINKOPING).await;
    let link = link(&world);
    let mut stranger = Browser::new(&world);
    // A token for something else, one that was changed, and nonsense.
    let form = home.open(&format!("{LIST}/others")).await.form();
    let changed = format!("{}{}", link.trim_end_matches(|c| c != '='), "AAAA");
    for made_up in
        [format!("/_gate/not-me?t={form}"), changed, "/_gate/not-me?t=".into(), "/_gate/not-me".into()]
    {
        assert_eq!(stranger.open(&made_up).await.status, StatusCode::GONE, "R11: {made_up}");
    }
    world.clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert_eq!(stranger.open(&link).await.status, StatusCode::OK);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(stranger.open(&link).await.status, StatusCode::GONE);
}

/// Whoever has the password must not be able to fill the mailbox of its owner, and a full queue keeps nobody out.
#[tokio::test]
async fn a_flood_of_new_devices_neither_floods_the_owner_nor_stops_the_sign_in() {
    let world = World::new().await;
    alice(&world, FIREFOX, LONDON).await;
    for n in 0..8 {
        alice(&world, &format!("script-{n}/1.0"), LINKOPING).await;
    }
    let told = std::iter::from_fn(|| world.news()).count();
    assert_eq!(told, 4, "as many as wait in this test's queue");
    alice(&world, "another/1.0", LINKOPING).await;
    assert!(world.news().is_none(), "enough for this hour");
    world.clock.advance(Duration::from_secs(3600));
    alice(&world, "one-more/1.0", LINKOPING).await;
    assert!(world.news().is_some());
}
