//! How a verb ends: text and an exit code.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use super::{FAILED, NO};

/// Why a verb did not do what was asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The command line makes no sense as it is: 2.
    Usage(String),
    /// The answer is no: 1.
    No(String),
    /// The answer is no, in JSON on standard output: 1.
    Report(String),
    /// It could not be done: 3.
    Failed(String),
}

/// Prints what came of a verb.
pub(super) fn finish(outcome: Result<String, Trouble>) -> ExitCode {
    let (code, text) = match outcome {
        Ok(text) => return show(&text),
        Err(Trouble::Report(text)) => {
            let shown = show(&text);
            return if shown == ExitCode::SUCCESS { ExitCode::from(NO) } else { shown };
        }
        Err(Trouble::Usage(why)) => (2, why),
        Err(Trouble::No(why)) => (NO, why),
        Err(Trouble::Failed(why)) => (FAILED, why),
    };
    // With no one to tell, the exit code is all there is.
    let _ = writeln!(io::stderr(), "panelgate: {why}", why = text.trim_end());
    ExitCode::from(code)
}

fn show(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILED),
    }
}

/// Rows under headings, each column as wide as it must be.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: Vec<[String; N]>) -> String {
    let mut lines = vec![headings.map(str::to_owned)];
    lines.extend(rows.into_iter().map(|row| row.map(|cell| visible(&cell))));
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Clients name their own device: nothing in it may steer the terminal.
pub(super) fn visible(text: &str) -> String {
    let shown: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if shown.is_empty() { "-".to_owned() } else { shown }
}

/// Unix seconds as RFC 3339 in UTC.
pub(super) fn moment(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| "?".to_owned(), |at| at.to_string())
}

/// JSON for machines, on one line.
pub(super) fn json(value: &impl serde::Serialize) -> Result<String, Trouble> {
    serde_json::to_string(value).map(|text| text + "\n").map_err(|error| Trouble::Failed(error.to_string()))
}
