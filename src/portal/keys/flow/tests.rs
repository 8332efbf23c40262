use std::time::Duration;

use serde_json::json;

use super::*;
use crate::portal::tests::support::rules;

const NOW: Wall = Wall::from_secs(1_800_000_000);

fn policy() -> RuleSet {
    rules(&json!({
        "version": 1,
        "roles": ["root", "admin", "user"],
        "pages": [
            { "name": "domains", "paths": ["/domains/**"], "scopes": { "read": "panel", "write": "panel" },
              "access": { "root": "full", "admin": "full", "user": "read" } },
            { "name": "users", "paths": ["/users/**"], "scopes": { "read": "users:read", "write": "users:write" },
              "access": { "root": { "unelevated": "read", "elevated": "full" },
                          "admin": { "unelevated": "none", "elevated": "read" }, "user": "none" } },
            { "name": "system", "paths": ["/system/**"], "scopes": { "read": "panel" },
              "access": { "root": { "unelevated": "none", "elevated": "full" }, "admin": "none", "user": "none" } },
            { "name": "private", "paths": ["/private/**"], "access": { "root": "full", "admin": "full", "user": "full" } },
        ],
    }))
}

/// `scope: page access, … !` with `!` where the second factor is needed.
fn offered(role: &str) -> Vec<String> {
    let offers = offers(&policy(), &role.into());
    let told = offers.iter().map(|offer| {
        let opens = offer.opens.iter().map(|(page, access)| format!("{page} {access}"));
        let opens = opens.collect::<Vec<_>>().join(", ");
        format!("{}: {opens}{}", offer.scope, if offer.beyond { " !" } else { "" })
    });
    told.collect()
}

#[test]
fn a_role_is_offered_what_it_has_at_most_and_told_what_needs_the_second_factor() {
    assert_eq!(
        offered("root"),
        [
            "panel: domains read, domains full, system read !",
            "users:read: users read",
            "users:write: users full !"
        ]
    );
    // Even elevated, an administrator cannot change users here.
    assert_eq!(offered("admin"), ["panel: domains read, domains full", "users:read: users read !"]);
    assert_eq!(offered("user"), ["panel: domains read"]);
    assert_eq!(offered("stranger"), [""; 0]);
}

fn draft(name: &str, scopes: &[&str], expiry: Expiry) -> Draft {
    Draft { name: name.into(), scopes: scopes.iter().map(ToString::to_string).collect(), expiry }
}

fn planned(draft: &Draft) -> Result<Plan, Mistakes> {
    plan(draft, &offers(&policy(), &"admin".into()), &["taken".to_owned()], NOW)
}

#[test]
fn a_good_draft_becomes_a_plan() {
    let plan = planned(&draft("  CI of Ärzte ", &["panel"], Expiry::Month)).unwrap();
    let expires = Some(NOW.plus(Duration::from_secs(30 * 24 * 3600)));
    assert_eq!(
        plan,
        Plan { name: "CI of Ärzte".into(), scopes: vec!["panel".into()], expires, beyond: false }
    );
    let both = planned(&draft("x", &["users:read", "panel", "panel"], Expiry::Never)).unwrap();
    assert_eq!(
        (both.scopes, both.expires, both.beyond),
        (vec!["panel".into(), "users:read".into()], None, true)
    );
}

#[test]
fn each_mistake_is_told_beside_its_field() {
    let wrong = |draft: Draft| planned(&draft).unwrap_err();
    let name = |text: &str| wrong(draft(text, &["panel"], Expiry::Never)).name;
    assert_eq!(name(" "), Some(Mistake::NoName));
    assert_eq!(name(&"é".repeat(65)), Some(Mistake::LongName));
    for odd in ["a\u{7}b", "a\u{202e}b", "a\u{200b}b", "a\u{2028}b", "a\u{feff}b"] {
        assert_eq!(name(odd), Some(Mistake::OddName), "{odd:?}");
    }
    assert_eq!(name(" taken"), Some(Mistake::TakenName));
    let scopes = |scopes: &[&str]| wrong(draft("x", scopes, Expiry::Never)).scopes;
    assert_eq!(scopes(&[]), Some(Mistake::NoScope));
    for foreign in ["users:write", "no-such", "Panel", ""] {
        assert_eq!(scopes(&["panel", foreign]), Some(Mistake::ForeignScope), "{foreign}");
    }
    let expiry = |expiry| wrong(draft("x", &["panel"], expiry)).expiry;
    for text in ["", "soon", "2027-02-30", "9999-12-31"] {
        assert_eq!(expiry(Expiry::On(text.into())), Some(Mistake::NoDate), "{text}");
    }
    assert_eq!(expiry(Expiry::On("2027-01-14".into())), Some(Mistake::DatePast));
    assert_eq!(expiry(Expiry::At(NOW)), Some(Mistake::DatePast));
    let all = wrong(draft("", &[], Expiry::On(String::new())));
    assert!(all.name.is_some() && all.scopes.is_some() && all.expiry.is_some(), "{all:?}");
}

/// 1 800 000 000 is on 2027-01-15.
#[test]
fn a_date_is_counted_to_its_end() {
    let expires = |date: &str| planned(&draft("x", &["panel"], Expiry::On(date.into()))).unwrap().expires;
    assert_eq!(expires("2027-01-15"), Some(Wall::from_secs(1_800_057_600)));
    assert_eq!(expires("2027-01-16"), Some(Wall::from_secs(1_800_057_600 + 86_400)));
}

#[test]
fn choices_are_read_back_as_they_were_made() {
    for choice in ["never", "30", "60", "90"] {
        assert_eq!(Expiry::parse(choice, "2027-01-31").unwrap().choice(), choice);
    }
    let on = Expiry::parse("date", " 2027-01-31 ").unwrap();
    assert_eq!((on.choice(), on.date()), ("date", "2027-01-31"));
    assert_eq!(Expiry::parse("31", ""), None);
}
