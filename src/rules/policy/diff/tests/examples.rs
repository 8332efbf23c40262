//! What people read.

use super::*;

fn policy(pages: Value) -> RuleSet {
    compiled(&json!({ "version": 1, "roles": ["root", "admin", "user"], "pages": pages })).unwrap()
}

fn users(admin: Value, more: &[(&str, Value)]) -> RuleSet {
    let mut page = json!({ "name": "users", "paths": ["/users/**"], "access": { "admin": admin } });
    for (key, value) in more {
        page[*key] = value.clone();
    }
    policy(json!([page]))
}

fn told(a: &RuleSet, b: &RuleSet) -> Vec<String> {
    let told = |change: &&Change| change.effect != Effect::Reason;
    diff(a, b).changes.iter().filter(told).map(ToString::to_string).collect()
}

#[test]
fn changes_read_as_people_say_them() {
    let blocked = users(json!({ "unelevated": "none", "elevated": "full" }), &[]);
    let always = users(json!("full"), &[]);
    assert_eq!(
        told(&blocked, &always),
        [
            "users: admin, look: blocked until verified → always",
            "users: admin, change: blocked until verified → always",
        ]
    );
    let looks = users(json!({ "unelevated": "read", "elevated": "full" }), &[]);
    assert_eq!(told(&looks, &always)[1], "users: admin, change: read-only until verified → always");
}

#[test]
fn networks_countries_hours_and_methods_are_told_as_sets() {
    let open = users(json!("full"), &[]);
    let closed = |when: Value| users(json!("full"), &[("when", when)]);
    let one = |b: &RuleSet| {
        let told = told(&open, b);
        told.first().cloned().unwrap_or_default()
    };
    let refused = |reason: &str| format!("users: admin, look: always → never, refused ({reason})");
    let networks = one(&closed(json!({ "networks": ["0.0.0.0/1", "::/0"] })));
    let shown =
        format!("{}  (from 128.0.0.0/1, addresses that are not certain)", refused("outside-networks"));
    assert_eq!(networks, shown);
    let countries = one(&closed(json!({ "countries": ["DE"] })));
    assert_eq!(
        countries,
        format!("{}  (in every country but DE or an unknown one)", refused("outside-countries"))
    );
    let hours = one(&closed(json!({ "hours": ["Mon-Sat 00:00-24:00 UTC", "Sun 06:00-24:00 UTC"] })));
    assert_eq!(hours, format!("{}  (Sun 00:00-06:00 UTC)", refused("outside-hours")));
    let methods = one(&closed(json!({ "methods": ["GET", "POST", "PUT", "DELETE", "PATCH", "WEBSOCKET"] })));
    assert_eq!(methods, format!("{}  (with OPTIONS)", refused("method-not-allowed")));
}

#[test]
fn roles_limits_and_administrators_are_told_besides() {
    let before = policy(json!([{ "name": "p", "paths": ["/p"], "access": { "user": "read" } }]));
    let limited =
        json!([{ "name": "p", "paths": ["/p"], "limit": "5/min per user", "access": { "user": "read" } }]);
    assert_eq!(told(&before, &policy(limited)), ["p: everybody, limit: none → 5/min per user"]);
    let roles = compiled(&json!({ "version": 1, "roles": ["root", "user", "admin"], "administer": ["root"],
        "pages": [{ "name": "p", "paths": ["/p"], "access": { "user": "read" } }] }));
    let found = diff(&before, &roles.unwrap());
    assert!(found.changes.is_empty());
    let besides = [
        "roles, mightiest first: root, admin, user → root, user, admin",
        "administer other accounts: root, admin → root",
    ];
    assert_eq!(found.besides, besides);
}

#[test]
fn a_page_that_took_the_place_of_another_is_named_with_it() {
    let before = policy(json!([{ "name": "all", "paths": ["/**"], "access": { "user": "full" } }]));
    let after = policy(json!([
        { "name": "all", "paths": ["/**"], "access": { "user": "full" } },
        { "name": "keys", "paths": ["/*/keys/**"], "access": { "user": "read" } }
    ]));
    let found = diff(&before, &after);
    let change = found
        .changes
        .iter()
        .find(|change| change.needs.1 == Access::Full && change.effect == Effect::Closes)
        .unwrap();
    assert_eq!(change.to_string(), "all → keys: user, change: always → never, refused (role-lacks-access)");
    assert_eq!(change.witness.target.path(), "/any/keys");
}

/// What a request needs can change for those alone who may only look.
#[test]
fn who_acts_for_somebody_and_may_only_look_is_told_apart_where_needs_change() {
    let (a, b) =
        (users(json!("full"), &[]), users(json!("full"), &[("writes", json!(["GET /users/*/login-as"]))]));
    assert_eq!(
        told(&a, &b),
        [
            "users: whoever acts for admin and may only look, look (now a change): always → never, refused (impersonation-read-only)"
        ]
    );
}

/// Whoever has no time for all of it is told that there may be more.
#[test]
fn a_comparison_that_is_given_up_says_so() {
    let (a, b) = (users(json!("none"), &[]), users(json!("full"), &[]));
    let whole = diff(&a, &b);
    assert!(whole.complete);
    for patience in [0_u32, 1, 5, 20, 40] {
        let left = std::cell::Cell::new(patience);
        let found = diff_while(&a, &b, &|| left.replace(left.get().saturating_sub(1)) > 0);
        assert!(!found.complete || found.changes.len() == whole.changes.len(), "{patience}");
        let known = |change: &Change| whole.changes.iter().any(|all| all.to_string() == change.to_string());
        assert!(found.changes.iter().all(known), "{patience}");
    }
    assert!(!diff_while(&a, &b, &|| false).complete);
}

#[test]
fn changes_are_counted_and_summed_up() {
    let (a, b) = (users(json!("none"), &[]), users(json!("full"), &[]));
    let (opens, closes) = (diff(&a, &b).listing(), diff(&b, &a).listing());
    assert_eq!((opens.totals.opens, opens.totals.closes), (closes.totals.closes, closes.totals.opens));
    let sum = |opens, closes, turns| Totals { opens, closes, turns, reasons: 9 }.to_string();
    assert_eq!(sum(3, 1, 0), "3 cells open, 1 closes");
    assert_eq!(sum(0, 2, 1), "2 cells close, 1 turns");
    assert_eq!(sum(1, 0, 0), "1 cell opens");
    assert_eq!(sum(0, 0, 0), "no cell opens or closes");
}
