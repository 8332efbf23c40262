//! Text → tree, within bounds (R28).

use std::{fmt::Write as _, sync::Arc};

use crate::{
    config::yaml::{MAX_BYTES, parse},
    rules::written::{Findings, Node, Value},
};

fn read(text: &str) -> Result<Node, String> {
    let mut found = Findings::default();
    let node = parse(&Arc::from("test.yaml"), text, &mut found);
    node.ok_or_else(|| {
        found.sorted().iter().map(|problem| problem.code.to_owned() + " " + &problem.what).collect()
    })
}

fn child(node: Node, name: &str) -> Node {
    let Value::Map(entries) = node.value else { panic!("not a mapping: {node:?}") };
    entries.into_iter().find(|(key, _)| key.text == name).unwrap().1
}

#[test]
fn scalars_are_kept_as_they_were_written() {
    for text in ["1e3", "0x10", "010", "1.0", "true", "yes", "15m", "+1", ".5", "1_000"] {
        let node = read(&format!("a: 1\nkey: {text}   # a comment\n")).unwrap();
        assert_eq!(child(node, "key").value, Value::Scalar(text.to_owned()), "{text}");
    }
}

#[test]
fn places_count_from_one_and_in_characters() {
    let node = read("a: 1\n\"ключ\":   \"значение\"\n").unwrap();
    let at = child(node, "ключ").at;
    assert_eq!((&*at.source, at.line, at.column), ("test.yaml", 2, 11));
}

#[test]
fn an_alias_is_placed_where_it_is_used() {
    let at = child(read("a: &x [1, 2]\nb: *x\n").unwrap(), "b").at;
    assert_eq!((at.line, at.column), (2, 4));
}

#[test]
fn size_depth_and_unfolding_are_bounded() {
    let long = format!("a: {}", "x".repeat(MAX_BYTES));
    assert!(read(&long).unwrap_err().starts_with("Y002 the file has"));
    let deep = format!("a: {}{}", "[".repeat(40), "]".repeat(40));
    assert!(read(&deep).unwrap_err().starts_with("Y001 "));
    let mut bomb = String::from("a0: &a0 [x, x]\n");
    for level in 1..40 {
        let _ = writeln!(bomb, "a{level}: &a{level} [*a{0}, *a{0}]", level - 1);
    }
    assert!(read(&bomb).unwrap_err().starts_with("Y001 "));
    let many = "a: &x 1\nb: [".to_owned() + &"*x, ".repeat(200) + "]";
    assert!(read(&many).unwrap_err().starts_with("Y001 "));
}

#[test]
fn what_the_parser_quotes_cannot_reach_a_terminal() {
    let said = read("a: \u{1b}[31m\n").unwrap_err() + &read("\"\\x\u{7}\": 1\n").unwrap_err();
    assert!(!said.contains(char::is_control), "{said:?}");
}
