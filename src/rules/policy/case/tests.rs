//! The order of the questions: what is said when several things stand in the way at once.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::rules::{
    policy::compile,
    session::Factor,
    written::{Findings, Node},
};

const NOW: Wall = Wall::from_secs(1_764_000_000);

fn rules() -> RuleSet {
    let document = json!({
        "version": 1, "roles": ["root", "admin", "user"], "require_2fa": ["root"], "default": "none",
        "pages": [
            { "name": "system", "paths": ["/system/**"], "when": { "networks": ["10.0.0.0/8"] }, "lasts": "5m",
              "scopes": { "read": "system:read" },
              "access": { "root": { "unelevated": "none", "elevated": "full" },
                          "admin": { "unelevated": "read", "elevated": "full", "lasts": "1m" } } },
            { "name": "open", "paths": ["/open/**"], "anonymous": "read", "access": { "user": "full" } }
        ]
    });
    let mut found = Findings::default();
    compile(&Node::of_json(&document), &mut found).unwrap_or_else(|| panic!("{:?}", found.sorted()))
}

struct Ask<'a> {
    role: &'a str,
    method: &'a str,
    path: &'a str,
    from: &'a str,
    enrolled: bool,
    proved: Option<u64>,
    relaxed: bool,
}

const ASK: Ask<'static> = Ask {
    role: "root",
    method: "GET",
    path: "/system",
    from: "10.0.0.1",
    enrolled: true,
    proved: None,
    relaxed: false,
};

fn decide(ask: &Ask<'_>, acting: Option<(&str, bool)>) -> Answer {
    let (role, target) = (Role::from(ask.role), Target::parse(ask.path.as_bytes()).unwrap());
    let acted = acting.map(|(role, write)| (Role::from(role), write));
    let sitting = Sitting {
        role: &role,
        enrolled: ask.enrolled,
        proof: ask.proved.map(|ago| Elevation { at: Wall::from_secs(NOW.secs() - ago), by: Factor::Totp }),
        relaxed: ask.relaxed,
        acting: acted.as_ref().map(|(role, write)| ActingAs::Account { role, write: *write }),
    };
    answer(ask, &target, Who::Session(sitting))
}

fn answer(ask: &Ask<'_>, target: &Target, who: Who<'_>) -> Answer {
    let manner = Manner { method: ask.method, upgrade: false, method_override: false };
    let circumstances = Circumstances { client: ask.from.parse().ok(), country: None, at: NOW };
    rules().decide(&Case { target, manner, circumstances, who }).answer
}

#[test]
fn what_would_not_help_is_not_asked_for() {
    let table = [
        (ASK, "needs-elevation"),
        (Ask { from: "192.0.2.1", ..ASK }, "outside-networks"),
        (Ask { enrolled: false, from: "192.0.2.1", ..ASK }, "needs-enrolment"),
        (Ask { role: "nobody", enrolled: false, ..ASK }, "unknown-role"),
        (Ask { role: "user", from: "192.0.2.1", ..ASK }, "role-lacks-access"),
        (Ask { path: "/elsewhere", ..ASK }, "no-page"),
        (Ask { relaxed: true, ..ASK }, "high-security-off"),
        (Ask { relaxed: true, from: "192.0.2.1", ..ASK }, "outside-networks"),
        (Ask { proved: Some(299), ..ASK }, "elevated-allows"),
        (Ask { proved: Some(300), ..ASK }, "needs-elevation"),
        (Ask { role: "admin", ..ASK }, "role-allows"),
        (Ask { role: "admin", method: "POST", proved: Some(59), ..ASK }, "elevated-allows"),
        (Ask { role: "admin", method: "POST", proved: Some(60), ..ASK }, "needs-elevation"),
        (Ask { path: "/system//x", ..ASK }, "ambiguous-target"),
        (Ask { role: "nobody", path: "/open", ..ASK }, "anonymous"),
        (Ask { role: "root", method: "POST", path: "/open", ..ASK }, "role-lacks-access"),
    ];
    for (ask, reason) in table {
        let answer = decide(&ask, None);
        assert_eq!(answer.reason().code(), reason, "{} {} {}", ask.role, ask.method, ask.path);
    }
}

#[test]
fn who_acts_for_another_has_that_ones_access_and_terms() {
    let admin = |method, proved| Ask { method, proved, ..ASK };
    assert_eq!(decide(&admin("GET", None), Some(("admin", false))).reason(), Reason::RoleAllows);
    assert_eq!(decide(&admin("POST", Some(59)), Some(("admin", true))).reason(), Reason::ElevatedAllows);
    assert_eq!(decide(&admin("POST", Some(61)), Some(("admin", true))).reason(), Reason::NeedsElevation);
    assert_eq!(
        decide(&admin("POST", Some(59)), Some(("admin", false))).reason(),
        Reason::ImpersonationReadOnly
    );
    assert_eq!(decide(&admin("GET", Some(1)), Some(("user", true))).reason(), Reason::RoleLacksAccess);
}

#[test]
fn a_key_has_the_lower_of_scope_and_role_and_meets_the_conditions() {
    let (target, scopes) = (Target::parse(b"/system").unwrap(), [Scope::from("system:read")]);
    let key = |role: &str, method, from, scopes: &[Scope]| {
        let (ask, role) = (Ask { method, from, ..ASK }, Role::from(role));
        answer(&ask, &target, Who::Key { role: &role, enrolled: true, scopes }).reason()
    };
    assert_eq!(key("root", "GET", "10.0.0.1", &scopes), Reason::KeyAllows);
    assert_eq!(key("root", "POST", "10.0.0.1", &scopes), Reason::KeyLacksScope);
    assert_eq!(key("root", "GET", "10.0.0.1", &[]), Reason::KeyLacksScope);
    assert_eq!(key("root", "GET", "192.0.2.1", &scopes), Reason::OutsideNetworks);
    assert_eq!(key("user", "GET", "10.0.0.1", &scopes), Reason::RoleLacksAccess);
}

#[test]
fn an_impersonation_that_is_over_is_said_before_anything_of_the_page() {
    let (target, role) = (Target::parse(b"/system").unwrap(), Role::from("root"));
    let over = |enrolled| {
        let sitting =
            Sitting { role: &role, enrolled, proof: None, relaxed: true, acting: Some(ActingAs::Over) };
        answer(&ASK, &target, Who::Session(sitting))
    };
    assert_eq!(over(true), Answer::Deny(Reason::ImpersonationOver));
    assert_eq!(over(false), Answer::Deny(Reason::NeedsEnrolment));
    assert_eq!(Duration::from_secs(300), rules().lasts(rules().page("system"), &role));
}
