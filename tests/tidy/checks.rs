//! Everything but the imports.

use crate::{
    paths::named,
    source::{Source, closing, line_of},
};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;

/// The rules of the security notes are R1 to R36.
const RULES: std::ops::RangeInclusive<u32> = 1..=36;

/// Waiting and I/O in `live`.
pub(crate) fn live_never_waits(files: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.module().first() == Some(&"live") && !file.is_test(files)) {
        for (line, text) in (1..).zip(file.code.lines()) {
            let waits = text.contains(".await") || text.contains("async ");
            let io = ["std::fs", "std::net::Tcp", "tokio::fs", "tokio::net"]
                .iter()
                .any(|path| text.contains(path));
            if waits || io {
                problems.push(format!("src/{}:{line}: `live` neither waits nor does I/O", file.path));
            }
        }
    }
    problems
}

/// Clocks read outside `clock`, random bytes taken outside `entropy`.
pub(crate) fn ambient(files: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| !file.is_test(files)) {
        for found in named(&file.code) {
            let segments: Vec<_> = found.segments.iter().map(String::as_str).collect();
            let random = matches!(segments.first(), Some(&"getrandom" | &"rand" | &"fastrand"))
                || segments.contains(&"SystemRandom")
                || segments.contains(&"thread_rng");
            if segments.last() == Some(&"now") && file.path != "clock.rs" {
                problems.push(format!(
                    "src/{}:{}: `{}`: take a Moment from the clock",
                    file.path,
                    found.line,
                    segments.join("::")
                ));
            }
            if random && file.path != "entropy.rs" {
                problems.push(format!(
                    "src/{}:{}: `{}`: take bytes from the entropy",
                    file.path,
                    found.line,
                    segments.join("::")
                ));
            }
        }
    }
    problems
}

/// Names of forwarding headers outside the dialects (and the demo's tour, which plays the proxy, and the doctor, who
/// plays the client that lies).
pub(crate) fn forwarding_headers(files: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    let exempt = |file: &&Source| {
        let exempt = ["doors/dialect/", "demo/tour/", "doctor/"];
        exempt.iter().any(|folder| file.path.starts_with(folder)) || file.is_test(files)
    };
    for file in files.iter().filter(|file| !exempt(file)) {
        for (line, text) in &file.strings {
            let text = text.to_ascii_lowercase().replace('_', "-");
            if text.contains("x-forwarded-") || text.contains("x-original-") {
                problems.push(format!("src/{}:{line}: {text} belongs in doors/dialect", file.path));
            }
        }
    }
    problems
}

/// Files that are too long, and exceptions that are not needed any more.
pub(crate) fn file_length(files: &[Source], exceptions: &[(&str, usize)]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files {
        let lines = file.raw.lines().count();
        let limit =
            exceptions.iter().find(|(path, _)| *path == file.path).map_or(FILE_LINES, |(_, size)| *size);
        if lines > limit {
            problems.push(format!("{}: {lines} lines, {limit} are allowed: split it by topic", file.path));
        }
        if limit != FILE_LINES && lines < limit {
            problems.push(format!("{}: {lines} lines now; lower its exception from {limit}", file.path));
        }
    }
    problems
}

/// Functions that are too long, and exceptions that are not needed any more.
pub(crate) fn function_length(files: &[Source], exceptions: &[(&str, &str, usize)]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files {
        for (name, line, length) in functions(file) {
            let limit = exceptions
                .iter()
                .find(|(path, function, _)| *path == file.path && *function == name)
                .map_or(FUNCTION_LINES, |(_, _, size)| *size);
            if length > limit {
                problems
                    .push(format!("{}:{line}: `{name}` has {length} lines, {limit} are allowed", file.path));
            }
            if limit != FUNCTION_LINES && length < limit {
                problems.push(format!(
                    "{}:{line}: `{name}` has {length} lines now; lower its exception",
                    file.path
                ));
            }
        }
    }
    problems
}

/// Marks of unfinished work.
pub(crate) fn leftovers(files: &[Source]) -> Vec<String> {
    // Put together here, so that this file does not find itself.
    let marks =
        ["TO", "FIX"].map(|start| if start == "TO" { format!("{start}DO") } else { format!("{start}ME") });
    let mut problems = Vec::new();
    for file in files {
        for (line, text) in (1..).zip(file.raw.lines()) {
            if marks.iter().any(|mark| text.contains(mark.as_str())) {
                problems.push(format!("{}:{line}: finish it or open an issue: {}", file.path, text.trim()));
            }
        }
        for (line, text) in (1..).zip(file.code.lines()) {
            if text.contains("todo!(") || text.contains("unimplemented!(") {
                problems.push(format!("{}:{line}: not written yet: {}", file.path, text.trim()));
            }
        }
    }
    problems
}

/// Files that no `mod` brings into the crate.
pub(crate) fn dead_files(files: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files {
        let module = file.module();
        let Some((name, parent)) = module.split_last() else { continue };
        let declared =
            files.iter().filter(|other| other.module() == parent).any(|other| other.declares(name));
        if !declared {
            problems.push(format!("src/{}: no `mod {name};` above it", file.path));
        }
    }
    problems
}

/// Top-level modules that the crate documentation does not name.
pub(crate) fn map(files: &[Source]) -> Vec<String> {
    let Some(lib) = files.iter().find(|file| file.path == "lib.rs") else {
        return vec!["src/lib.rs is missing".to_owned()];
    };
    let documentation: String =
        lib.raw.lines().take_while(|line| line.starts_with("//!")).flat_map(|line| [line, "\n"]).collect();
    lib.code
        .lines()
        .filter_map(|line| line.trim().strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name))
        .filter(|name| {
            !documentation.contains(&format!("`{name}")) && !documentation.contains(&format!("[{name}"))
        })
        .map(|name| format!("src/lib.rs: the crate documentation does not say what `{name}` is"))
        .collect()
}

/// Rules that comments mention and that do not exist.
pub(crate) fn rule_numbers(files: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files {
        for (line, text) in &file.comments {
            for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
                let number = word.strip_prefix('R').and_then(|digits| digits.parse().ok());
                if number.is_some_and(|number| !RULES.contains(&number)) {
                    problems.push(format!("src/{}:{line}: there is no rule {word}", file.path));
                }
            }
        }
    }
    problems
}

/// Name, first line and length of every function with a body.
fn functions(file: &Source) -> Vec<(String, usize, usize)> {
    let code = file.code.as_bytes();
    let mut found = Vec::new();
    for (at, _) in file.code.match_indices("fn ") {
        if at > 0 && (code[at - 1].is_ascii_alphanumeric() || code[at - 1] == b'_') {
            continue;
        }
        let name: String =
            file.code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let Some(open) = body(code, at) else { continue };
        if name.is_empty() {
            continue;
        }
        let first = line_of(&file.code, at);
        let last = line_of(&file.code, closing(code, open) - 1);
        found.push((name, first, last - first + 1));
    }
    found
}

/// Where the body of the function at `at` opens; `None` for a declaration.
fn body(code: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (position, byte) in code.iter().enumerate().skip(at) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.checked_sub(1)?,
            b'{' if depth == 0 => return Some(position),
            b';' | b'}' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}
