//! The house rules, as a test: pure text checks over `src/`. Each check is tried on bad snippets in `seeded`, so that
//! it is known to be able to fail.

#![cfg(test)]
#![expect(
    clippy::string_slice,
    reason = "every index comes from a search in the same text; a wrong one should fail"
)]

mod checks;
mod imports;
mod paths;
mod seeded;
mod source;

use std::path::{Path, PathBuf};

use source::{Source, read_tree};

/// Files that may be longer than 600 lines, with their present length. A number here may only become smaller.
const LONG_FILES: &[(&str, usize)] = &[];

/// Functions that may be longer than 70 lines, with their present length. A number here may only become smaller.
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn src() -> Vec<Source> {
    let files = read_tree(&root().join("src"));
    assert!(files.len() > 40, "only {} files found: is this the source tree?", files.len());
    files
}

#[track_caller]
fn clean(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn modules_import_only_what_the_matrix_allows() {
    clean(imports::matrix(&src()));
}

#[test]
fn concrete_stores_are_named_by_the_composer_alone() {
    clean(imports::concrete_stores(&src()));
}

#[test]
fn rules_are_free_of_io_time_randomness_and_logging() {
    clean(imports::pure_rules(&src()));
}

#[test]
fn live_never_waits() {
    clean(checks::live_never_waits(&src()));
}

#[test]
fn time_and_randomness_have_one_door_each() {
    clean(checks::ambient(&src()));
}

#[test]
fn forwarding_headers_are_named_in_the_dialects_alone() {
    clean(checks::forwarding_headers(&src()));
}

#[test]
fn files_are_short() {
    clean(checks::file_length(&src(), LONG_FILES));
    clean(checks::file_length(&read_tree(&root().join("tests")), LONG_FILES));
}

#[test]
fn functions_are_short() {
    clean(checks::function_length(&src(), LONG_FUNCTIONS));
    clean(checks::function_length(&read_tree(&root().join("tests")), LONG_FUNCTIONS));
}

#[test]
fn nothing_is_left_for_later() {
    clean(checks::leftovers(&src()));
    clean(checks::leftovers(&read_tree(&root().join("tests"))));
}

#[test]
fn every_file_is_part_of_the_crate() {
    clean(checks::dead_files(&src()));
}

#[test]
fn the_map_in_the_crate_documentation_names_every_module() {
    clean(checks::map(&src()));
}

#[test]
fn every_rule_that_is_mentioned_exists() {
    clean(checks::rule_numbers(&src()));
}
