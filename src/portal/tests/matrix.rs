//! Who can do what, for every address of the router and some pages of the panel: compared with `matrix.txt`, line by
//! line. A new address fails here until it is in that file:
//! `cargo test --lib write_the_matrix -- --ignored` writes it, and the diff is for reading.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use axum::body::Body;
use http::StatusCode;
use serde_json::json;

use super::support::{Answer, Browser, World, example, id, rules};
use crate::{
    portal::routes::{self, Route},
    rules::{
        api_key::{ApiKey, KeyText},
        outcome::Outcome,
        policy::RuleSet,
        session::{Elevation, Factor, Impersonation, SessionChange},
    },
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/portal/tests/matrix.txt");
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// Pages of the panel, each with a method that looks and one that changes.
const PANEL: [&str; 4] = ["/domains/1", "/users/1", "/system/1", "/unheard-of"];

/// What a request is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Caller {
    Nobody,
    /// The cookie between password and code.
    Pending,
    User,
    UserElevated,
    Reseller,
    /// A role that needs a second factor, without one.
    AdminBare,
    Admin,
    AdminElevated,
    Root,
    RootElevated,
    /// Elevated root, acting as the user.
    Acting,
    /// An API key of the administrator with every scope.
    Key,
}

const CALLERS: [(Caller, &str); 12] = [
    (Caller::Nobody, "nobody"),
    (Caller::Pending, "pending"),
    (Caller::User, "user"),
    (Caller::UserElevated, "user+"),
    (Caller::Reseller, "reseller"),
    (Caller::AdminBare, "admin-without-2fa"),
    (Caller::Admin, "admin"),
    (Caller::AdminElevated, "admin+"),
    (Caller::Root, "root"),
    (Caller::RootElevated, "root+"),
    (Caller::Acting, "acting"),
    (Caller::Key, "key"),
];

#[tokio::test]
async fn every_address_answers_every_caller_as_the_table_says() {
    let (table, found) = (std::fs::read_to_string(FILE).unwrap(), matrix().await);
    for (expected, found) in table.lines().zip(found.lines()) {
        assert_eq!(expected, found, "see matrix.rs for how to write the table anew");
    }
    assert_eq!(table.lines().count(), found.lines().count(), "see matrix.rs for how to write the table anew");
}

#[tokio::test]
#[ignore = "writes the table"]
async fn write_the_matrix() {
    std::fs::write(FILE, matrix().await).unwrap();
}

/// R11: before the second factor nothing opens but the second factor, whatever the table says.
#[tokio::test]
async fn the_cookie_between_password_and_code_opens_nothing_but_the_second_factor() {
    let scene = Scene::new().await;
    for (path, method) in addresses() {
        let pending = scene.ask(Caller::Pending, path, method).await;
        let nobody = scene.ask(Caller::Nobody, path, method).await;
        let its_own = matches!(path, "/_gate/second-factor" | "/_gate/api/v1/second-factor");
        // Signing in again is as open to it as to anybody.
        assert!(its_own || pending == nobody, "{method} {path}: {pending}, but {nobody} for nobody");
    }
    for page in PANEL {
        assert_eq!(
            scene.page(Caller::Pending, page, "GET").await,
            scene.page(Caller::Nobody, page, "GET").await
        );
    }
}

/// An API key is for the panel, never for the portal.
#[tokio::test]
async fn an_api_key_opens_no_address_that_is_not_open_to_nobody() {
    let scene = Scene::new().await;
    for (path, method) in addresses() {
        let nobody = scene.ask(Caller::Nobody, path, method).await;
        assert_eq!(scene.ask(Caller::Key, path, method).await, nobody, "{method} {path}");
    }
}

/// Whatever else they answer, accounts and administration are for those who are signed in, and for the right ones.
#[tokio::test]
async fn accounts_and_administration_are_closed_to_the_wrong_callers() {
    let scene = Scene::new().await;
    for (path, method) in addresses() {
        let own = path.starts_with("/_gate/account/");
        let admin = path.contains("/admin/");
        let wrong: &[Caller] = match () {
            () if admin => &[
                Caller::Nobody,
                Caller::Pending,
                Caller::User,
                Caller::UserElevated,
                Caller::Reseller,
                Caller::AdminBare,
                Caller::Key,
            ],
            () if own => &[Caller::Nobody, Caller::Pending, Caller::Key],
            () => continue,
        };
        for caller in wrong {
            let answer = scene.ask(*caller, path, method).await;
            let refused = ["302 sign-in", "302 step-up", "302 account/two-factor", "401", "403"]
                .iter()
                .any(|no| answer.starts_with(no));
            assert!(refused, "{method} {path}: {answer} for {caller:?}");
        }
    }
}

/// What an address does not answer to, it answers to for nobody.
#[tokio::test]
async fn every_other_method_is_not_there() {
    let scene = Scene::new().await;
    let routes: Vec<Route> = routes::guarded();
    for route in &routes {
        let there = |method: &str| {
            route.methods.contains(&method) || (method == "HEAD" && route.methods.contains(&"GET"))
        };
        for method in METHODS.into_iter().filter(|method| !there(method)) {
            for caller in [Caller::Nobody, Caller::RootElevated] {
                let answer = scene.ask(caller, route.path, method).await;
                assert!(answer.starts_with("405"), "{method} {}: {answer} for {caller:?}", route.path);
            }
        }
    }
}

fn addresses() -> Vec<(&'static str, &'static str)> {
    let routes = routes::guarded().into_iter().chain([routes::refused()]);
    routes.flat_map(|route| route.methods.iter().map(move |method| (route.path, *method))).collect()
}

async fn matrix() -> String {
    let mut text = String::from(
        "# What each address answers to whom; a form or body that says nothing is sent where one is needed, so that\n\
         # `stale-form`, `422` and `404` mean that the caller would have been let in. `+`: second factor just proved.\n\
         # `acting`: elevated root as the user. `key`: an API key of the administrator with every scope.\n",
    );
    let (mut scene, mut spent) = (Scene::new().await, false);
    for (path, method) in addresses() {
        // What is done at one address must not be felt at the next; looking does nothing.
        let acts = method != "GET" || path == "/_gate/refresh";
        if std::mem::replace(&mut spent, acts) || acts {
            scene = Scene::new().await;
        }
        let mut found = Vec::new();
        for (caller, _) in CALLERS {
            found.push((caller, scene.ask(caller, path, method).await));
        }
        block(&mut text, &format!("{method} {path}"), &found);
    }
    let scene = Scene::new().await;
    for page in PANEL {
        for method in ["GET", "POST"] {
            let mut found = Vec::new();
            for (caller, _) in CALLERS {
                found.push((caller, scene.page(caller, page, method).await));
            }
            block(&mut text, &format!("panel {method} {page}"), &found);
        }
    }
    text
}

/// An address, and below it each answer with those who get it.
fn block(text: &mut String, title: &str, found: &[(Caller, String)]) {
    let name = |caller| CALLERS.iter().find(|(known, _)| *known == caller).unwrap().1;
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (caller, answer) in found {
        match groups.iter_mut().find(|(known, _)| known == answer) {
            Some((_, callers)) => callers.push(name(*caller)),
            None => groups.push((answer, vec![name(*caller)])),
        }
    }
    writeln!(text, "\n{title}").unwrap();
    for (answer, callers) in groups {
        writeln!(text, "    {answer:<34} {}", callers.join(" ")).unwrap();
    }
}

/// A world with everybody in it.
struct Scene {
    world: World,
    jars: BTreeMap<Caller, BTreeMap<String, String>>,
    key: String,
}

impl Scene {
    async fn new() -> Self {
        let world = World::with(
            |site| {
                site.policy = std::sync::Arc::new(policy());
                // So that somebody can be signed in with a second factor and not be elevated.
                site.second_factor.sign_in_elevates = false;
            },
            1000,
        )
        .await;
        let mut jars = BTreeMap::new();
        for (caller, name, role, enrolled) in [
            (Caller::User, "u", "user", false),
            (Caller::UserElevated, "ue", "user", true),
            (Caller::Reseller, "r", "reseller", false),
            (Caller::AdminBare, "ab", "admin", false),
            (Caller::Admin, "ad", "admin", true),
            (Caller::AdminElevated, "ae", "admin", true),
            (Caller::Root, "ro", "root", true),
            (Caller::RootElevated, "re", "root", true),
            (Caller::Acting, "ra", "root", true),
        ] {
            world.add_as(name, role, enrolled).await;
            let mut browser = Browser::new(&world);
            assert_eq!(browser.sign_in(name).await.status, StatusCode::OK, "{name}");
            if matches!(
                caller,
                Caller::UserElevated | Caller::AdminElevated | Caller::RootElevated | Caller::Acting
            ) {
                elevate(&world, name).await;
            }
            if caller == Caller::Acting {
                act(&world, name, "u").await;
            }
            jars.insert(caller, browser.jar);
        }
        let mut pending = Browser::new(&world);
        let body = json!({ "username": "ad", "password": "ad-pass" }).to_string();
        let answer = pending.call("POST", "/_gate/api/v1/sign-in", &body).await;
        assert_eq!(answer.json()["state"], "second-factor");
        jars.insert(Caller::Pending, pending.jar);
        jars.insert(Caller::Nobody, BTreeMap::new());
        jars.insert(Caller::Key, BTreeMap::new());
        let key = key(&world, "ad").await;
        Self { world, jars, key }
    }

    /// What an address of the gate says.
    async fn ask(&self, caller: Caller, path: &str, method: &str) -> String {
        let call = path.contains("/api/") || (path == "/_gate/refresh" && method != "GET");
        let target = example(&path.replace("{name}", "u"));
        assert!(!target.contains('{'), "say what {path} is filled in with");
        let mut request = self
            .request(caller, method, &target)
            .header("sec-fetch-site", "same-origin")
            .header("sec-fetch-mode", if call { "cors" } else { "navigate" });
        let mut body = Body::empty();
        if call {
            (request, body) = (request.header("content-type", "application/json"), Body::from("{}"));
        } else {
            request = request.header("sec-fetch-dest", "document");
            if method != "GET" {
                request = request.header("content-type", "application/x-www-form-urlencoded");
                body = Body::from("form=forged");
            }
        }
        told(&self.world.send(request.body(body).unwrap()).await)
    }

    /// What the gate says about a page of the panel.
    async fn page(&self, caller: Caller, path: &str, method: &str) -> String {
        let request = self.request(caller, method, path).body(Body::empty()).unwrap();
        match self.world.decide(request).await {
            Outcome::Allow(grant) => {
                format!("{} for {}", grant.access(), grant.bearer().map_or("", |b| &b.role))
            }
            Outcome::SignIn(reason) => format!("sign-in {}", reason.code()),
            Outcome::StepUp { readable } => format!("step-up{}", if readable { " or look" } else { "" }),
            Outcome::Deny(reason) => format!("deny {}", reason.code()),
            other @ (Outcome::Throttle { .. } | Outcome::Unavailable(_) | Outcome::BadRequest(_)) => {
                format!("{other:?}")
            }
        }
    }

    fn request(&self, caller: Caller, method: &str, target: &str) -> http::request::Builder {
        let mut browser = Browser::new(&self.world);
        browser.jar.clone_from(&self.jars[&caller]);
        let request: http::request::Builder = browser.request(method, target);
        if caller == Caller::Key { request.header("x-api-key", &self.key) } else { request }
    }
}

/// Status, and where it leads or why it refuses.
fn told(answer: &Answer) -> String {
    let status = answer.status.as_u16();
    let location = answer.location();
    if !location.is_empty() {
        let path = location.trim_start_matches("https://panel.example.com");
        let path = path.split('?').next().unwrap_or_default().trim_start_matches("/_gate/");
        return format!("{status} {path}");
    }
    let why = match answer.header("content-type") {
        _ if answer.status.is_success() || answer.text.is_empty() => String::new(),
        "application/problem+json" => answer.reason(),
        _ if answer.text.contains("was open for too long") => "stale-form".to_owned(),
        _ => heading(&answer.text),
    };
    format!("{status} {why}").trim_end().to_owned()
}

/// `<h1>Not while impersonating</h1>` → `not-while-impersonating`.
fn heading(page: &str) -> String {
    let start = page.split("<h1>").nth(1).unwrap_or_default();
    let heading = start.split("</h1>").next().unwrap_or_default().to_lowercase();
    heading.replace("&#39;", "").replace(' ', "-")
}

async fn elevate(world: &World, name: &str) {
    let now = world.gate.moment().wall;
    let elevation = Elevation { at: now, by: Factor::Totp };
    let written = world.gate.store().elevate(world.sessions(name)[0].sid, elevation).await.unwrap();
    assert!(world.gate.settled(written).await);
}

async fn act(world: &World, operator: &str, user: &str) {
    let now = world.gate.moment().wall;
    let until = now.plus(Duration::from_secs(600));
    let acting = Impersonation { user: id(user), reason: "support".into(), write: false, since: now, until };
    let change = SessionChange { impersonation: Some(Some(acting)), ..SessionChange::default() };
    let sid = world.sessions(operator)[0].sid;
    let written = world.gate.store().change_session(sid, change, now).await.unwrap();
    assert!(world.gate.settled(written).await);
}

async fn key(world: &World, owner: &str) -> String {
    let text = KeyText::generate([8; 32]);
    let key = ApiKey {
        id: text.id(),
        user: id(owner),
        site: "panel".into(),
        name: "all".into(),
        scopes: policy().scopes().into_iter().collect(),
        created: world.gate.moment().wall,
        expires: None,
        used: None,
    };
    let written = world.gate.store().add_key(key).await.unwrap();
    assert!(world.gate.settled(written).await);
    text.expose().to_owned()
}

/// The sample panel's policy, as the demo has it.
fn policy() -> RuleSet {
    rules(&json!({
        "version": 1,
        "roles": ["root", "admin", "reseller", "user"],
        "elevation": { "lasts": "15m" },
        "require_2fa": ["admin"],
        "pages": [
            { "name": "domains", "paths": ["/domains/**"], "scopes": { "read": "domains:read", "write": "domains:write" },
              "access": { "root": "full", "admin": "full", "reseller": "full", "user": "full" } },
            { "name": "user-management", "paths": ["/users/**"], "scopes": { "read": "users:read", "write": "users:write" },
              "access": { "root": { "unelevated": "read", "elevated": "full" },
                          "admin": { "unelevated": "none", "elevated": "full" }, "reseller": "read", "user": "none" } },
            { "name": "system", "paths": ["/system/**"],
              "access": { "root": { "unelevated": "none", "elevated": "full" }, "admin": "none", "reseller": "none", "user": "none" } },
        ],
    }))
}
