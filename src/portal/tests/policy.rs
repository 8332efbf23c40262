//! The policy, as administrators read it.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::support::{Browser, World, policy_with, rules};
use crate::{
    clock::Wall,
    live::ReloadState,
    rules::{
        policy::{
            RuleSet,
            testing::{Beside, Suite},
        },
        written::{Findings, Node},
    },
};

const PAGE: &str = "/_gate/admin/policy";
const SHADOW: &str = "/_gate/admin/policy/shadow";
const EXPLAIN: &str = "/_gate/admin/policy/explain";
const TESTS: &str = "/_gate/admin/policy/tests";
const CALL: &str = "/_gate/api/v1/admin/policy";

async fn signed_in<'w>(world: &'w World, name: &str) -> Browser<'w> {
    let mut browser = Browser::new(world);
    assert_eq!(browser.sign_in(name).await.status, StatusCode::OK);
    browser
}

/// One page with everything that can be said of it.
fn rich() -> RuleSet {
    rules(&json!({
        "version": 1,
        "roles": ["root", "admin", "alice"],
        "elevation": { "lasts": "15m" },
        "require_2fa": ["root"],
        "default": "read",
        "pages": [{
            "name": "users", "paths": ["/users/**", "/api/users"],
            "reads": ["POST /users/search"], "writes": ["GET /users/*/login-as"],
            "when": { "networks": ["192.0.2.0/24"], "countries": ["SE"], "hours": "Mon-Fri 07:00-19:00 Europe/Berlin" },
            "lasts": "5m", "limit": "30/min per session", "anonymous": "read",
            "allow_in_path": ["%2F"], "scopes": { "read": "users:read" },
            "access": {
                "root": { "unelevated": "read", "elevated": "full" },
                "admin": { "unelevated": "none", "elevated": "full", "when": { "methods": ["GET", "POST"] }, "lasts": "2m" },
            },
        }],
    }))
}

#[tokio::test]
async fn the_table_says_what_each_role_may_do_and_on_which_terms() {
    let world = World::with(|site| site.policy = Arc::new(rich()), 1000).await;
    let mut admin = signed_in(&world, "admin").await;
    let page = admin.open(PAGE).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    for part in [
        r#"<caption class="dim">Access before the second factor"#,
        r#"<th scope="col">admin<br><span class="dim">administers</span></th>"#,
        "reaches nothing before a second factor is set up",
        r#"<th scope="row">users<br><code>/api/users</code> <code>/users/**</code>"#,
        r#"aria-label="read before the second factor, full after it"><span class="access read">read</span> → <span class="access full">full</span>"#,
        r#"<span class="access none">none</span> → <span class="access full">full</span></span><br><span class="dim">Only with GET, POST</span><br><span class="dim">A second factor counts for 2m</span>"#,
        "Open to everybody: read",
        "Only from 192.0.2.0/24",
        "Only in SE",
        "Only Mon-Fri 07:00-19:00 Europe/Berlin",
        "A second factor counts for 5m",
        "At most 30/min per session",
        "Only looks: POST /users/search",
        "Changes something: GET /users/*/login-as",
        "API keys look with users:read",
        "Allowed in paths: %2F",
        "Everything else",
        "aria-current=\"page\">Policy",
    ] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    assert!(!page.text.contains("style=") && !page.text.contains("API keys change"));
    let german = admin.request("GET", PAGE).header("accept-language", "de").body("".into()).unwrap();
    let german = world.send(german).await;
    assert!(german.text.contains("ansehen vor dem zweiten Faktor, alles danach"), "{}", german.text);
    let call = admin.call("GET", CALL, "").await.json();
    let users = &call["pages"][0];
    assert_eq!(users["access"]["admin"]["unelevated"], json!("none"));
    assert_eq!(users["access"]["admin"]["when"], json!({ "methods": "GET, POST" }));
    assert_eq!((&users["paths"], &users["anonymous"]), (&json!(["/api/users", "/users/**"]), &json!("read")));
}

#[tokio::test]
async fn what_is_in_force_is_said_with_what_waits_and_what_is_wrong() {
    let world = World::new().await;
    world.gate.live().reload.store(Arc::new(ReloadState {
        at: Wall::from_secs(1_764_000_000),
        digest: "0123456789ab".into(),
        changes: vec!["user-management: <admin>, change".into()],
        waiting: vec!["sidecar.listen".into()],
        problem: Some(crate::live::ReloadProblem {
            at: Wall::from_secs(1_764_000_060),
            what: "policy.yaml:3:1: error[P017]: unknown role".into(),
        }),
        done: 1,
        failed: 1,
        ..ReloadState::default()
    }));
    let mut admin = signed_in(&world, "admin").await;
    let page = admin.open(PAGE).await;
    for part in [
        "0123456789ab",
        "2025-11-24 16:00 UTC",
        "user-management: &#60;admin&#62;, change",
        "sidecar.listen",
        "error[P017]",
        "Waiting for a restart",
    ] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    let call = admin.call("GET", CALL, "").await.json();
    assert_eq!((&call["waiting"], &call["digest"]), (&json!(["sidecar.listen"]), &json!("0123456789ab")));
    assert_eq!(call["problem"]["at"], json!(1_764_000_060));
}

/// `user-management` is closed to root before the second factor, and open to alice.
fn next() -> RuleSet {
    policy_with(
        "pages",
        json!([
            { "name": "domains", "paths": ["/domains/**"], "access": { "root": "full", "admin": "full", "alice": "full" } },
            { "name": "user-management", "paths": ["/users/**"], "lasts": "5m", "access": {
                "root": { "unelevated": "none", "elevated": "full" }, "admin": "full", "alice": "read" } },
        ]),
    )
    .compiled_from(b"next")
}

#[tokio::test]
async fn what_the_candidate_would_change_stands_beside_what_it_would_have_changed() {
    let world = World::with(|site| site.shadow = Some(Arc::new(next())), 1000).await;
    let alice = signed_in(&world, "alice").await;
    let root = signed_in(&world, "root").await;
    for target in ["/users/7?secret=1", "/users/8", "/domains/1"] {
        world.decide(alice.request("GET", target).body("".into()).unwrap()).await;
    }
    world.clock.advance(std::time::Duration::from_secs(400));
    world.decide(root.request("GET", "/users/9").body("".into()).unwrap()).await;
    let mut admin = signed_in(&world, "admin").await;
    let call = admin.call("GET", &format!("{CALL}/shadow"), "").await.json();
    assert_eq!(
        (&call["decisions"], &call["agreed"], &call["beyond"]),
        (&json!(4), &json!(1), &json!(0)),
        "{call}"
    );
    let brief = |flip: &Value| {
        let text = |key: &str| flip[key].as_str().unwrap_or("-").to_owned();
        (
            text("role"),
            text("answer"),
            text("answer_of_candidate"),
            text("effect"),
            flip["count"].clone(),
            text("request"),
        )
    };
    let flips: Vec<_> = call["disagreements"].as_array().unwrap().iter().map(brief).collect();
    let flip = |role: &str, now: &str, then: &str, effect: &str, count: u64, request: &str| {
        (role.into(), now.into(), then.into(), effect.into(), json!(count), request.into())
    };
    let (alices, roots) = (
        flip("alice", "refused (role-lacks-access)", "allowed (read)", "opens", 2, "GET /users/8"),
        // What root did is counted, and is nobody's business below (R32).
        flip("root", "allowed (read)", "must verify", "closes", 1, "-"),
    );
    assert_eq!(flips, [alices, roots]);
    assert!(call["differences"]["changes"].as_array().unwrap().len() > 3, "{call}");

    let page = admin.open(SHADOW).await;
    let id = call["disagreements"][0]["decision"].as_str().unwrap();
    for part in [
        "4 decisions compared since",
        "<td>refused (role-lacks-access)</td><td>allowed (read)</td><td>2</td>",
        r#"<span class="effect opens">opens</span>"#,
        "GET /users/8",
        &format!("/_gate/admin/decisions?id={id}"),
        "somebody who is not below you",
        "All that it would change",
        "alice<br><span class=\"dim\">look",
    ] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    assert!(!page.text.contains("secret") && !page.text.contains("/users/9"));
    let mut root = signed_in(&world, "root").await;
    assert!(root.open(SHADOW).await.text.contains("GET /users/9"));
}

#[tokio::test]
async fn without_a_candidate_it_is_said_how_to_try_one() {
    let world = World::new().await;
    let mut admin = signed_in(&world, "admin").await;
    let page = admin.open(SHADOW).await;
    assert!(page.text.contains("No candidate is being tried."), "{}", page.text);
    let call = admin.call("GET", &format!("{CALL}/shadow"), "").await.json();
    assert_eq!(call["candidate"], Value::Null);
    let mut alice = signed_in(&world, "alice").await;
    for page in [PAGE, SHADOW, EXPLAIN, TESTS, CALL] {
        assert_eq!(alice.open(page).await.status, StatusCode::FORBIDDEN, "{page}");
    }
}

#[tokio::test]
async fn a_request_is_explained_with_what_would_make_it_a_yes() {
    let world = World::with(|site| site.policy = Arc::new(rich()), 1000).await;
    let mut admin = signed_in(&world, "admin").await;
    let empty = admin.open(EXPLAIN).await;
    assert!(empty.status == StatusCode::OK && !empty.text.contains("id=\"answer\""), "{}", empty.text);

    let query = "role=admin&method=DELETE&path=%2Fusers%2F7%3Fsecret%3D1&elevated=5m+ago&from=89.160.20.112&at=2026-11-25T10:00:00Z";
    let page = admin.open(&format!("{EXPLAIN}?{query}")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    for part in [
        "denied<span class=\"tag warning\">outside-networks</span>",
        "<dt>Needs</dt><dd>full</dd>",
        "admin: none before the second factor, full after it",
        "<dt>A second factor counts for</dt><dd>2m</dd>",
        "not met: page networks 192.0.2.0/24",
        // The address is one of Sweden's.
        "met: page countries SE",
        "met: page hours Mon-Fri 07:00-19:00 Europe/Berlin",
        "not met: admin methods GET, POST",
        "What would make it a yes",
        "<option value=\"admin\" selected>",
        "value=\"5m ago\"",
    ] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    let call = admin.call("GET", &format!("{CALL}/explain?{query}"), "").await.json();
    assert_eq!((&call["outcome"], &call["reason"]), (&json!("deny"), &json!("outside-networks")));
    assert_eq!(call["page"], json!("users"));

    // Somebody of whom it is known that he has no second factor, which his role needs; and one that has.
    let account = admin.call("GET", &format!("{CALL}/explain?user=alice&path=/users/7"), "").await.json();
    assert_eq!(account["reason"], json!("role-lacks-access"));
    let own = admin.call("GET", &format!("{CALL}/explain?user=ADMIN&path=/elsewhere"), "").await.json();
    assert_eq!((&own["role"], &own["outcome"]), (&json!("admin"), &json!("allow")));
    let nobody = admin.call("GET", &format!("{CALL}/explain?role=nobody&path=/elsewhere"), "").await.json();
    assert_eq!((&nobody["outcome"], &nobody["reason"]), (&json!("sign-in"), &json!("no-credential")));
    let open = admin.open(&format!("{EXPLAIN}?role=nobody&path=/elsewhere")).await;
    assert!(open.text.contains("signing in as") || open.text.contains("sign in as"), "{}", open.text);
}

#[tokio::test]
async fn a_field_that_is_wrong_says_so_itself() {
    let world = World::new().await;
    let mut admin = signed_in(&world, "admin").await;
    for (query, field, text) in [
        ("path=/users", "user", "Name either an account or a role."),
        ("user=alice&role=admin&path=/users", "role", "Name either an account or a role."),
        ("user=stranger&path=/users", "user", "There is no such account."),
        // Above this administrator: as unknown as one that was never there (R32).
        ("user=root&path=/users", "user", "There is no such account."),
        ("role=admin", "path", "Write a path"),
        ("role=admin&path=users", "path", "begin with a slash"),
        ("role=admin&path=/a/../b", "path", "no policy is asked"),
        ("role=admin&path=/_gate/admin", "path", "one of the gate's own pages"),
        ("role=admin&path=/a&method=get", "method", "`get`"),
        ("role=admin&path=/a&elevated=5m", "elevated", "write `5m ago`"),
        ("role=admin&path=/a&from=home", "from", "is not an address"),
        ("role=admin&path=/a&country=Sweden", "country", "Sweden"),
        ("role=admin&path=/a&at=noon", "at", "is not a point of time"),
    ] {
        let page = admin.open(&format!("{EXPLAIN}?{query}")).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {}", page.text);
        let shown = page.text.replace("&#60;", "<").replace("&#39;", "'").replace("&#96;", "`");
        assert!(shown.contains(text), "{query}: {shown}");
        let marked = format!("id=\"{field}\" name=\"{field}\"");
        let input = page.text.split('<').find(|tag| tag.contains(&marked)).unwrap();
        assert!(input.contains("aria-invalid") && input.contains("error"), "{query}: {input}");
        let call = admin.call("GET", &format!("{CALL}/explain?{query}"), "").await;
        assert_eq!((call.status, &call.json()["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(field)));
    }
}

fn suite(rules: &RuleSet, cases: &Value) -> Beside {
    let mut found = Findings::default();
    let node = Node::of_json(&json!({ "cases": cases }));
    let suite = Suite::read(&node, rules, &mut found).unwrap_or_else(|| panic!("{found:?}"));
    Beside::Tests(Arc::new(suite))
}

#[tokio::test]
async fn the_tests_beside_the_policy_are_run_and_what_fails_is_said_first() {
    let world = World::with(
        |site| {
            site.tests = suite(
                &site.policy,
                &json!([
                    { "name": "alice has her domains", "role": "alice", "path": "/domains/1", "expect": "allow" },
                    { "name": "alice <manages>", "role": "alice", "path": "/users/7", "expect": "allow" },
                ]),
            );
        },
        1000,
    )
    .await;
    let mut admin = signed_in(&world, "admin").await;
    let page = admin.open(TESTS).await;
    for part in [
        "1 do not hold; 1 do.",
        "alice &#60;manages&#62;",
        "<td>allow</td><td>deny (role-lacks-access)",
        "alice has her domains",
        "% of the policy was asked about",
        "user-management: root, change, after the second factor",
        "Run again",
    ] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    let call = admin.call("GET", &format!("{CALL}/tests"), "").await.json();
    assert_eq!((&call["passed"], &call["failed"], &call["tests"]), (&json!(1), &json!(1), &json!("run")));
    assert_eq!(call["checks"][1]["got"]["reason"], json!("role-lacks-access"));
}

#[tokio::test]
async fn tests_that_are_missing_or_broken_are_said_to_be_so() {
    let world = World::new().await;
    let mut admin = signed_in(&world, "admin").await;
    assert!(admin.open(TESTS).await.text.contains("There are no tests beside this policy."));
    let broken =
        World::with(|site| site.tests = Beside::Broken("p.test.yaml:3:1: error[T002]".into()), 9).await;
    let mut admin = signed_in(&broken, "admin").await;
    let page = admin.open(TESTS).await;
    assert!(page.text.contains("error[T002]") && page.text.contains("role=\"alert\""), "{}", page.text);
    assert_eq!(admin.call("GET", &format!("{CALL}/tests"), "").await.json()["tests"], json!("broken"));
}
