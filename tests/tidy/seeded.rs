//! Bad snippets: each check must find them, and must leave the good ones alone.

use crate::{checks, imports, paths, source::Source};

fn one(path: &str, text: &str) -> Vec<Source> {
    vec![Source::new(path, text)]
}

#[track_caller]
fn finds(problems: &[String], needle: &str) {
    assert!(problems.iter().any(|problem| problem.contains(needle)), "{needle} not in {problems:?}");
}

#[test]
fn an_arrow_upwards_is_found_however_it_is_spelled() {
    for text in [
        "use crate::store::Store;",
        "use crate::{clock::Wall, gate::{Gate, Visit}};",
        "fn f() { crate::app::start(); }",
        "use super::super::live::Live;",
        "use crate::clock::{Clock, Wall};",
    ] {
        assert!(!imports::matrix(&one("rules/limit.rs", text)).is_empty(), "{text}");
    }
    finds(&imports::matrix(&one("doors/sidecar.rs", "use crate::portal::Portal;")), "`portal::Portal`");
    finds(&imports::matrix(&one("portal/router.rs", "use crate::doors::PortalService;")), "`portal` may not");
    finds(&imports::matrix(&one("gate.rs", "use crate::config::Settings;")), "`gate` may not");
    finds(&imports::matrix(&one("unheard_of.rs", "")), "no row");
}

#[test]
fn what_the_matrix_allows_is_left_alone() {
    let good = "//! use crate::gate in a comment\nuse crate::{clock::Wall, secret::SecretText};\nuse super::policy;\n\
                const A: &str = \"crate::gate::Gate\";\n#[cfg(test)]\nmod tests { use crate::clock::ManualClock; use crate::gate::Gate; }\n";
    assert_eq!(imports::matrix(&one("rules/limit.rs", good)), Vec::<String>::new());
    let tests = vec![
        Source::new("rules/limit/mod.rs", "#[cfg(test)]\nmod tests;\n"),
        Source::new("rules/limit/tests.rs", "use crate::gate::Gate;"),
    ];
    assert_eq!(imports::matrix(&tests), Vec::<String>::new());
}

#[test]
fn a_concrete_store_outside_the_composer_is_found() {
    let text = "use crate::store::{Store, redb::Redb};";
    assert_eq!(imports::concrete_stores(&one("cli/user.rs", text)).len(), 1);
    assert_eq!(imports::concrete_stores(&one("app/assemble.rs", text)).len(), 0);
}

#[test]
fn impurity_in_the_rules_is_found() {
    for text in [
        "use std::{fmt, fs};",
        "use std::time::{Duration, Instant};",
        "async fn f() {}",
        "fn f() { tracing::info!(1); }",
        "fn f() { std::env::var(1); }",
        "use tokio::sync::Mutex;",
    ] {
        assert!(!imports::pure_rules(&one("rules/limit.rs", text)).is_empty(), "{text}");
    }
    let good = "use std::{fmt, time::Duration};\n// async, tokio::spawn\nconst A: &str = \"std::fs::read\";";
    assert_eq!(imports::pure_rules(&one("rules/limit.rs", good)), Vec::<String>::new());
}

#[test]
fn waiting_in_live_is_found() {
    assert_eq!(checks::live_never_waits(&one("live/mod.rs", "async fn f() { g().await }")).len(), 1);
    assert_eq!(checks::live_never_waits(&one("gate.rs", "async fn f() { g().await }")).len(), 0);
}

#[test]
fn hidden_clocks_and_dice_are_found() {
    finds(&checks::ambient(&one("gate.rs", "let t = Instant::now();")), "clock");
    finds(&checks::ambient(&one("gate.rs", "let t = jiff::Zoned::now();")), "clock");
    finds(&checks::ambient(&one("gate.rs", "getrandom::fill(&mut b);")), "entropy");
    assert_eq!(checks::ambient(&one("clock.rs", "let t = Instant::now();")).len(), 0);
    assert_eq!(checks::ambient(&one("gate.rs", "let now = self.now; live.now();")).len(), 0);
}

#[test]
fn a_forwarding_header_outside_the_dialects_is_found() {
    let text = "const A: &str = \"X-Forwarded-For\";";
    assert_eq!(checks::forwarding_headers(&one("doors/sidecar.rs", text)).len(), 1);
    assert_eq!(checks::forwarding_headers(&one("gate.rs", "f(b\"x_original_url\", r#\"x\"#);")).len(), 1);
    assert_eq!(checks::forwarding_headers(&one("doors/dialect/nginx.rs", text)).len(), 0);
    assert_eq!(checks::forwarding_headers(&one("gate.rs", "// X-Forwarded-For\n")).len(), 0);
}

#[test]
fn long_files_and_functions_are_found_and_exceptions_only_shrink() {
    let long = format!("fn big() {{\n{}}}\n", "    f();\n".repeat(70));
    let files = one("gate.rs", &long);
    finds(&checks::function_length(&files, &[]), "`big` has 72 lines");
    assert_eq!(checks::function_length(&files, &[("gate.rs", "big", 72)]).len(), 0);
    finds(&checks::function_length(&files, &[("gate.rs", "big", 80)]), "lower its exception");
    let tricky = "fn a(f: impl Fn(u8) -> [u8; 2]) -> u8 { '{'; \"}\"; 1 }\nfn b();\n";
    assert_eq!(checks::function_length(&one("gate.rs", tricky), &[]).len(), 0);
    // A field that only tests have ends with its line, and hides nothing of what follows.
    let field = format!("fn a() -> A {{\n    A {{\n        #[cfg(test)]\n        n: 1,\n    }}\n}}\n{long}");
    let found = checks::function_length(&one("gate.rs", &field), &[]);
    finds(&found, "`big` has 72 lines");
    assert_eq!(found.len(), 1);

    let files = one("gate.rs", &"\n".repeat(601));
    finds(&checks::file_length(&files, &[]), "601 lines");
    assert_eq!(checks::file_length(&files, &[("gate.rs", 601)]).len(), 0);
    finds(&checks::file_length(&files, &[("gate.rs", 700)]), "lower its exception");
}

#[test]
fn leftovers_are_found() {
    let mark = ["TO", "DO"].concat();
    assert_eq!(checks::leftovers(&one("gate.rs", &format!("// {mark}: later"))).len(), 1);
    assert_eq!(
        checks::leftovers(&one("gate.rs", &format!("fn f() {{ {}!(\"x\") }}", mark.to_lowercase()))).len(),
        1
    );
}

#[test]
fn a_file_outside_the_crate_is_found() {
    let files = vec![
        Source::new("lib.rs", "pub mod a;"),
        Source::new("a/mod.rs", "mod b;"),
        Source::new("a/b.rs", ""),
        Source::new("a/c.rs", ""),
    ];
    assert_eq!(checks::dead_files(&files), ["src/a/c.rs: no `mod c;` above it"]);
}

#[test]
fn a_module_missing_on_the_map_is_found() {
    let text = "//! * `a`: something\n//! * [`b`]: more\n\npub mod a;\npub mod b;\npub mod c;\n";
    assert_eq!(checks::map(&one("lib.rs", text)).len(), 1);
}

#[test]
fn a_rule_that_does_not_exist_is_found() {
    assert_eq!(checks::rule_numbers(&one("gate.rs", "// R1, R36; (R37) and R0, not R2D2\n")).len(), 2);
}

#[test]
fn paths_are_read_through_nested_groups() {
    let code = "use a::{b::{self, c}, d as e, f::*};\nlet x = g::h::<u8>();";
    let found: Vec<_> = paths::named(code).iter().map(|named| named.segments.join("::")).collect();
    assert_eq!(found, ["a::b", "a::b::c", "a::d", "a::f", "g::h"]);
}
