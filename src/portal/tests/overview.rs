//! The overview, and the decisions.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http::StatusCode;
use serde_json::json;
use tokio::sync::mpsc;

use super::support::{Answer, Browser, World};
use crate::{
    clock::Wall,
    gate::journal::{Archive, Item, Wanted},
    live::{Live, ReloadProblem, ReloadState},
    rules::{
        outcome::DecisionId,
        record::{Record, Span},
        session::SiteId,
    },
};

const OVERVIEW: &str = "/_gate/admin/overview";
const DECISIONS: &str = "/_gate/admin/decisions";
const CALL: &str = "/_gate/api/v1/admin/decisions";

/// A journal in memory.
pub(super) struct Shelf {
    live: Arc<Live>,
    queue: Mutex<(mpsc::Receiver<Item>, Vec<Record>)>,
}

impl Shelf {
    pub(super) fn start(live: &Arc<Live>) -> (mpsc::Sender<Item>, Arc<dyn Archive>) {
        let (sender, receiver) = mpsc::channel(10_000);
        let shelf = Self { live: Arc::clone(live), queue: Mutex::new((receiver, Vec::new())) };
        (sender, Arc::new(shelf))
    }

    fn records(&self) -> Vec<Record> {
        let mut queue = self.queue.lock().unwrap();
        while let Ok(item) = queue.0.try_recv() {
            if let Item::Decision(entry) = item {
                entry.tried(&self.live).into_iter().for_each(|tried| self.live.shadows.count(tried));
                let record = entry.into_record(&self.live);
                self.live.traffic.count(&record);
                queue.1.push(record);
            }
        }
        queue.1.clone()
    }
}

#[async_trait]
impl Archive for Shelf {
    async fn find(&self, id: DecisionId) -> Vec<Record> {
        self.records().into_iter().filter(|record| record.decision == id).collect()
    }

    async fn latest(&self, wanted: Wanted) -> Vec<Record> {
        let mut found: Vec<Record> =
            self.records().into_iter().filter(|record| wanted.takes(record)).collect();
        found.reverse();
        found.truncate(wanted.most);
        found
    }

    async fn since(&self, site: SiteId, since: Wall, _: usize) -> Vec<Record> {
        self.records().into_iter().filter(|record| record.is_of(&site) && record.at >= since).collect()
    }

    async fn span(&self) -> Span {
        let oldest = self.records().iter().map(|record| record.at).min();
        Span { refused: oldest, ..Span::default() }
    }

    async fn settle(&self) {}
}

async fn signed_in<'w>(world: &'w World, name: &str) -> Browser<'w> {
    let mut browser = Browser::new(world);
    assert_eq!(browser.sign_in(name).await.status, StatusCode::OK);
    browser
}

/// What a browser is told that may not, and the name of the decision.
async fn refusal(world: &World, browser: &mut Browser<'_>, target: &str, mode: &str) -> (Answer, String) {
    let request = browser.request("GET", target).header("sec-fetch-mode", mode);
    let answer = world.refused(request.body("".into()).unwrap()).await;
    let id = match mode {
        "navigate" => answer.text.split("<code>").nth(1).unwrap().split("</code>").next().unwrap().to_owned(),
        _ => answer.json()["decision"].as_str().unwrap().to_owned(),
    };
    (answer, id)
}

#[tokio::test]
async fn an_administrator_sees_why_somebody_was_refused_and_what_would_have_allowed_it() {
    let world = World::new().await;
    let mut alice = signed_in(&world, "alice").await;
    let (page, id) = refusal(&world, &mut alice, "/users/7?secret=x", "navigate").await;
    assert!(!page.text.contains("/_gate/admin/decisions"), "not for her");
    let mut admin = signed_in(&world, "admin").await;
    let typed = id.to_lowercase().replace('-', "").replace('0', "o");
    let page = admin.open(&format!("{DECISIONS}?id={typed}")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    for part in [
        id.as_str(),
        "role-lacks-access",
        "https://panel.example.com/users/7<",
        "alice, alice",
        "user-management, ",
        "the role root",
        "192.0.2.7",
    ] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    assert!(!page.text.contains("secret") && !page.text.contains("style="));
    let call = admin.call("GET", &format!("{CALL}?id={id}"), "").await.json();
    assert_eq!(call["decisions"][0]["who"]["user"], json!("alice"));
    assert_eq!(call["decisions"][0]["request"]["path"], json!("/users/7"));
    assert_eq!(call["now"]["same_policy"], json!(true));

    let listed = admin.open(&format!("{DECISIONS}?reason=role-lacks-access&user=Alice")).await;
    assert!(listed.text.contains(&format!("{DECISIONS}?id={id}")), "{}", listed.text);
    let other = admin.open(&format!("{DECISIONS}?reason=no-page")).await;
    assert!(other.text.contains("There is none."));
    assert_eq!(
        admin.call("GET", &format!("{CALL}?user=alice"), "").await.json()["decisions"][0]["decision"],
        json!(id)
    );
}

#[tokio::test]
async fn of_an_ambiguous_path_the_page_says_that_nobody_was_looked_at_and_how_to_spell_it() {
    let world = World::new().await;
    let mut admin = signed_in(&world, "admin").await;
    let (_, id) = refusal(&world, &mut admin, "/users//7", "cors").await;
    let page = admin.open(&format!("{DECISIONS}?id={id}")).await;
    for part in ["ambiguous-target", "the credential was not looked at", "Spelling the path plainly"] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    assert!(!page.text.contains("no role has this"), "{}", page.text);
}

/// R32: every object is looked at before it is shown.
#[tokio::test]
async fn nobody_sees_the_decisions_of_those_above_or_without_the_right() {
    let world = World::new().await;
    let mut root = signed_in(&world, "root").await;
    let (_, id) = refusal(&world, &mut root, "/nowhere", "cors").await;
    let mut admin = signed_in(&world, "admin").await;
    assert_eq!(admin.open(&format!("{DECISIONS}?id={id}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.call("GET", &format!("{CALL}?id={id}"), "").await.status, StatusCode::NOT_FOUND);
    assert!(!admin.open(DECISIONS).await.text.contains(&id));
    assert_eq!(root.open(&format!("{DECISIONS}?id={id}")).await.status, StatusCode::OK);
    let mut alice = signed_in(&world, "alice").await;
    for page in [OVERVIEW, DECISIONS, CALL] {
        assert_eq!(alice.open(page).await.status, StatusCode::FORBIDDEN, "{page}");
    }
}

#[tokio::test]
async fn an_unknown_name_is_answered_with_what_the_journal_covers() {
    let world = World::new().await;
    let mut admin = signed_in(&world, "admin").await;
    refusal(&world, &mut admin, "/nowhere", "cors").await;
    for id in ["0000-0000", "nonsense%20%3Cb%3E"] {
        let page = admin.open(&format!("{DECISIONS}?id={id}")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        assert!(
            page.text.contains("Refusals are there since 20") && !page.text.contains("<b>"),
            "{}",
            page.text
        );
    }
}

#[tokio::test]
async fn an_administrator_is_led_from_the_refusal_to_its_decision() {
    let world = World::new().await;
    let root = signed_in(&world, "root").await;
    let request = root.request("GET", "/nowhere").header("sec-fetch-mode", "navigate");
    let page = world.refused_to(request.body("".into()).unwrap()).await;
    let id = page.text.split("<code>").nth(1).unwrap().split("</code>").next().unwrap();
    assert!(page.text.contains(&format!("{DECISIONS}?id={id}")), "{}", page.text);
}

#[tokio::test]
async fn what_the_portal_refuses_has_a_name_that_is_found() {
    let world = World::new().await;
    let mut admin = signed_in(&world, "admin").await;
    let mut stranger = Browser::new(&world);
    let forged = stranger.request("POST", "/_gate/sign-in").header("sec-fetch-site", "cross-site");
    let forged = world.send(forged.header("sec-fetch-mode", "cors").body("".into()).unwrap()).await;
    let mut alice = signed_in(&world, "alice").await;
    let denied = alice.call("GET", CALL, "").await;
    let signed_out = stranger.call("GET", "/_gate/api/v1/sessions", "").await;
    let unread = alice.call("POST", "/_gate/api/v1/password/strength", "[]").await;
    for (answer, detail) in [
        (forged, "cross-site"),
        (denied, "role-lacks-access"),
        (signed_out, "no-credential"),
        (unread, "bad-body"),
    ] {
        let id = answer.json()["decision"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned();
        let found = admin.call("GET", &format!("{CALL}?id={id}"), "").await.json();
        let decision = &found["decisions"][0];
        let told = [decision["reason"].as_str(), decision["detail"].as_str()];
        assert!(told.contains(&Some(detail)), "{detail}: {found}");
    }
}

#[tokio::test]
async fn the_overview_counts_what_happened_and_draws_it() {
    let world = World::new().await;
    let mut alice = signed_in(&world, "alice").await;
    let mut admin = signed_in(&world, "admin").await;
    let empty = admin.open(OVERVIEW).await;
    assert!(empty.text.contains("No requests in this time."), "{}", empty.text);
    for _ in 0..3 {
        refusal(&world, &mut alice, "/users/7", "cors").await;
    }
    world.decide(alice.request("GET", "/domains/1").body("".into()).unwrap()).await;
    let call = admin.call("GET", "/_gate/api/v1/admin/overview", "").await.json();
    assert_eq!((&call["hour"]["requests"], &call["hour"]["refused"]), (&json!(4), &json!(3)));
    assert_eq!(call["day"]["pages"], json!([{ "page": "user-management", "count": 3 }]));
    assert_eq!(call["day"]["reasons"], json!([{ "reason": "role-lacks-access", "count": 3 }]));
    assert_eq!((&call["sessions"], &call["elevated"]), (&json!(2), &json!(1)));
    let page = admin.open(OVERVIEW).await;
    for part in [
        "role=\"img\" aria-label=\"The last hour: 4 requests, 3 of them refused.",
        "class=\"refused\" d=\"M",
        "User management",
        "aria-current=\"page\">Overview",
        "?reason=role-lacks-access",
    ] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    assert!(!page.text.contains("style=") && page.text.len() < 30 * 1024);
    assert_eq!(admin.open("/_gate/admin").await.location(), OVERVIEW);
}

#[tokio::test]
async fn what_is_not_in_force_and_what_waits_for_a_restart_is_shown() {
    let world = World::new().await;
    let mut admin = signed_in(&world, "admin").await;
    let quiet = admin.open(OVERVIEW).await;
    assert!(!quiet.text.contains("role=\"alert\""), "{}", quiet.text);
    let live = world.gate.live();
    let problem = |what: &str| ReloadProblem { at: Wall::from_secs(1_800_000_000), what: what.into() };
    live.note_stale("certificates", Some(problem("panel.crt <b>is not PEM")));
    live.reload.rcu(|state| ReloadState {
        problem: Some(problem("error: policy.yaml:3:1")),
        waiting: vec!["edge.listen".into()],
        ..ReloadState::clone(state)
    });
    let page = admin.open(OVERVIEW).await;
    for part in [
        "The newest configuration is not in force",
        "error: policy.yaml:3:1",
        "What is there now cannot be used: certificates",
        "panel.crt &#60;b&#62;is not PEM",
        "count only after a restart: edge.listen",
    ] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    let call = admin.call("GET", "/_gate/api/v1/admin/overview", "").await.json();
    assert_eq!(call["waiting"], json!(["edge.listen"]));
    assert_eq!(call["stale"][0]["what"], json!("certificates"));
}
