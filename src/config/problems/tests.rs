//! Carets under tabs and wide characters, long lines, secrets, colours, JSON.

use super::*;
use crate::rules::written::At;

fn problems(line: &str, column: u32, width: u32) -> Problems {
    let mut found = Findings::default();
    let at = At { source: "a.yaml".into(), line: 1, column, width };
    found.error("P017", &at, "unknown role `rot`", "did you mean `root`?");
    Problems::new(found, BTreeMap::from([("a.yaml".into(), line.into())]))
}

fn carets(line: &str, column: u32, width: u32) -> String {
    problems(line, column, width).to_string().lines().nth(3).unwrap().trim_start_matches("  | ").to_owned()
}

#[test]
fn the_carets_stand_under_the_whole_token() {
    let said = problems("access: { rot: full }", 11, 3).to_string();
    let wanted = "a.yaml:1:11: error[P017]: unknown role `rot`\n  |\n1 | access: { rot: full }\n  |           ^^^\n  help: did you mean `root`?\n";
    assert_eq!(said, wanted);
    assert_eq!(carets("rot", 1, 90), "^^^", "a token that goes on below ends with its line");
    assert_eq!(carets("rot", 4, 0), "   ^", "the end of the line");
}

#[test]
fn tabs_and_wide_characters_keep_the_carets_in_place() {
    assert_eq!(carets("\trot", 2, 3), "\t^^^");
    assert_eq!(carets("名前: rot", 5, 3), "      ^^^", "two columns each");
    assert_eq!(carets("a: 名前", 4, 2), "   ^^^^");
    assert_eq!(carets("e\u{301}: rot", 5, 3), "   ^^^", "an accent of its own has no width");
}

#[test]
fn of_a_long_line_the_part_around_the_place_is_shown() {
    let line = format!("{}rot{}", "x".repeat(400), "y".repeat(400));
    let said = problems(&line, 401, 3).to_string();
    let (text, below) = (said.lines().nth(2).unwrap(), said.lines().nth(3).unwrap());
    assert!(text.chars().count() < 180 && text.starts_with("1 | …xxx") && text.ends_with("yyy…"), "{said}");
    let place = text.chars().position(|c| c == 'r');
    assert_eq!(place, below.chars().position(|c| c == '^'), "{said}");
}

#[test]
fn a_secret_in_the_file_is_not_shown_again() {
    for line in [
        "secret: Tr0ub4dor",
        "  - { name: a, secret: Tr0ub4dor, x: 1 }",
        "password: \"Tr0, ub4dor\"",
        "\"secret\": 'Tr0ub4dor'",
    ] {
        let said = problems(line, 1, 1).to_string();
        assert!(said.contains("(hidden)") && !said.contains("Tr0"), "{said}");
        assert!(!problems(line, 1, 1).json().to_string().contains("Tr0"));
    }
    let said = problems("secret_file: /etc/x", 1, 1).to_string();
    assert!(said.contains("/etc/x"), "the name of a file is no secret: {said}");
}

/// Every line of a text in which a secret stands in some spelling, with a message that repeats what is at fault.
#[test]
fn a_secret_is_hidden_however_it_is_written() {
    const CANARY: &str = "C4n4ry";
    for text in [
        "secret:C4n4ry",
        "-secret: C4n4ry",
        "secret: @C4n4ry",
        "secret: %C4n4ry x",
        "secret: a: C4n4ry",
        "secret: [C4n4ry]",
        "secret:\n  C4n4ry",
        "secret:\nC4n4ry",
        "secret: |\n  first\n  C4n4ry: x",
        "secret: first\n  C4n4ry",
        "Secret: C4n4ry",
        "SECRET : C4n4ry",
        "secrt: C4n4ry",
        "secret=C4n4ry",
        "secrets: C4n4ry",
        "secrets: [C4n4ry]",
        "secrets:\n  - C4n4ry",
        "secrets:\n- C4n4ry",
        "secrets:\n  - name: a\n    secret: x\n  - C4n4ry",
        "master_key: C4n4ry",
        "master-key: C4n4ry",
        "passphrase: C4n4ry",
        "pasword: 'C4n4ry'",
        "\"secret\": \"C4n4ry\"",
        "[{ name: a, secret: x }, { name: b, secret: C4n4ry }]",
        "{ name: a, secret: abcdefgh,C4n4ry, x: 1 }",
        "url: https://user:C4n4ry@example.com/x",
        "url: \"https://example.com/?token=C4n4ry\"",
    ] {
        let mut found = Findings::default();
        for (line, said) in (1..).zip(text.lines()) {
            let at = At { source: "a.yaml".into(), line, column: 3, width: 99 };
            let value = said.trim_start_matches(['-', ' ']);
            let word = said
                .split([' ', ',', ':', '[', ']', '"', '\'', '/', '@', '='])
                .find(|word| word.contains(CANARY));
            found.error(
                "Y001",
                &at,
                format!("`{}` is wrong", word.unwrap_or_default()),
                format!("write `{value}`"),
            );
        }
        let texts = BTreeMap::from([("a.yaml".into(), text.into())]);
        let problems = Problems::new(found, texts);
        for said in [problems.to_string(), problems.coloured(), problems.json().to_string()] {
            assert!(said.contains("(hidden)") && !said.contains(CANARY), "{text}\n{said}");
        }
    }
}

#[test]
fn what_only_looks_like_a_secret_is_shown() {
    for line in [
        "socket: /run/a.sock",
        "passwords: { min_length: 12 }",
        "secrets: [{ name: nginx, secret_file: s }]",
        "token: { pointer: /token }",
        "form: { user: \"{username}\", pass: \"{password}\", csrf: \"{token}\" }",
        "SECRET_FILE: /etc/x",
        "url: https://user@example.com/",
    ] {
        assert!(problems(line, 1, 1).to_string().contains(line), "{line}");
    }
}

#[test]
fn carets_keep_their_place_beside_a_secret() {
    assert_eq!(carets("secret: abcdefghijkl", 9, 12), "        ^^^^^^^^");
    assert_eq!(carets("secret: abcdefghijkl", 12, 3), "        ^^^", "inside");
    assert_eq!(carets("x: http://u:abcdefghijkl@a", 26, 1), "                   ^", "behind");
}

#[test]
fn colours_are_added_to_the_very_same_text() {
    let found = problems("access: { rot: full }", 11, 3);
    let coloured = found.coloured();
    assert!(coloured.contains("\u{1b}[1;31m^^^\u{1b}[0m"), "{coloured:?}");
    let mut plain = String::new();
    let mut parts = coloured.split('\u{1b}');
    plain.push_str(parts.next().unwrap());
    parts.for_each(|part| plain.push_str(part.split_once('m').unwrap().1));
    assert_eq!(plain, found.to_string());
}

#[test]
fn machines_get_the_same_facts() {
    let json = problems("access: { rot: full }", 11, 3).json();
    assert_eq!(json[0]["code"], "P017");
    assert_eq!((&json[0]["line"], &json[0]["column"], &json[0]["width"]), (&1.into(), &11.into(), &3.into()));
    assert_eq!(json[0]["text"], "access: { rot: full }");
}
