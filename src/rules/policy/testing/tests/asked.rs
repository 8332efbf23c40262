//! Coverage against brute force: a cell is exercised exactly when some question is one that its access decides.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Cell, Coverage, Holder, compiled, read, run};

const ROLES: [&str; 2] = ["root", "user"];
const WORDS: [&str; 3] = ["none", "read", "full"];

/// A page, `/p0` or `/p1`: levels as numbers, 0 for none.
#[derive(Clone, Debug)]
struct Page {
    levels: [(usize, usize); 2],
    anonymous: bool,
    read_scope: bool,
    write_scope: bool,
    /// Whether both scopes have one name.
    same_scope: bool,
    /// Whether the page is for one network, and each role on it.
    inside_only: bool,
    role_inside_only: [bool; 2],
}

#[derive(Clone, Debug)]
enum Who {
    Nobody,
    Session { role: usize, enrolled: bool, elevated: bool, acting: Option<(usize, bool)> },
    Key { role: usize, enrolled: bool, scopes: Vec<usize> },
}

#[derive(Clone, Debug)]
struct Ask {
    page: usize,
    ambiguous: bool,
    write: bool,
    inside: bool,
    who: Who,
}

impl Page {
    fn scopes(&self, page: usize) -> [Option<String>; 2] {
        let write = if self.same_scope { "r" } else { "w" };
        [self.read_scope.then(|| format!("p{page}:r")), self.write_scope.then(|| format!("p{page}:{write}"))]
    }

    fn written(&self, page: usize) -> Value {
        let limit = |mut what: Value, inside_only: bool| {
            if inside_only {
                what["when"] = json!({ "networks": ["10.0.0.0/8"] });
            }
            what
        };
        let role = |role: usize| {
            let (before, after) = self.levels[role];
            let levels = json!({ "unelevated": WORDS[before], "elevated": WORDS[after] });
            limit(levels, self.role_inside_only[role])
        };
        let [read, write] = self.scopes(page);
        let all = json!({
            "name": format!("p{page}"), "paths": [format!("/p{page}/**")],
            "anonymous": if self.anonymous { "read" } else { "none" },
            "scopes": { "read": read, "write": write }, "access": { "root": role(0), "user": role(1) },
        });
        limit(all, self.inside_only)
    }
}

impl Ask {
    fn written(&self, number: usize, pages: &[Page; 2]) -> Value {
        let mut case = json!({
            "name": format!("case {number}"), "expect": "allow",
            "path": format!("/p{}/{}", self.page, if self.ambiguous { "a;b" } else { "a" }),
            "method": if self.write { "POST" } else { "GET" },
            "from": if self.inside { "10.0.0.1" } else { "192.0.2.1" },
        });
        match &self.who {
            Who::Nobody => case["role"] = "nobody".into(),
            Who::Session { role, enrolled, elevated, acting } => {
                case["role"] = ROLES[*role].into();
                case["enrolled"] = (*enrolled).into();
                case["elevated"] = (*elevated).into();
                if let Some((role, write)) = acting {
                    case["acting_as"] = ROLES[*role].into();
                    case["write"] = (*write).into();
                }
            }
            Who::Key { role, enrolled, scopes } => {
                case["role"] = ROLES[*role].into();
                case["enrolled"] = (*enrolled).into();
                let named = pages[self.page].scopes(self.page);
                let scopes: Vec<&String> = scopes.iter().filter_map(|scope| named[*scope].as_ref()).collect();
                case["scopes"] = json!(scopes);
            }
        }
        case
    }

    /// Whether the access that the cell stands for decides this request.
    fn is_of(&self, cell: &Cell, pages: &[Page; 2], root_must_enrol: bool) -> bool {
        let page = &pages[self.page];
        let there = cell.page.as_deref() == Some(&*format!("p{}", self.page)) && cell.write == self.write;
        let here = self.inside || !page.inside_only;
        if !there || !here || self.ambiguous {
            return false;
        }
        let open = page.anonymous && !self.write;
        let needs = if self.write { 2 } else { 1 };
        let fit = |role: usize, enrolled: bool| open || enrolled || role != 0 || !root_must_enrol;
        let role_here = |role: usize| open || self.inside || !page.role_inside_only[role];
        match &self.who {
            Who::Nobody => cell.who == Holder::Nobody,
            Who::Session { role, enrolled, elevated, acting } => {
                let counts = acting.map_or(*role, |(role, _)| role);
                let level = if *elevated { page.levels[counts].1 } else { page.levels[counts].0 };
                let cut = self.write && level >= needs && acting.is_some_and(|(_, write)| !write);
                let own = cell.who == Holder::Role(ROLES[counts].into()) && cell.elevated == *elevated;
                own && fit(*role, *enrolled) && role_here(counts) && !cut
            }
            Who::Key { role, enrolled, scopes } => {
                let named = page.scopes(self.page);
                let has = |scope: &Option<String>| {
                    scope.clone().filter(|scope| scopes.iter().any(|own| named[*own].as_ref() == Some(scope)))
                };
                let (wanted, other) =
                    if self.write { (&named[1], &named[0]) } else { (&named[0], &named[1]) };
                let Some(scope) = has(wanted).or_else(|| has(other)) else { return false };
                let owner = open || page.levels[*role].1 >= needs;
                cell.who == Holder::Key(scope.into()) && fit(*role, *enrolled) && role_here(*role) && owner
            }
        }
    }
}

/// Every cell that there should be.
fn all_cells(pages: &[Page; 2]) -> BTreeSet<Cell> {
    let mut cells = BTreeSet::new();
    for (number, page) in pages.iter().enumerate() {
        let mut who = vec![(Holder::Nobody, false)];
        for role in ROLES {
            who.extend([false, true].map(|elevated| (Holder::Role(role.into()), elevated)));
        }
        who.extend(page.scopes(number).into_iter().flatten().map(|scope| (Holder::Key(scope.into()), false)));
        for (who, elevated) in who {
            for write in [false, true] {
                let page = Some(format!("p{number}").into());
                cells.insert(Cell { page, who: who.clone(), elevated, write });
            }
        }
    }
    cells
}

fn pages() -> impl Strategy<Value = [Page; 2]> {
    let level = (0..3_usize, 0..3_usize).prop_map(|(one, other)| (one.min(other), one.max(other)));
    let few = || prop::bool::weighted(0.3);
    let page = (prop::array::uniform2(level), few(), any::<[bool; 3]>(), few(), prop::array::uniform2(few()));
    let page =
        page.prop_map(|(levels, anonymous, [read_scope, write_scope, same_scope], inside_only, own)| Page {
            levels,
            anonymous,
            read_scope,
            write_scope,
            same_scope,
            inside_only,
            role_inside_only: own,
        });
    prop::array::uniform2(page)
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let who = prop_oneof![
        Just(Who::Nobody),
        (0..2_usize, prop::bool::weighted(0.8), any::<bool>(), prop::option::of((0..2_usize, any::<bool>())))
            .prop_map(|(role, enrolled, elevated, acting)| Who::Session { role, enrolled, elevated, acting }),
        (0..2_usize, prop::bool::weighted(0.8), prop::sample::subsequence(vec![0, 1], 0..=2))
            .prop_map(|(role, enrolled, scopes)| Who::Key { role, enrolled, scopes }),
    ];
    let ask = (0..2_usize, prop::bool::weighted(0.1), any::<bool>(), any::<bool>(), who);
    let ask =
        ask.prop_map(|(page, ambiguous, write, inside, who)| Ask { page, ambiguous, write, inside, who });
    prop::collection::vec(ask, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn coverage_is_what_brute_force_says(pages in pages(), asks in asks(), root_must_enrol in any::<bool>()) {
        let required: &[&str] = if root_must_enrol { &["root"] } else { &[] };
        let rules = compiled(&json!({
            "version": 1, "roles": ROLES, "require_2fa": required,
            "pages": [pages[0].written(0), pages[1].written(1)],
        }));
        let cases: Vec<Value> =
            asks.iter().enumerate().map(|(number, ask)| ask.written(number, &pages)).collect();
        let coverage = run(&rules, &read(&rules, &json!({ "cases": cases }))).coverage;
        let cells = all_cells(&pages);
        prop_assert_eq!(&coverage.cells().map(|(cell, _)| cell.clone()).collect::<BTreeSet<_>>(), &cells);
        prop_assert_eq!(coverage.total(), cells.len());
        let wanted: BTreeSet<Cell> = cells
            .into_iter()
            .filter(|cell| asks.iter().any(|ask| ask.is_of(cell, &pages, root_must_enrol)))
            .collect();
        let found: BTreeSet<Cell> =
            coverage.cells().filter(|(_, exercised)| *exercised).map(|(cell, _)| cell.clone()).collect();
        prop_assert_eq!(found.len(), coverage.covered());
        prop_assert_eq!(found, wanted);
    }
}

#[test]
fn paths_without_a_page_count_where_the_default_gives_something() {
    let policy = |default: &str| {
        compiled(&json!({ "version": 1, "roles": ["root"], "default": default, "pages": [
            { "name": "p", "paths": ["/p"], "access": { "root": "full" } }] }))
    };
    assert_eq!(Coverage::of(&policy("none")).total(), 6);
    let rules = policy("read");
    let suite = read(
        &rules,
        &json!({ "cases": [{ "name": "elsewhere", "role": ["root", "nobody"], "path": "/x", "expect": "allow" }] }),
    );
    let coverage = run(&rules, &suite).coverage;
    assert_eq!((coverage.total(), coverage.covered(), coverage.percent()), (12, 2, 16));
    assert_eq!(Coverage::of(&compiled(&json!({ "version": 1, "roles": ["root"] }))).percent(), 100);
}

#[test]
fn coverages_of_one_policy_add_up() {
    let rules = compiled(&json!({ "version": 1, "roles": ["root"], "pages": [
        { "name": "p", "paths": ["/p"], "access": { "root": "full" } }] }));
    let of = |method: &str| {
        let case =
            json!({ "name": "one", "role": "root", "method": method, "path": "/p", "expect": "allow" });
        run(&rules, &read(&rules, &json!({ "cases": [case] })))
    };
    let mut both = of("GET");
    both.join(of("POST"));
    assert_eq!((both.checks.len(), both.coverage.covered()), (2, 2));
}
