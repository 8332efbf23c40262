//! The paths that a piece of code names, with groups spelled out: `use crate::{a::b, c}` names `crate::a::b` and
//! `crate::c`, and so does `crate::a::b` in the middle of an expression.

/// A path and the line where it starts.
pub(crate) struct Named {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
}

/// All paths of two segments or more.
pub(crate) fn named(code: &str) -> Vec<Named> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let starts = tokens[at].is_word() && (at == 0 || !matches!(tokens[at - 1].text.as_str(), "::" | "."));
        if starts {
            at = path(&tokens, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found.retain(|named| named.segments.len() > 1);
    found
}

struct Token {
    line: usize,
    text: String,
}

impl Token {
    fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// Reads one path, groups included, and gives the token after it.
fn path(tokens: &[Token], mut at: usize, before: &[String], found: &mut Vec<Named>) -> usize {
    let line = tokens[at].line;
    let mut segments = before.to_vec();
    segments.push(tokens[at].text.clone());
    at += 1;
    while tokens.get(at).is_some_and(|token| token.text == "::") {
        match tokens.get(at + 1) {
            Some(next) if next.is_word() => {
                segments.push(next.text.clone());
                at += 2;
            }
            Some(next) if next.text == "{" => return group(tokens, at + 2, &segments, found),
            _ => {
                at += 1;
                break;
            }
        }
    }
    found.push(Named { line, segments });
    at
}

fn group(tokens: &[Token], mut at: usize, before: &[String], found: &mut Vec<Named>) -> usize {
    while let Some(token) = tokens.get(at) {
        if token.text == "}" {
            return at + 1;
        }
        at = match token.text.as_str() {
            "self" => {
                found.push(Named { line: token.line, segments: before.to_vec() });
                at + 1
            }
            "as" => at + 2,
            _ if token.is_word() => path(tokens, at, before, found),
            _ => at + 1,
        };
    }
    at
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (line, text) in (1..).zip(code.lines()) {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = if word > 0 {
                word
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            let (token, after) = rest.split_at(length);
            tokens.push(Token { line, text: token.to_owned() });
            rest = after.trim_start();
        }
    }
    tokens
}
