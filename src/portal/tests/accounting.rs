//! R29: nothing is done that cannot be accounted for, and nothing is answered before it is.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use http::StatusCode;
use tokio::sync::watch;
use tracing_subscriber::{Layer, layer::SubscriberExt};

use super::support::{Browser, World, example};
use crate::{
    gate::accounts::{self, Sheet},
    portal::{accounting::HELD, routes},
    rules::{outcome::Outcome, reason::Reason},
};

/// Up to which record is on the disk; the disk has failed when there is none.
struct Disk(watch::Sender<Option<u64>>);

impl Sheet for Disk {
    fn written(&self, ticket: u64) -> BoxFuture<'_, bool> {
        let mut written = self.0.subscribe();
        async move {
            let found = written.wait_for(|to| to.is_none_or(|to| to >= ticket)).await;
            found.is_ok_and(|to| to.is_some())
        }
        .boxed()
    }
}

/// Gives a ticket to whatever is audited, and remembers what it was told about it.
#[derive(Clone)]
struct Desk {
    disk: Arc<Disk>,
    tickets: Arc<AtomicU64>,
    about: Arc<Mutex<Vec<(&'static str, String)>>>,
}

impl Desk {
    fn new(written: Option<u64>) -> Self {
        let disk = Arc::new(Disk(watch::Sender::new(written)));
        Self { disk, tickets: Arc::default(), about: Arc::default() }
    }

    fn told(&self) -> Vec<(&'static str, String)> {
        self.about.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<S: tracing::Subscriber> Layer<S> for Desk {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if event.metadata().target() != "panelgate::audit" {
            return;
        }
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed) + 1;
        let mut about = Vec::new();
        accounts::about(&mut |name, text| about.push((name, text)));
        *self.about.lock().unwrap_or_else(PoisonError::into_inner) = about;
        let sheet: Arc<dyn Sheet> = Arc::<Disk>::clone(&self.disk);
        accounts::note(&sheet, ticket);
    }
}

fn at(desk: &Desk) -> tracing::subscriber::DefaultGuard {
    tracing::subscriber::set_default(tracing_subscriber::registry().with(desk.clone()))
}

fn close(world: &World) {
    world.book.full.store(true, Ordering::Relaxed);
}

#[test]
fn every_address_that_is_held_is_one() {
    let routes = routes::guarded();
    for (method, path) in HELD {
        let route = routes.iter().find(|route| route.path == path);
        assert!(route.is_some_and(|route| route.methods.contains(&method)), "{method} {path}");
    }
}

#[tokio::test]
async fn while_nothing_can_be_written_whatever_has_to_be_is_refused_before_it_is_done() {
    let world = World::new().await;
    let mut root = Browser::new(&world);
    root.sign_in("root").await;
    root.code(&world.code()).await;
    close(&world);
    for route in routes::guarded() {
        for method in route.methods {
            let needed = *method != "GET" || route.path == "/_gate/refresh";
            if HELD.contains(&(*method, route.path)) {
                continue;
            }
            let target = example(route.path).replace("/disable", "/enable");
            let answer = root.call(method, &target, "{}").await;
            let refused = answer.status == StatusCode::SERVICE_UNAVAILABLE;
            assert_eq!(refused, needed, "{method} {target}: {} {}", answer.status, answer.text);
            if refused && route.path.starts_with("/_gate/api/") {
                let json = answer.json();
                assert_eq!(
                    (json["reason"].as_str(), json["retry_after"].as_u64()),
                    (Some("audit-unavailable"), Some(30))
                );
            }
        }
    }
    let mut alice = Browser::new(&world);
    let right = r#"{"username":"alice","password":"alice-pass"}"#;
    let answer = alice.call("POST", "/_gate/api/v1/sign-in", right).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.sessions("alice").len(), 0);
    // What the policy allows goes on, and whoever wants to go may.
    let allowed = world.decide(root.request("GET", "/users/1").body("".into()).unwrap()).await;
    assert!(matches!(allowed, Outcome::Allow(_)));
    assert_eq!(root.call("POST", "/_gate/api/v1/sign-out", "{}").await.status, StatusCode::OK);
    assert!(world.sessions("root")[0].ended.is_some());
}

#[tokio::test]
async fn the_page_says_in_both_languages_that_nothing_was_changed() {
    let world = World::new().await;
    close(&world);
    for (language, words) in [("en", "Nothing was changed"), ("de", "Es wurde nichts geändert")] {
        let request = Browser::new(&world).request("POST", "/_gate/sign-in");
        let request = request.header("accept-language", language).header("sec-fetch-site", "same-origin");
        let request = request.header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document");
        let answer = world.send(request.body("".into()).unwrap()).await;
        assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "30"));
        assert!(answer.text.contains(words), "{}", answer.text);
    }
}

#[tokio::test]
async fn r29_a_sign_in_is_answered_when_its_records_are_written() {
    let world = World::new().await;
    let desk = Desk::new(Some(0));
    let _guard = at(&desk);
    let mut alice = Browser::new(&world);
    {
        let signing_in = alice.sign_in("alice");
        tokio::pin!(signing_in);
        let early = tokio::time::timeout(Duration::from_millis(500), &mut signing_in).await;
        assert!(early.is_err(), "answered before the disk had it");
        assert!(desk.tickets.load(Ordering::Relaxed) > 0);
        desk.disk.0.send_replace(Some(u64::MAX - 1));
        assert_eq!(signing_in.await.status, StatusCode::OK);
    }
    let told = desk.told();
    let said = |name: &str| told.iter().find(|(known, _)| *known == name).map(|(_, text)| text.clone());
    assert_eq!(said("client").as_deref(), Some("192.0.2.7"));
    assert!(said("decision").is_some_and(|id| !id.is_empty()), "{told:?}");
}

#[tokio::test]
async fn r29_what_the_disk_did_not_take_is_never_answered_as_done() {
    let world = World::new().await;
    let desk = Desk::new(None);
    let _guard = at(&desk);
    let mut alice = Browser::new(&world);
    let right = r#"{"username":"alice","password":"alice-pass"}"#;
    let answer = alice.call("POST", "/_gate/api/v1/sign-in", right).await;
    assert_eq!((answer.status, &*answer.reason()), (StatusCode::SERVICE_UNAVAILABLE, "audit-unavailable"));
    assert_eq!(answer.set_cookies(), [""; 0], "the session is nobody's");
    let wrong = alice.call("POST", "/_gate/api/v1/sign-in", r#"{"username":"alice","password":"no"}"#).await;
    assert_eq!(wrong.status, StatusCode::SERVICE_UNAVAILABLE, "a refusal of a password, too");
}

#[tokio::test]
async fn r29_a_write_on_somebodys_behalf_waits_for_its_record_and_is_refused_without() {
    let world = World::new().await;
    let mut admin = Browser::new(&world);
    admin.sign_in("admin").await;
    let body = r#"{"username":"alice","reason":"ticket 7","write":true}"#;
    assert_eq!(admin.call("POST", "/_gate/api/v1/impersonation", body).await.status, 200);
    let write = || admin.request("POST", "/domains/1").body("".into()).unwrap();
    assert!(matches!(world.decide(write()).await, Outcome::Allow(_)));
    {
        let desk = Desk::new(None);
        let _guard = at(&desk);
        let refused = world.decide(write()).await;
        assert!(matches!(refused, Outcome::Unavailable(Reason::AuditUnavailable)));
        let read = world.decide(admin.request("GET", "/domains/1").body("".into()).unwrap()).await;
        assert!(matches!(read, Outcome::Allow(_)), "looking needs no record");
    }
    close(&world);
    assert!(matches!(world.decide(write()).await, Outcome::Unavailable(Reason::AuditUnavailable)));
    // Leaving is not refused.
    assert_eq!(admin.call("DELETE", "/_gate/api/v1/impersonation", "").await.status, 200);
}
