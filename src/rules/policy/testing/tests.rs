//! What tests find, and what they ask about.

mod asked;

use serde_json::{Value, json};

use super::*;
use crate::rules::{
    policy::{RuleSet, compile},
    written::{Findings, Node},
};

pub(super) fn compiled(document: &Value) -> RuleSet {
    let mut found = Findings::default();
    compile(&Node::of_json(document), &mut found).unwrap_or_else(|| panic!("{:?}", found.sorted()))
}

pub(super) fn read(rules: &RuleSet, document: &Value) -> Suite {
    let mut found = Findings::default();
    let suite = Suite::read(&Node::of_json(document), rules, &mut found);
    suite.unwrap_or_else(|| panic!("{:?}", found.sorted()))
}

fn rules() -> RuleSet {
    compiled(&json!({
        "version": 1, "roles": ["root", "admin", "user"], "require_2fa": ["root"],
        "elevation": { "lasts": "15m", "methods": ["totp"] },
        "pages": [
            { "name": "users", "paths": ["/users/**"], "reads": ["POST /users/search", "WEBSOCKET /users/live"],
              "scopes": { "read": "users:read", "write": "users:write" },
              "access": { "root": { "unelevated": "read", "elevated": "full" },
                          "admin": { "unelevated": "none", "elevated": "full", "lasts": "5m" }, "user": "read" } },
            { "name": "system", "paths": ["/system/**"], "allow_in_path": ["%2F"],
              "when": { "networks": ["10.0.0.0/8"], "countries": ["DE"], "hours": "Mon-Fri 07:00-19:00 Europe/Berlin" },
              "access": { "root": "full", "admin": { "unelevated": "full", "elevated": "full", "when": { "methods": ["GET"] } } } },
            { "name": "open", "paths": ["/open/**"], "anonymous": "read" }
        ]
    }))
}

/// What one case comes to: outcome, reason and page.
fn got(case: &Value) -> [String; 3] {
    let rules = rules();
    let mut case = case.clone();
    case["name"] = "a case".into();
    case["expect"] = "allow".into();
    let report = run(&rules, &read(&rules, &json!({ "cases": [case] })));
    let [check] = report.checks.as_slice() else { panic!("{report:?}") };
    let got = &check.got;
    [got.outcome.to_owned(), got.reason.unwrap().to_owned(), got.page.as_deref().unwrap().to_owned()]
}

#[test]
fn every_fact_counts() {
    let inside = json!({ "role": "root", "path": "/system", "from": "10.0.0.5", "country": "DE" });
    let with = |base: &Value, more: Value| {
        let mut case = base.clone();
        for (key, value) in more.as_object().unwrap() {
            case[key] = value.clone();
        }
        case
    };
    let root = json!({ "role": "root", "path": "/users" });
    let post = with(&root, json!({ "method": "POST" }));
    let admin = json!({ "role": "admin", "path": "/users" });
    for (case, wanted) in [
        (root.clone(), ["allow", "role-allows", "users"]),
        (with(&root, json!({ "role": "nobody" })), ["sign-in", "no-credential", "users"]),
        (with(&root, json!({ "role": "nobody", "path": "/open/x" })), ["allow", "anonymous", "open"]),
        (with(&root, json!({ "path": "/nowhere" })), ["deny", "no-page", "none"]),
        (post.clone(), ["step-up", "needs-elevation", "users"]),
        (with(&post, json!({ "path": "/users/search" })), ["allow", "role-allows", "users"]),
        (with(&root, json!({ "method": "WEBSOCKET" })), ["step-up", "needs-elevation", "users"]),
        (
            with(&root, json!({ "method": "WEBSOCKET", "path": "/users/live" })),
            ["allow", "role-allows", "users"],
        ),
        (with(&root, json!({ "override": true })), ["step-up", "needs-elevation", "users"]),
        (with(&post, json!({ "elevated": true })), ["allow", "elevated-allows", "users"]),
        (with(&post, json!({ "elevated": "14m ago" })), ["allow", "elevated-allows", "users"]),
        (with(&post, json!({ "elevated": "15m ago" })), ["step-up", "needs-elevation", "users"]),
        (with(&admin, json!({ "elevated": "6m ago" })), ["step-up", "needs-elevation", "users"]),
        (
            with(&post, json!({ "elevated": true, "factor": "backup-code" })),
            ["step-up", "needs-elevation", "users"],
        ),
        (with(&post, json!({ "high_security": false })), ["allow", "high-security-off", "users"]),
        (with(&root, json!({ "enrolled": false })), ["deny", "needs-enrolment", "users"]),
        (with(&admin, json!({ "enrolled": false })), ["step-up", "needs-elevation", "users"]),
        (with(&root, json!({ "acting_as": "user" })), ["allow", "role-allows", "users"]),
        (with(&post, json!({ "acting_as": "user" })), ["deny", "role-lacks-access", "users"]),
        (
            with(&post, json!({ "acting_as": "admin", "elevated": true })),
            ["deny", "impersonation-read-only", "users"],
        ),
        (
            with(&post, json!({ "acting_as": "admin", "elevated": true, "write": true })),
            ["allow", "elevated-allows", "users"],
        ),
        (with(&root, json!({ "scopes": ["users:read"] })), ["allow", "key-allows", "users"]),
        (with(&post, json!({ "scopes": ["users:read"] })), ["deny", "key-lacks-scope", "users"]),
        (with(&root, json!({ "scopes": [] })), ["deny", "key-lacks-scope", "users"]),
        (inside.clone(), ["allow", "role-allows", "system"]),
        (with(&inside, json!({ "from": "192.0.2.1" })), ["deny", "outside-networks", "system"]),
        (with(&inside, json!({ "from": "::ffff:10.0.0.5" })), ["allow", "role-allows", "system"]),
        (with(&inside, json!({ "country": "SE" })), ["deny", "outside-countries", "system"]),
        (
            with(&inside, json!({ "at": "2026-11-25 06:59 Europe/Berlin" })),
            ["deny", "outside-hours", "system"],
        ),
        (with(&inside, json!({ "at": "2026-11-25T06:00:00Z" })), ["allow", "role-allows", "system"]),
        (
            with(&inside, json!({ "role": "admin", "method": "POST" })),
            ["deny", "method-not-allowed", "system"],
        ),
        (with(&inside, json!({ "path": "/system/a%2Fb" })), ["allow", "role-allows", "system"]),
        (with(&root, json!({ "path": "/users/a%2Fb" })), ["bad-request", "ambiguous-target", "users"]),
        (with(&root, json!({ "path": "/users/../system" })), ["bad-request", "ambiguous-target", "none"]),
    ] {
        assert_eq!(got(&case), wanted, "{case}");
    }
}

#[test]
fn a_case_is_every_combination_and_fails_by_outcome_reason_and_page() {
    let rules = rules();
    let suite = read(
        &rules,
        &json!({
            "defaults": { "role": ["root", "user"], "path": "/users" },
            "cases": [
                { "name": "all look", "method": ["GET", "HEAD"], "path": ["/users", "/users/7"], "expect": "allow" },
                { "name": "by outcome", "expect": "deny" },
                { "name": "by reason", "expect": "allow", "reason": "elevated-allows" },
                { "name": "by page", "expect": "allow", "page": "system" },
                { "name": "and not otherwise", "expect": "allow", "reason": "role-allows", "page": "users" },
            ]
        }),
    );
    assert_eq!((suite.cases(), suite.requests()), (5, 16));
    let report = run(&rules, &suite);
    assert_eq!((report.passed(), report.failed()), (10, 6));
    let failed: Vec<&str> = report.failures().map(|check| &*check.case).collect();
    assert_eq!(failed, ["by outcome", "by outcome", "by reason", "by reason", "by page", "by page"]);
    let check = report.failures().next().unwrap();
    assert_eq!(check.request, "GET /users as root, at 2026-01-05T12:00:00Z");
    assert_eq!(check.expected.to_string(), "deny");
    assert_eq!(check.got.to_string(), "allow (role-allows) on users");
    assert_eq!(check.decided_at.as_deref(), Some("test:0"));
    assert_eq!(check.why, "root has read before the second factor, and read is needed");
    let some = run(&rules, &suite.named_like("BY REA"));
    assert_eq!((some.passed(), some.failed()), (0, 2));
}

#[test]
fn what_a_case_says_takes_the_place_of_what_the_defaults_say_of_the_other_kind() {
    let rules = rules();
    let key = json!({
        "defaults": { "role": "root", "path": "/users", "elevated": true, "factor": "totp" },
        "cases": [
            { "name": "a session", "method": "POST", "expect": "allow", "reason": "elevated-allows" },
            { "name": "a key", "scopes": ["users:write"], "method": "POST", "expect": "allow", "reason": "key-allows" },
        ]
    });
    let session = json!({
        "defaults": { "role": "root", "path": "/users", "scopes": ["users:read"] },
        "cases": [
            { "name": "a key", "expect": "allow", "reason": "key-allows" },
            { "name": "a session", "elevated": false, "expect": "allow", "reason": "role-allows" },
        ]
    });
    for document in [key, session] {
        let report = run(&rules, &read(&rules, &document));
        assert_eq!(report.failed(), 0, "{report:?}");
    }
}

#[test]
fn why_says_what_stood_in_the_way() {
    let rules = rules();
    let why = |case: Value| {
        let mut case = case;
        case["name"] = "a case".into();
        case["expect"] = "allow".into();
        run(&rules, &read(&rules, &json!({ "cases": [case] }))).checks[0].why.clone()
    };
    let system = |more: Value| {
        let mut case = json!({ "role": "root", "path": "/system", "from": "10.0.0.5", "country": "DE" });
        for (key, value) in more.as_object().unwrap() {
            case[key] = value.clone();
        }
        why(case)
    };
    for (said, wanted) in [
        (
            why(json!({ "role": "admin", "path": "/users", "elevated": "6m ago" })),
            "admin has none before the second factor and full after it, and read is needed; the last was 6m ago and counts for 5m",
        ),
        (
            why(json!({ "role": "admin", "path": "/users", "elevated": true, "factor": "backup-code" })),
            "admin has none before the second factor and full after it, and read is needed; backup-code does not count as one (elevation.methods)",
        ),
        (
            why(json!({ "role": "user", "path": "/users", "method": "PUT" })),
            "user has no more than read here, and full is needed",
        ),
        (
            why(json!({ "role": "root", "path": "/users", "scopes": [] })),
            "the page asks for the scope users:read, which the key does not have",
        ),
        (
            why(json!({ "role": "root", "path": "/open", "method": "PUT" })),
            "root has none here, and full is needed",
        ),
        (
            why(json!({ "role": "root", "path": "/users/a;b" })),
            "the path has ;, which two programs could read in two ways",
        ),
        (
            why(json!({ "role": "root", "path": "/users/../x" })),
            "the path has a . or .. segment; no policy is asked",
        ),
        (
            system(json!({ "from": "192.0.2.1" })),
            "the page is for networks 10.0.0.0/8 only (test:0), and it came from 192.0.2.1",
        ),
        (
            system(json!({ "country": null })),
            "the page is for countries DE only (test:0), and the country is not known",
        ),
        (
            system(json!({ "at": "2026-11-28T12:00:00Z" })),
            "the page is for hours Mon-Fri 07:00-19:00 Europe/Berlin only (test:0), and it was 2026-11-28T12:00:00Z",
        ),
        (
            system(json!({ "role": "admin", "method": "POST" })),
            "admin is for methods GET only (test:0), and it was POST",
        ),
    ] {
        assert_eq!(said, wanted);
    }
}
