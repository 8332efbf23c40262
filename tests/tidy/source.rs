//! Source files as text: read from the tree, with comments and strings told apart from code.

use std::{fs, path::Path};

/// One file of the tree.
pub(crate) struct Source {
    /// Relative to `src/`, with forward slashes: `rules/facts/mod.rs`.
    pub(crate) path: String,
    /// As it is.
    pub(crate) raw: String,
    /// With comments and the insides of literals blanked out and test-only items removed; lines keep their numbers.
    pub(crate) code: String,
    /// The insides of string literals outside test-only items, with their lines.
    pub(crate) strings: Vec<(usize, String)>,
    /// The text of comments, with their lines.
    pub(crate) comments: Vec<(usize, String)>,
}

impl Source {
    pub(crate) fn new(path: &str, raw: &str) -> Self {
        let mut parts = split(raw);
        let tests = test_blocks(&parts.code);
        for (from, to) in &tests {
            blank(&mut parts.code, *from, *to);
        }
        let hidden = |line: usize| {
            tests.iter().any(|(from, to)| line > line_of(raw, *from) && line <= line_of(raw, *to))
        };
        parts.strings.retain(|(line, _)| !hidden(*line));
        Self {
            path: path.to_owned(),
            raw: raw.to_owned(),
            code: String::from_utf8_lossy(&parts.code).into_owned(),
            strings: parts.strings,
            comments: parts.comments,
        }
    }

    /// The module that the file is: `["rules", "facts"]` for `rules/facts/mod.rs`.
    pub(crate) fn module(&self) -> Vec<&str> {
        let stem = self.path.trim_end_matches(".rs");
        let stem = stem.strip_suffix("/mod").unwrap_or(stem);
        if matches!(stem, "lib" | "main" | "mod") { Vec::new() } else { stem.split('/').collect() }
    }

    /// Whether the whole file is compiled for tests only.
    pub(crate) fn is_test(&self, all: &[Self]) -> bool {
        let module = self.module();
        (1..=module.len()).any(|depth| {
            let (parent, name) = (&module[..depth - 1], module[depth - 1]);
            all.iter().filter(|file| file.module() == parent).any(|file| file.declares_test(name))
        })
    }

    /// Whether the file has `mod name;`, for tests or not.
    pub(crate) fn declares(&self, name: &str) -> bool {
        let needle = format!("mod {name};");
        self.raw.lines().any(|line| line.trim().ends_with(&needle))
    }

    fn declares_test(&self, name: &str) -> bool {
        let needle = format!("mod {name};");
        let lines: Vec<_> = self.raw.lines().map(str::trim).collect();
        lines.windows(2).any(|pair| pair[0].starts_with("#[cfg(test)]") && pair[1].ends_with(&needle))
    }
}

/// Every Rust file below `root`, in order.
pub(crate) fn read_tree(root: &Path) -> Vec<Source> {
    let mut files = Vec::new();
    let mut todo = vec![root.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                files.push(Source::new(&name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The 1-based line of a byte.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The byte after the bracket that closes the one at `open`.
pub(crate) fn closing(code: &[u8], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.iter().enumerate().skip(open) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

struct Parts {
    code: Vec<u8>,
    strings: Vec<(usize, String)>,
    comments: Vec<(usize, String)>,
}

fn split(raw: &str) -> Parts {
    let bytes = raw.as_bytes();
    let mut parts = Parts { code: bytes.to_vec(), strings: Vec::new(), comments: Vec::new() };
    let mut at = 0;
    while at < bytes.len() {
        let rest = &raw.as_bytes()[at..];
        let end = if rest.starts_with(b"//") {
            let end = at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            parts.comments.push((line_of(raw, at), raw[at..end].to_owned()));
            end
        } else if rest.starts_with(b"/*") {
            let end = at + raw[at..].find("*/").map_or(rest.len(), |found| found + 2);
            parts.comments.push((line_of(raw, at), raw[at..end].to_owned()));
            end
        } else if let Some(length) = literal(raw, at) {
            parts.strings.push((line_of(raw, at), raw[at..at + length].to_owned()));
            at + length
        } else {
            at += 1;
            continue;
        };
        blank(&mut parts.code, at, end);
        at = end;
    }
    parts
}

/// The length of the string, byte string, raw string or character that starts at `at`.
fn literal(raw: &str, at: usize) -> Option<usize> {
    let bytes = raw.as_bytes();
    let word_before = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    match bytes[at] {
        b'"' => Some(quoted(&bytes[at..])),
        b'r' if !word_before || bytes[at - 1] == b'b' => {
            let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
            (bytes.get(at + 1 + hashes) == Some(&b'"')).then(|| {
                let close = format!("\"{}", "#".repeat(hashes));
                let from = at + 2 + hashes;
                raw[from..].find(&close).map_or(raw.len() - at, |found| from - at + found + close.len())
            })
        }
        b'\'' => {
            // 'a' and '\n' are characters, 'a alone is a lifetime.
            let body = raw[at + 1..].chars().next()?;
            if body == '\\' {
                let end = raw[at + 3..].find('\'')?;
                Some(end + 4)
            } else {
                raw[at + 1 + body.len_utf8()..].starts_with('\'').then(|| body.len_utf8() + 2)
            }
        }
        _ => None,
    }
}

fn quoted(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

fn blank(code: &mut [u8], from: usize, to: usize) {
    for byte in &mut code[from..to] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// What stands behind `#[cfg(test)]`: an item with its body, a declaration, or a field.
fn test_blocks(code: &[u8]) -> Vec<(usize, usize)> {
    let text = String::from_utf8_lossy(code);
    text.match_indices("#[cfg(test)]").map(|(at, mark)| (at, end_of_item(code, at + mark.len()))).collect()
}

/// Where the item or field that begins here ends.
fn end_of_item(code: &[u8], from: usize) -> usize {
    let (mut depth, mut before) = (0_usize, b' ');
    for (at, byte) in code.iter().enumerate().skip(from) {
        match byte {
            b'(' | b'[' | b'<' => depth += 1,
            // The arrow of a function's result closes nothing.
            b'>' if before == b'-' => {}
            b')' | b']' | b'>' => depth = depth.saturating_sub(1),
            b'{' => return closing(code, at),
            b';' if depth == 0 => return at + 1,
            b',' | b'}' if depth == 0 => return at,
            _ => {}
        }
        before = *byte;
    }
    code.len()
}
