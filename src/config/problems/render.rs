//! One problem as text.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use serde_json::{Value, json};
use unicode_width::UnicodeWidthChar as _;

use super::redact::Hidden;
use crate::rules::written::{At, Problem, Severity};

/// The texts of the files by their names, and what is not shown of them.
#[derive(Clone, Copy)]
pub(super) struct Files<'p> {
    pub(super) texts: &'p BTreeMap<Arc<str>, Arc<str>>,
    pub(super) hidden: &'p Hidden,
}

/// Of longer lines, the part around the place is shown.
const LINE: usize = 160;
const BEFORE: usize = 60;

/// Where it is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Coloured,
}

/// Every problem, with an empty line between two.
pub(super) fn all(list: &[Problem], files: Files<'_>, look: Look) -> String {
    let mut text = String::new();
    for (index, problem) in list.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        one(problem, files, look, &mut text);
    }
    text
}

/// A problem for machines.
pub(super) fn json(problem: &Problem, files: Files<'_>) -> Value {
    let at = &problem.at;
    json!({
        "severity": problem.severity.as_str(),
        "code": problem.code,
        "file": &*at.source,
        "line": (at.line > 0).then_some(at.line),
        "column": (at.column > 0).then_some(at.column),
        "width": (at.column > 0).then_some(at.width.max(1)),
        "text": line(at, files).map(|(line, _)| line),
        "what": problem.what,
        "help": (!problem.help.is_empty()).then_some(&problem.help),
    })
}

fn one(problem: &Problem, files: Files<'_>, look: Look, text: &mut String) {
    let at = &problem.at;
    let place =
        if at.line > 0 { format!("{}:{}:{}", at.source, at.line, at.column) } else { at.source.to_string() };
    let colour = match problem.severity {
        Severity::Error => "1;31",
        Severity::Warning => "1;33",
        Severity::Note => "1;36",
    };
    let paint = |code: &str, text: &str| match look {
        Look::Plain => text.to_owned(),
        Look::Coloured => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
    };
    let severity = paint(colour, &format!("{}[{}]", problem.severity.as_str(), problem.code));
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(text, "{}: {severity}: {}", paint("1", &place), paint("1", &problem.what));
    if let Some((line, place)) = line(at, files) {
        let gutter = " ".repeat(at.line.to_string().len());
        let bar = paint("34", "|");
        let (line, before, under) = pointed(&line, &place);
        let number = paint("34", &at.line.to_string());
        let carets = paint(colour, &"^".repeat(under));
        let _ = writeln!(text, "{gutter} {bar}\n{number} {bar} {line}\n{gutter} {bar} {before}{carets}");
    }
    if !problem.help.is_empty() {
        let _ = writeln!(text, "  {} {}", paint("1;32", "help:"), problem.help);
    }
}

/// The part of a line that is shown, what stands before the carets in the line below it, and how many carets there are.
/// Tabs are repeated, so that they end where they end above; wide characters count twice.
fn pointed(line: &str, at: &At) -> (String, String, usize) {
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let letters: Vec<char> = line.chars().collect();
    let (start, width) = (size(at.column).saturating_sub(1).min(letters.len()), size(at.width).max(1));
    let left = if start + width.min(BEFORE) > LINE { start.saturating_sub(BEFORE) } else { 0 };
    let shown: String = letters.iter().skip(left).take(LINE).collect();
    let more = letters.len() > left + LINE;
    let dots = |there: bool| if there { "…" } else { "" };
    let before = letters.iter().skip(left).take(start - left).flat_map(|letter| match letter {
        '\t' => vec!['\t'],
        letter => vec![' '; letter.width().unwrap_or(0)],
    });
    let before = dots(left > 0).replace('…', " ") + &before.collect::<String>();
    let end = letters.len().min(left + LINE);
    let under = letters.iter().take(end).skip(start).take(width).map(|letter| letter.width().unwrap_or(1));
    (format!("{}{shown}{}", dots(left > 0), dots(more)), before, under.sum::<usize>().max(1))
}

/// The line that a place is on, with anything that a terminal would obey made visible, and without secrets; and where the
/// place is in what is left.
fn line(at: &At, files: Files<'_>) -> Option<(String, At)> {
    let text = files.texts.get(&at.source)?;
    let index = usize::try_from(at.line.checked_sub(1)?).ok()?;
    let (line, at) = files.hidden.line(text.lines().nth(index)?, at);
    let shown = line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c });
    Some((shown.collect::<String>().trim_end().to_owned(), at))
}
