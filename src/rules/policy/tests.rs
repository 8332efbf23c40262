//! The compiled rule set against a naive reader of the same document: both must agree, always.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    clock::Wall,
    rules::{
        facts::Target,
        identity::Role,
        session::{Elevation, Factor},
        written::{At, Findings, Key, Node, Value},
    },
};

const ROLES: [&str; 3] = ["root", "admin", "user"];

// === What a policy is made of in these tests ===

#[derive(Clone, Debug)]
struct PlainPage {
    paths: Vec<String>,
    reads: Vec<(String, String)>,
    writes: Vec<(String, String)>,
    anonymous: bool,
    access: Vec<(usize, Access, Access)>,
}

// === The oracle: top to bottom, text against text, no shared code ===

fn naive_levels(
    pages: &[PlainPage],
    default: Access,
    path: &str,
    role: usize,
) -> (Option<usize>, Access, Access) {
    let Some(index) = naive_page(pages, path) else { return (None, default, default) };
    let entry = pages[index].access.iter().find(|(who, _, _)| *who == role);
    let (before, after) = entry.map_or((Access::None, Access::None), |(_, before, after)| (*before, *after));
    (Some(index), before, after)
}

fn naive_page(pages: &[PlainPage], path: &str) -> Option<usize> {
    naive_winner(pages, path).map(|(index, _)| index)
}

fn naive_winner<'p>(pages: &'p [PlainPage], path: &str) -> Option<(usize, &'p str)> {
    let mut best: Option<(Vec<u8>, usize, &str)> = None;
    for (index, page) in pages.iter().enumerate() {
        for pattern in page.paths.iter().filter(|pattern| naive_covers(pattern, path)) {
            // Literal 2, `*` 1, `**` 0; a path that ends before `**` is more specific than one that goes on.
            let rank = |part: &&str| match *part {
                "**" => 0,
                "*" => 1,
                _ => 2,
            };
            let mut rank: Vec<u8> = split(pattern).iter().map(rank).collect();
            if rank.last() != Some(&0) {
                rank.push(3);
            }
            if best.as_ref().is_none_or(|(found, _, _)| rank > *found) {
                best = Some((rank, index, pattern));
            }
        }
    }
    best.map(|(_, index, pattern)| (index, pattern))
}

fn naive_covers(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (split(pattern), split(path));
    for (index, part) in pattern.iter().enumerate() {
        match (*part, path.get(index)) {
            ("**", _) => return true,
            (part, Some(found)) if part == "*" || part == *found => {}
            _ => return false,
        }
    }
    pattern.len() == path.len()
}

fn naive_needs(page: Option<&PlainPage>, method: &str, path: &str) -> Access {
    let named = |lines: &[(String, String)], method: &str| {
        lines.iter().any(|(m, p)| m == method && naive_covers(p, path))
    };
    if page.is_some_and(|page| named(&page.writes, method) || method == "HEAD" && named(&page.writes, "GET"))
    {
        return Access::Full;
    }
    if page.is_some_and(|page| named(&page.reads, method)) || ["GET", "HEAD", "OPTIONS"].contains(&method) {
        return Access::Read;
    }
    Access::Full
}

/// Whether any of all short paths is covered by the pattern and won by what `won` looks for. `c` stands for whatever
/// no pattern names, and no pattern has more than four parts.
fn naive_meets(pages: &[PlainPage], pattern: &str, won: impl Fn((usize, &str)) -> bool) -> bool {
    let mut paths = vec![String::new()];
    for depth in 0..5 {
        if depth > 0 {
            paths =
                paths.iter().flat_map(|path| ["a", "b", "c"].map(|part| format!("{path}/{part}"))).collect();
        }
        let met = |path: &String| naive_covers(pattern, path) && naive_winner(pages, path).is_some_and(&won);
        if paths.iter().any(met) {
            return true;
        }
    }
    false
}

fn split(path: &str) -> Vec<&str> {
    path.trim_matches('/').split('/').filter(|part| !part.is_empty()).collect()
}

// === From plain pages to the compiled rule set ===

fn scalar(text: &str) -> Node {
    Node { at: At::source("test"), value: Value::Scalar(text.into()) }
}

fn list(items: Vec<Node>) -> Node {
    Node { at: At::source("test"), value: Value::List(items) }
}

fn map(entries: Vec<(&str, Node)>) -> Node {
    let key = |text: &str| Key { at: At::source("test"), text: text.into() };
    let entries = entries.into_iter().map(|(name, node)| (key(name), node)).collect();
    Node { at: At::source("test"), value: Value::Map(entries) }
}

fn document(pages: &[PlainPage], default: Access) -> Node {
    let lines =
        |lines: &[(String, String)]| list(lines.iter().map(|(m, p)| scalar(&format!("{m} {p}"))).collect());
    let page = |(index, page): (usize, &PlainPage)| {
        let access = page.access.iter().map(|(role, before, after)| {
            let levels = vec![("unelevated", scalar(before.as_str())), ("elevated", scalar(after.as_str()))];
            (ROLES[*role], map(levels))
        });
        map(vec![
            ("name", scalar(&format!("page-{index}"))),
            ("paths", list(page.paths.iter().map(|path| scalar(path)).collect())),
            ("reads", lines(&page.reads)),
            ("writes", lines(&page.writes)),
            ("anonymous", scalar(if page.anonymous { "read" } else { "none" })),
            ("access", map(access.collect())),
        ])
    };
    map(vec![
        ("version", scalar("1")),
        ("roles", list(ROLES.map(scalar).into())),
        ("default", scalar(default.as_str())),
        ("pages", list(pages.iter().enumerate().map(page).collect())),
    ])
}

fn compiled(pages: &[PlainPage], default: Access) -> Option<RuleSet> {
    let mut found = Findings::default();
    compile(&document(pages, default), &mut found)
}

// === Strategies ===

fn access() -> impl Strategy<Value = Access> {
    prop_oneof![Just(Access::None), Just(Access::Read), Just(Access::Full)]
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof!["a", "b", "c"], 0..5).prop_map(|parts| format!("/{}", parts.join("/")))
}

fn pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![3 => Just("a"), 3 => Just("b"), 2 => Just("*")];
    (prop::collection::vec(part, 0..4), any::<bool>()).prop_map(|(mut parts, deep)| {
        if deep {
            parts.push("**");
        }
        format!("/{}", parts.join("/"))
    })
}

fn method() -> impl Strategy<Value = String> {
    prop_oneof!["GET", "HEAD", "OPTIONS", "POST", "DELETE", "get", "PURGE"]
}

fn amendments(methods: &'static [&'static str]) -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec((prop::sample::select(methods).prop_map(str::to_owned), pattern()), 0..3)
}

fn page() -> impl Strategy<Value = PlainPage> {
    let role = (0..ROLES.len(), access(), access()).prop_map(|(role, a, b)| (role, a.min(b), a.max(b)));
    let access = prop::collection::vec(role, 0..4).prop_map(|mut list| {
        list.sort_by_key(|(role, _, _)| *role);
        list.dedup_by_key(|(role, _, _)| *role);
        list
    });
    let paths = prop::collection::vec(pattern(), 1..4);
    (paths, amendments(&["POST", "DELETE"]), amendments(&["GET", "OPTIONS"]), any::<bool>(), access).prop_map(
        |(paths, reads, writes, anonymous, access)| PlainPage { paths, reads, writes, anonymous, access },
    )
}

/// Pages without two equally specific paths, which the compiler refuses.
fn rough_pages() -> impl Strategy<Value = Vec<PlainPage>> {
    prop::collection::vec(page(), 0..6).prop_map(|mut pages| {
        let mut seen = BTreeSet::new();
        for page in &mut pages {
            page.paths.retain(|path| seen.insert(path.clone()));
        }
        pages.retain(|page| !page.paths.is_empty());
        pages
    })
}

/// The same without what no request can meet, which the compiler refuses, too.
fn pages() -> impl Strategy<Value = Vec<PlainPage>> {
    rough_pages().prop_map(|pages| met(&pages))
}

fn met(pages: &[PlainPage]) -> Vec<PlainPage> {
    let mut kept = pages.to_vec();
    for (index, page) in kept.iter_mut().enumerate() {
        page.paths.retain(|path| naive_meets(pages, path, |(_, pattern)| pattern == path));
        let counts = |line: &(String, String)| naive_meets(pages, &line.1, |(page, _)| page == index);
        page.reads.retain(counts);
        page.writes.retain(counts);
    }
    kept.retain(|page| !page.paths.is_empty());
    kept
}

fn manner(method: &str) -> Manner<'_> {
    Manner { method, upgrade: false, method_override: false }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn the_compiled_policy_agrees_with_a_naive_reader(
        pages in pages(), default in access(), path in path(), method in method(), role in 0..ROLES.len(),
    ) {
        let rules = compiled(&pages, default).expect("these pages compile");
        let target = Target::parse(path.as_bytes()).unwrap();
        let ruling = rules.rule_for(&target, manner(&method));
        let (index, before, after) = naive_levels(&pages, default, &path, role);
        let name = index.map(|index| format!("page-{index}"));
        prop_assert_eq!(ruling.page.map(|page| page.name.to_string()), name);
        prop_assert_eq!(ruling.needs, naive_needs(index.map(|index| &pages[index]), &method, &path));
        let levels = rules.levels(ruling.page, &Role::from(ROLES[role]));
        prop_assert_eq!((levels.unelevated, levels.elevated), (before, after));
        let open = index.is_some_and(|index| pages[index].anonymous);
        prop_assert_eq!(ruling.page.is_some_and(|page| page.anonymous == Access::Read), open);
    }

    #[test]
    fn what_no_request_can_meet_is_refused_and_nothing_else(pages in rough_pages()) {
        let lines = |pages: &[PlainPage]| -> usize {
            pages.iter().map(|page| page.paths.len() + page.reads.len() + page.writes.len()).sum()
        };
        let all_met = lines(&met(&pages)) == lines(&pages);
        prop_assert_eq!(compiled(&pages, Access::None).is_some(), all_met);
    }

    #[test]
    fn the_order_of_pages_does_not_matter(pages in pages(), path in path(), method in method()) {
        let target = Target::parse(path.as_bytes()).unwrap();
        let turned: Vec<PlainPage> = pages.iter().rev().cloned().collect();
        let (one, other) = (compiled(&pages, Access::None).unwrap(), compiled(&turned, Access::None).unwrap());
        let (one_rules, other_rules) = (one.rule_for(&target, manner(&method)), other.rule_for(&target, manner(&method)));
        prop_assert_eq!(one_rules.needs, other_rules.needs);
        for role in ROLES.map(Role::from) {
            prop_assert_eq!(one.levels(one_rules.page, &role), other.levels(other_rules.page, &role));
        }
    }

    #[test]
    fn taking_access_away_never_gives_any(pages in pages(), path in path(), which in any::<prop::sample::Index>()) {
        let Some(rules) = compiled(&pages, Access::None) else { return Ok(()) };
        let mut less = pages.clone();
        if !less.is_empty() {
            let index = which.index(less.len());
            less[index].access.clear();
        }
        let fewer = compiled(&less, Access::None).unwrap();
        let target = Target::parse(path.as_bytes()).unwrap();
        for role in ROLES.map(Role::from) {
            let before = rules.levels(rules.page_for(&target), &role);
            let after = fewer.levels(fewer.page_for(&target), &role);
            prop_assert!(after.unelevated <= before.unelevated && after.elevated <= before.elevated);
        }
    }
}

#[test]
fn an_encoded_letter_reaches_the_same_page() {
    let page = PlainPage {
        paths: vec!["/admin/**".into()],
        reads: vec![],
        writes: vec![],
        anonymous: false,
        access: vec![(0, Access::Full, Access::Full)],
    };
    let rules = compiled(&[page], Access::None).unwrap();
    for spelling in ["/admin", "/admin/", "/%61dmin/x", "/adm%69n/x/y"] {
        let target = Target::parse(spelling.as_bytes()).unwrap();
        assert_eq!(rules.page_for(&target).map(|page| &*page.name), Some("page-0"), "{spelling}");
    }
    let other = Target::parse(b"/ADMIN/x").unwrap();
    assert!(rules.page_for(&other).is_none(), "paths are case-sensitive, as the panel's are");
}

#[test]
fn upgrades_and_overrides_are_writes_unless_a_page_says_that_a_web_socket_only_reads() {
    let page = |reads: &[(&str, &str)]| PlainPage {
        paths: vec!["/live/**".into()],
        reads: reads.iter().map(|(m, p)| ((*m).to_owned(), (*p).to_owned())).collect(),
        writes: vec![],
        anonymous: false,
        access: vec![],
    };
    let target = Target::parse(b"/live/ws").unwrap();
    let asked = |rules: &RuleSet, upgrade, method_override| {
        rules.rule_for(&target, Manner { method: "GET", upgrade, method_override }).needs
    };
    let closed = compiled(&[page(&[])], Access::None).unwrap();
    assert_eq!(asked(&closed, true, false), Access::Full, "an upgrade is a write (R36)");
    assert_eq!(asked(&closed, false, true), Access::Full, "an override is a write (R36)");
    let opened = compiled(&[page(&[("WEBSOCKET", "/live/ws")])], Access::None).unwrap();
    assert_eq!(asked(&opened, true, false), Access::Read);
    assert_eq!(asked(&opened, true, true), Access::Full, "whatever the page says");
    let posted = Manner { method: "POST", upgrade: true, method_override: false };
    assert_eq!(opened.rule_for(&target, posted).needs, Access::Full, "only a GET is a handshake (R23)");
}

/// A read-only role must not write by adding a field of a handshake to an ordinary request (R36).
#[test]
fn a_web_socket_that_only_reads_opens_no_other_method_and_no_get_that_writes() {
    let page = PlainPage {
        paths: vec!["/live/**".into()],
        reads: vec![("WEBSOCKET".into(), "/live/**".into()), ("POST".into(), "/live/search".into())],
        writes: vec![("GET".into(), "/live/login-as".into())],
        anonymous: false,
        access: vec![],
    };
    let rules = compiled(&[page], Access::None).unwrap();
    let asked = |method, path: &str, upgrade| {
        let target = Target::parse(path.as_bytes()).unwrap();
        rules.rule_for(&target, Manner { method, upgrade, method_override: false }).needs
    };
    assert_eq!(asked("GET", "/live/ws", true), Access::Read);
    for method in ["POST", "DELETE", "HEAD", "OPTIONS", "WEBSOCKET"] {
        assert_eq!(asked(method, "/live/ws", true), Access::Full, "{method}");
    }
    assert_eq!(asked("WEBSOCKET", "/live/ws", false), Access::Full, "the word is no method");
    assert_eq!(asked("GET", "/live/login-as", true), Access::Full);
    assert_eq!(asked("POST", "/live/search", false), Access::Read);
    assert_eq!(asked("POST", "/live/search", true), Access::Full);
}

#[test]
fn a_role_that_the_policy_does_not_know_gets_nothing_even_by_default() {
    let rules = compiled(&[], Access::Full).unwrap();
    let stranger = rules.levels(None, &Arc::from("stranger"));
    assert_eq!(stranger, Levels { unelevated: Access::None, elevated: Access::None });
}

#[test]
fn a_factor_that_the_policy_does_not_name_opens_nothing() {
    let at = Wall::from_secs(1000);
    let lasts = |methods: Vec<Node>| {
        let elevation = map(vec![("lasts", scalar("10s")), ("methods", list(methods))]);
        let document = map(vec![
            ("version", scalar("1")),
            ("roles", list(ROLES.map(scalar).into())),
            ("elevation", elevation),
            ("pages", list(vec![])),
        ]);
        let rules = compile(&document, &mut Findings::default()).unwrap();
        [Factor::Totp, Factor::BackupCode]
            .map(|by| rules.elevated_elsewhere_until(Some(Elevation { at, by })))
    };
    let end = Some(Wall::from_secs(1010));
    assert_eq!(lasts(vec![scalar("totp")]), [end, None]);
    assert_eq!(lasts(vec![scalar("backup-code")]), [None, end]);
    assert_eq!(lasts(vec![scalar("totp"), scalar("backup-code")]), [end, end]);
}

#[test]
fn an_explanation_names_page_line_levels_outcome_and_reason() {
    let mut page = PlainPage {
        paths: vec!["/users/**".into()],
        reads: vec![],
        writes: vec![],
        anonymous: false,
        access: vec![(0, Access::Read, Access::Full)],
    };
    let said = |page: &PlainPage, role: &str, method: &str, path: &str| {
        let rules = compiled(std::slice::from_ref(page), Access::None).unwrap();
        let fact = |key, text: &str| Fact { key, called: key.to_owned(), texts: vec![text.to_owned()] };
        let facts = [fact("role", role), fact("method", method), fact("path", path)];
        let mut found = Findings::default();
        let question = Question::of_facts(&facts, Wall::from_secs(0), &mut found);
        explain(&rules, &question.unwrap_or_else(|| panic!("{:?}", found.sorted())))
    };
    let reasons = |page: &PlainPage, role, method, path: &str| {
        let said = said(page, role, method, path);
        [said.outcome, said.reason, said.outcome_elevated.unwrap(), said.reason_elevated.unwrap()]
    };
    assert_eq!(
        said(&page, "root", "POST", "/users/7").to_string(),
        "request     POST /users/7 as root, at 1970-01-01T00:00:00Z\n\
         page        page-0  (test:0)\n\
         needs       full\n\
         access      root: read before the second factor, full after it\n\
         counts for  15m\n\
         outcome     step-up  (needs-elevation): root has read before the second factor and full after it, and full is needed\n\
         elevated    allow  (elevated-allows)"
    );
    assert_eq!(reasons(&page, "root", "GET", "/users"), ["allow", "role-allows", "allow", "role-allows"]);
    assert_eq!(
        reasons(&page, "user", "GET", "/users"),
        ["deny", "role-lacks-access", "deny", "role-lacks-access"]
    );
    assert_eq!(reasons(&page, "root", "GET", "/x"), ["deny", "no-page", "deny", "no-page"]);
    assert_eq!(reasons(&page, "boss", "GET", "/users"), ["deny", "unknown-role", "deny", "unknown-role"]);
    let ambiguous = reasons(&page, "root", "GET", "/users/a%2Fb");
    assert_eq!(ambiguous, ["bad-request", "ambiguous-target", "bad-request", "ambiguous-target"]);
    page.anonymous = true;
    assert_eq!(reasons(&page, "boss", "GET", "/users"), ["allow", "anonymous", "allow", "anonymous"]);
}
