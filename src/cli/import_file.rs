//! Files that are imported: read as a whole up to a bound, and every problem with its line.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde_json::{Value, json};

use super::verdict::{Trouble, json, visible};

/// Something to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) line: u64,
    pub(super) what: String,
}

/// Reads a file, or standard input for `-`. Before anything else: root may give up its rights in asking.
pub(super) fn read(file: &Path, largest: u64) -> Result<String, Trouble> {
    let stdin = file.as_os_str() == "-";
    let shown = if stdin { "standard input".to_owned() } else { file.display().to_string() };
    let failed = |error: io::Error| Trouble::Failed(format!("{shown}: {error}"));
    let mut text = String::new();
    let read = if stdin {
        io::stdin().lock().take(largest + 1).read_to_string(&mut text)
    } else {
        File::open(file).and_then(|file| file.take(largest + 1).read_to_string(&mut text))
    };
    if read.map_err(failed)? as u64 > largest {
        return Err(Trouble::Failed(format!("{shown} has more than {largest} bytes: split it")));
    }
    Ok(text)
}

/// Says everything that is to mend; nothing was imported.
pub(super) fn refuse(file: &Path, mut problems: Vec<Problem>, as_json: bool) -> Trouble {
    problems.sort_by_key(|problem| problem.line);
    if as_json {
        let list: Vec<_> =
            problems.iter().map(|problem| json!({ "line": problem.line, "problem": problem.what })).collect();
        return match json(&json!({ "problems": list })) {
            Ok(text) => Trouble::Report(text),
            Err(trouble) => trouble,
        };
    }
    let file = file.display();
    let lines =
        problems.iter().map(|problem| format!("{file}:{}: {}\n", problem.line, visible(&problem.what)));
    let count = problems.len();
    Trouble::No(format!("nothing is imported, {count} to mend:\n{}", lines.collect::<String>()))
}

/// The elements of a JSON array, each with the line on which it starts: one at a time, so that one mistake does not hide
/// the next. What is wrong with the array itself ends it.
pub(super) fn elements(text: &str, mut each: impl FnMut(u64, Value)) -> Option<Problem> {
    let mut rest = text.trim_start().strip_prefix('[').unwrap_or_default().trim_start();
    let line_of = |rest: &str| {
        let read = text.get(..text.len() - rest.len()).unwrap_or_default();
        read.bytes().filter(|byte| *byte == b'\n').count() as u64 + 1
    };
    // Counting from the start each time would take long for a long file.
    let (mut line, mut counted) = (line_of(rest), rest);
    while !rest.starts_with(']') {
        let between = counted.get(..counted.len() - rest.len()).unwrap_or_default();
        line += between.bytes().filter(|byte| *byte == b'\n').count() as u64;
        counted = rest;
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => each(line, value),
            Some(Err(error)) => {
                // Its own place counts from this value on.
                let line = line + (error.line() as u64).saturating_sub(1);
                let text = error.to_string();
                let what = text.split(" at line ").next().unwrap_or_default();
                return Some(Problem { line, what: format!("it is not JSON: {what}") });
            }
            None => return Some(Problem { line, what: "the array has no end".into() }),
        }
        rest = rest.get(values.byte_offset()..).unwrap_or_default().trim_start();
        match rest.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if rest.starts_with(']') => {}
            None => return Some(Problem { line: line_of(rest), what: "a comma or `]` is missing".into() }),
        }
    }
    None
}
