//! The differences against brute force: a request is answered differently exactly when a change covers it.

mod examples;

use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    clock::Wall,
    rules::{
        place::Country,
        policy::{Asked, Page, Question, compile},
        reason::Reason,
        session::{Elevation, Factor},
        written::{Findings, Node},
    },
};

const ROLES: [&str; 3] = ["root", "admin", "user"];

// === Policies ===

fn compiled(document: &Value) -> Option<RuleSet> {
    compile(&Node::of_json(document), &mut Findings::default())
}

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["none", "read", "full"])
}

fn pattern() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec!["a", "a", "b", "*", "x%2Fy"]);
    (prop::collection::vec(part, 0..3), any::<bool>()).prop_map(|(mut parts, deep)| {
        if deep {
            parts.push("**");
        }
        format!("/{}", parts.join("/"))
    })
}

fn some<T: std::fmt::Debug + Clone + 'static>(
    chance: f64,
    what: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(chance, what)
}

fn subset(of: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(of, 1..=of.len())
}

fn terms(chance: f64) -> impl Strategy<Value = serde_json::Map<String, Value>> {
    let networks = subset(&["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "0.0.0.0/0", "2001:db8::/32", "::/0"]);
    let countries = subset(&["DE", "SE", "NO"]);
    let hours = subset(&[
        "Mon-Fri 07:00-19:00 Europe/Berlin",
        "Mon-Fri 08:00-17:30 Europe/Berlin",
        "Fri 22:00-06:00 Europe/Berlin",
        "Sat,Sun 00:00-24:00 America/New_York",
        "daily 06:00-12:00 UTC",
    ]);
    let methods = subset(&["GET", "HEAD", "POST", "WEBSOCKET", "PURGE"]);
    let when = (some(0.4, networks), some(0.3, countries), some(0.3, hours), some(0.3, methods));
    let lasts = prop::sample::select(vec!["1m", "5m", "10m"]);
    let limit = prop::sample::select(vec!["30/min per session", "5/s per address"]);
    (some(chance, when), some(chance, lasts), some(chance / 2.0, limit)).prop_map(|(when, lasts, limit)| {
        let mut terms = serde_json::Map::new();
        if let Some((networks, countries, hours, methods)) = when {
            let mut conditions = serde_json::Map::new();
            for (key, value) in
                [("networks", networks), ("countries", countries), ("hours", hours), ("methods", methods)]
            {
                conditions.extend(value.map(|value| (key.to_owned(), json!(value))));
            }
            if !conditions.is_empty() {
                terms.insert("when".into(), conditions.into());
            }
        }
        terms.extend(lasts.map(|lasts| ("lasts".to_owned(), json!(lasts))));
        terms.extend(limit.map(|limit| ("limit".to_owned(), json!(limit))));
        terms
    })
}

fn page() -> impl Strategy<Value = serde_json::Map<String, Value>> {
    let levels = (word(), word()).prop_map(|(one, other)| {
        let rank = |word| ["none", "read", "full"].iter().position(|known| *known == word);
        if rank(one) <= rank(other) { (one, other) } else { (other, one) }
    });
    let role = (levels, terms(0.3)).prop_map(|((unelevated, elevated), mut terms)| {
        terms.insert("unelevated".into(), json!(unelevated));
        terms.insert("elevated".into(), json!(elevated));
        terms
    });
    let line = |methods| {
        (prop::sample::select::<&'static str>(methods), pattern())
            .prop_map(|(method, path)| format!("{method} {path}"))
    };
    (
        prop::collection::vec(pattern(), 1..3),
        prop::array::uniform3(some(0.7, role)),
        terms(0.5),
        some(0.4, line(vec!["POST", "DELETE", "WEBSOCKET"])),
        some(0.4, line(vec!["GET", "OPTIONS"])),
        prop::sample::subsequence(vec!["read", "write"], 0..=2),
        some(0.3, subset(&["%2F", "//"])),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(paths, roles, mut page, reads, writes, scopes, opened, anonymous)| {
            let access: serde_json::Map<String, Value> = ROLES
                .iter()
                .zip(roles)
                .filter_map(|(name, role)| Some(((*name).to_owned(), Value::Object(role?))))
                .collect();
            let scopes: serde_json::Map<String, Value> =
                scopes.iter().map(|scope| ((*scope).to_owned(), json!(format!("s:{scope}")))).collect();
            page.insert("paths".into(), json!(paths));
            page.insert("access".into(), Value::Object(access));
            page.insert("scopes".into(), Value::Object(scopes));
            page.insert("anonymous".into(), json!(if anonymous { "read" } else { "none" }));
            page.extend(reads.map(|line| ("reads".to_owned(), json!([line]))));
            page.extend(writes.map(|line| ("writes".to_owned(), json!([line]))));
            page.extend(opened.map(|classes| ("allow_in_path".to_owned(), json!(classes))));
            page
        })
}

#[derive(Clone, Debug)]
struct Head {
    default: &'static str,
    require: Vec<&'static str>,
    methods: Vec<&'static str>,
    roles: usize,
}

fn head() -> impl Strategy<Value = Head> {
    let methods = subset(&["totp", "backup-code"]);
    (word(), prop::sample::subsequence(vec!["root", "admin"], 0..=1), methods, 2..=ROLES.len())
        .prop_map(|(default, require, methods, roles)| Head { default, require, methods, roles })
}

type Pages = Vec<serde_json::Map<String, Value>>;

/// As many of the pages as the compiler takes together, with their amendments where it takes those.
fn policy(head: &Head, pages: &Pages) -> RuleSet {
    let roles = &ROLES[..head.roles];
    let document = |pages: &Pages| {
        json!({ "version": 1, "roles": roles, "default": head.default, "require_2fa": head.require,
                "elevation": { "lasts": "10m", "methods": head.methods }, "pages": pages })
    };
    let mut kept = Pages::new();
    for (index, page) in pages.iter().enumerate() {
        let mut page = page.clone();
        page.insert("name".into(), json!(format!("page-{index}")));
        if let Some(Value::Object(access)) = page.get_mut("access") {
            access.retain(|role, _| roles.contains(&role.as_str()));
        }
        for less in [&[][..], &["reads"], &["reads", "writes"]] {
            let mut page = page.clone();
            for key in less {
                page.remove(*key);
            }
            let tried: Pages = kept.iter().cloned().chain([page]).collect();
            if compiled(&document(&tried)).is_some() {
                kept = tried;
                break;
            }
        }
    }
    compiled(&document(&kept)).expect("what was kept compiles")
}

/// Two that have much in common, or little.
fn pair() -> impl Strategy<Value = (RuleSet, RuleSet)> {
    let pages = || prop::collection::vec(page(), 0..5);
    (head(), head(), pages(), pages(), any::<prop::sample::Index>(), any::<[bool; 2]>()).prop_map(
        |(one, other, before, new, place, [near, same_head])| {
            let head = if same_head { one.clone() } else { other };
            let mut after = new.clone();
            if near && !before.is_empty() {
                after = before.clone();
                let index = place.index(before.len());
                match new.into_iter().next() {
                    Some(page) => after[index] = page,
                    None => drop(after.remove(index)),
                }
            }
            (policy(&one, &before), policy(&head, &after))
        },
    )
}

// === Requests ===

fn question() -> impl Strategy<Value = Question> {
    let part = prop::sample::select(vec!["a", "b", "z", "x%2Fy", "q%2Fq", ""]);
    let path = prop::collection::vec(part, 0..4).prop_map(|parts| format!("/{}", parts.join("/")));
    let method =
        prop::sample::select(vec!["GET", "HEAD", "OPTIONS", "POST", "DELETE", "PURGE", "BREW", "WEBSOCKET"]);
    let client = some(
        0.8,
        prop::sample::select(vec![
            "10.0.0.1",
            "10.1.0.1",
            "10.1.2.3",
            "192.0.2.1",
            "255.255.255.255",
            "::ffff:10.1.2.3",
            "2001:db8::1",
            "::1",
            "::1:0:0:0",
        ]),
    );
    let country = some(0.8, prop::sample::select(vec!["DE", "SE", "NO", "FR"]));
    // Minutes of 2026: through both changes of clocks.
    let at = (0..525_600_u64).prop_map(|minute| Wall::from_secs(1_767_225_600 + minute * 60 + 30));
    let flags = (prop::bool::weighted(0.15), prop::bool::weighted(0.1));
    (path, method, client, country, at, flags).prop_flat_map(|(path, method, client, country, at, flags)| {
        asked(at).prop_map(move |who| Question {
            target: Target::parse(path.as_bytes()).unwrap(),
            method: method.to_owned(),
            upgrade: flags.0,
            method_override: flags.1,
            client: client.map(|ip| ip.parse::<IpAddr>().unwrap()),
            country: country.map(|code| Country::parse(code).unwrap()),
            at,
            who,
        })
    })
}

fn asked(at: Wall) -> impl Strategy<Value = Asked> {
    let role = || prop::sample::select(vec!["root", "admin", "user", "stranger"]).prop_map(Role::from);
    let factor = prop::sample::select(vec![Factor::Totp, Factor::BackupCode]);
    let proof = (factor, 0..12_u64)
        .prop_map(move |(by, minutes)| Elevation { at: Wall::from_secs(at.secs() - minutes * 60), by });
    let acting = some(0.2, (role(), any::<bool>()));
    let session = (role(), any::<bool>(), some(0.7, proof), prop::bool::weighted(0.1), acting).prop_map(
        |(role, enrolled, proof, relaxed, acting)| Asked::Session { role, enrolled, proof, relaxed, acting },
    );
    let scopes = prop::sample::subsequence(vec!["s:read", "s:write", "s:else"], 0..=3);
    let key = (role(), any::<bool>(), scopes).prop_map(|(role, enrolled, scopes)| Asked::Key {
        role,
        enrolled,
        scopes: scopes.into_iter().map(Arc::from).collect(),
    });
    prop_oneof![1 => Just(Asked::Nobody), 5 => session, 2 => key]
}

// === Which change covers a request: by what a change says of itself ===

/// The level whose answers the change speaks of, if it covers the request.
fn covers(change: &Change, q: &Question, a: &RuleSet, b: &RuleSet) -> Option<usize> {
    let rulings = (a.rule_for(&q.target, q.manner()), b.rule_for(&q.target, q.manner()));
    let name = |page: Option<&Page>| page.map(|page| Arc::clone(&page.name));
    let own = |page: &Option<PageName>| page.as_ref().map(|page| Arc::clone(&page.name));
    let opens = |page: Option<&Page>| {
        q.target.ambiguities.iter().all(|class| page.is_some_and(|page| page.allow_in_path.contains(class)))
    };
    let reads = (opens(rulings.0.page), opens(rulings.1.page));
    let fits = (name(rulings.0.page), name(rulings.1.page)) == (own(&change.pages.0), own(&change.pages.1))
        && (rulings.0.needs, rulings.1.needs) == change.needs
        && change.reads == reads
        && (change.methods.is_empty() || change.methods.contains(&label(q, a, b)))
        && change.from.as_ref().is_none_or(|from| from.contain(q.client))
        && change.countries.as_ref().is_none_or(|countries| countries.contain(q.country))
        && change.times.as_ref().is_none_or(|times| times.contain(q.at));
    if fits { level(&change.who, q, (a, rulings.0.page), (b, rulings.1.page)) } else { None }
}

fn label(q: &Question, a: &RuleSet, b: &RuleSet) -> String {
    if q.method_override {
        return "method overrides".to_owned();
    }
    if q.upgrade {
        return if q.method == "GET" { "WebSocket" } else { "other upgrades" }.to_owned();
    }
    if q.method == "WEBSOCKET" {
        return "WEBSOCKET as a method".to_owned();
    }
    let named = manners::classes(a, b).iter().any(|way| !way.other && way.method == q.method);
    if named { q.method.clone() } else { "other methods".to_owned() }
}

fn level(
    asker: &Asker,
    q: &Question,
    (a, page_a): (&RuleSet, Option<&Page>),
    (b, page_b): (&RuleSet, Option<&Page>),
) -> Option<usize> {
    let known = |role: &Role| a.roles().contains(role) || b.roles().contains(role);
    let fits = |own: &Role, enrolled: Option<bool>, role: &Role, has: bool| {
        own == role && enrolled.is_none_or(|enrolled| enrolled == has)
    };
    match (asker, &q.who) {
        (Asker::Nobody, Asked::Nobody) => Some(0),
        (Asker::Nobody, Asked::Session { role, .. } | Asked::Key { role, .. }) if !known(role) => Some(0),
        (
            Asker::Key { role: own, enrolled, scopes, lacks },
            Asked::Key { role, enrolled: has, scopes: held },
        ) => {
            let held: BTreeSet<_> = held.iter().cloned().collect();
            let right = scopes.is_subset(&held) && lacks.is_disjoint(&held);
            (fits(own, *enrolled, role, *has) && right).then_some(0)
        }
        (
            Asker::Session { role: own, enrolled } | Asker::Between { role: own, enrolled, .. },
            Asked::Session { role, enrolled: has, proof, relaxed, acting: None },
        ) => {
            let elevated = |rules: &RuleSet, page| {
                *relaxed || rules.elevated_until(page, role, *proof).is_some_and(|until| until > q.at)
            };
            let matches_proof = |one: &Proof| {
                proof.is_some_and(|proof| {
                    one.by == proof.by && (one.from..one.to).contains(&q.at.since(proof.at))
                })
            };
            match (asker, elevated(a, page_a), elevated(b, page_b)) {
                _ if !fits(own, *enrolled, role, *has) => None,
                (Asker::Session { .. }, false, false) => Some(0),
                (Asker::Session { .. }, true, true) => Some(1),
                (Asker::Between { proofs, .. }, one, other) if one != other => {
                    proofs.iter().any(matches_proof).then_some(0)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn answers(q: &Question, a: &RuleSet, b: &RuleSet) -> (Outcome, Outcome) {
    (q.put(a).answer.into(), q.put(b).answer.into())
}

/// The same answers, where both are known to nobody: a stranger is refused, nobody has to sign in.
fn alike(one: Outcome, other: Outcome) -> bool {
    let closed = |outcome| matches!(outcome, Outcome::SignIn | Outcome::Deny(Reason::UnknownRole));
    one == other || closed(one) && closed(other)
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::with_cases(48) })]

    /// Both directions at once: nothing that differs is missing, and nothing is claimed that does not differ.
    #[test]
    fn a_request_is_answered_differently_exactly_where_a_change_says_so_and_as_it_says(
        (a, b) in pair(), questions in prop::collection::vec(question(), 300),
    ) {
        let found = diff(&a, &b);
        prop_assert!(found.complete);
        for q in &questions {
            let (one, other) = answers(q, &a, &b);
            if let Asked::Session { acting: Some((acting, _)), .. } = &q.who {
                let mut as_himself = q.clone();
                let mut as_the_other = q.clone();
                for (who, himself) in [(&mut as_himself.who, true), (&mut as_the_other.who, false)] {
                    let Asked::Session { role, enrolled, acting: whom, .. } = who else { continue };
                    *whom = None;
                    if !himself {
                        (*role, *enrolled) = (Role::clone(acting), true);
                    }
                }
                let differs = |q: &Question| { let (one, other) = answers(q, &a, &b); one != other };
                prop_assert!(one == other || differs(&as_himself) || differs(&as_the_other), "{q}");
                continue;
            }
            let said: Vec<(&Change, usize)> =
                found.changes.iter().filter_map(|change| Some((change, covers(change, q, &a, &b)?))).collect();
            let shifts = said.iter().filter_map(|(change, level)| match &change.shift {
                Shift::Answers(before, after) => (before[*level] != after[*level]).then(|| (before[*level], after[*level])),
                Shift::Limits(..) => None,
            });
            let shifts: Vec<_> = shifts.collect();
            if one == other {
                prop_assert!(shifts.is_empty(), "{q}: both {one:?}, but {:?}", said);
            } else {
                prop_assert!(shifts.len() == 1, "{q}: {one:?} → {other:?}, told {shifts:?}\n{a:#?}\n{b:#?}");
                prop_assert!(alike(shifts[0].0, one) && alike(shifts[0].1, other), "{q}: {one:?} → {other:?}, told {shifts:?}");
            }
        }
    }

    #[test]
    fn the_request_that_shows_a_change_is_answered_as_the_change_says((a, b) in pair()) {
        for change in &diff(&a, &b).changes {
            let Shift::Answers(before, after) = &change.shift else { continue };
            let (one, other) = answers(&change.witness, &a, &b);
            prop_assert!(one != other, "{change}: {}", change.witness);
            let level = covers(change, &change.witness, &a, &b);
            prop_assert!(level.is_some_and(|level| before[level] == one && after[level] == other), "{change}: {}", change.witness);
        }
    }

    #[test]
    fn a_policy_does_not_differ_from_itself((a, _) in pair()) {
        let found = diff(&a, &a);
        prop_assert!(found.is_empty(), "{found}");
    }
}

#[test]
fn a_proof_between_two_lasts_is_its_own_class() {
    let policy = |lasts: &str| {
        compiled(&json!({ "version": 1, "roles": ["root"], "elevation": { "lasts": lasts },
            "pages": [{ "name": "p", "paths": ["/**"], "access": { "root": { "unelevated": "none", "elevated": "full" } } }] }))
        .unwrap()
    };
    let found = diff(&policy("5m"), &policy("15m"));
    let spans: Vec<_> = found
        .changes
        .iter()
        .filter_map(|change| match &change.who {
            Asker::Between { proofs, .. } => {
                Some(proofs.iter().map(|proof| (proof.from, proof.to)).collect::<Vec<_>>())
            }
            Asker::Everybody | Asker::Nobody | Asker::Session { .. } | Asker::Key { .. } => None,
        })
        .collect();
    let span = (Duration::from_secs(300), Duration::from_secs(900));
    assert_eq!(spans, [vec![span, span], vec![span, span]], "looking and changing");
}
