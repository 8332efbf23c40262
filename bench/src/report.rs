//! The report: a table for people, the same as JSON, and pictures.

use std::{fmt::Write as _, fs, path::Path};

use serde::Serialize;

use crate::{Outcome, rounds::Figure};

/// What a figure should be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// It is only told.
    Told,
}

impl Target {
    fn text(self, unit: &str) -> String {
        match self {
            Self::AtLeast(target) => format!("≥ {}{unit}", number(target)),
            Self::AtMost(target) => format!("≤ {}{unit}", number(target)),
            Self::Told => "told".to_owned(),
        }
    }

    /// Whether a figure is what it should be; `None` if nothing was asked of it.
    pub fn met(self, figure: f64) -> Option<bool> {
        match self {
            Self::AtLeast(target) => Some(figure >= target),
            Self::AtMost(target) => Some(figure <= target),
            Self::Told => None,
        }
    }
}

/// A line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was measured, and beside what.
    pub what: String,
    /// What it should be.
    pub target: Target,
    /// What it is.
    pub reached: Figure,
    /// Of the figure; empty for ratios.
    pub unit: &'static str,
    /// The absolute figures that the ratio is made of, and whatever else explains it.
    pub note: String,
}

/// A table of its own, below the main one.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// What a reader has to know first.
    pub text: String,
    /// The heads of the columns.
    pub head: Vec<String>,
    /// The lines.
    pub lines: Vec<Vec<String>>,
    /// Pictures, by file name beside the report.
    pub pictures: Vec<String>,
}

/// The whole report.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The machine.
    pub machine: String,
    /// When, in Unix seconds.
    pub at: u64,
    /// The same as a date.
    pub date: String,
    /// The commit that was measured.
    pub commit: String,
    /// Load averages before and after, and how idle the machine was before each part.
    pub quiet: Vec<(String, String)>,
    /// The table.
    pub rows: Vec<Row>,
    /// Further tables.
    pub sections: Vec<Section>,
    /// Parts that could not be measured, and why.
    pub missing: Vec<(String, String)>,
}

impl Report {
    /// Writes `report.md` and `report.json`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, dir: &Path) -> Outcome<()> {
        fs::write(dir.join("report.md"), self.markdown())?;
        Ok(fs::write(dir.join("report.json"), serde_json::to_string_pretty(self)?)?)
    }

    /// The report for people.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "# Panelgate beside its floors\n\n{} · {} · commit {}\n\nEvery figure is a ratio of two that were taken in turns in \
             this run: servers on one core, load on the other, median of the rounds, spread in brackets.\n\n\
             | what | target | reached | spread | | figures |\n|---|---|---|---|---|---|\n",
            self.machine, self.date, self.commit
        );
        for row in &self.rows {
            let Row { what, target, reached, unit, note } = row;
            let met = match target.met(reached.median) {
                Some(true) => "yes",
                Some(false) => "**no**",
                None => "",
            };
            let _ = writeln!(
                text,
                "| {what} | {} | {}{unit} | {}–{} | {met} | {note} |",
                target.text(unit),
                number(reached.median),
                number(reached.low),
                number(reached.high)
            );
        }
        for Section { title, text: first, head, lines, pictures } in &self.sections {
            let _ = write!(text, "\n## {title}\n\n{first}\n\n");
            if !lines.is_empty() {
                let _ = writeln!(text, "| {} |\n|{}", head.join(" | "), "---|".repeat(head.len()));
            }
            for line in lines {
                let _ = writeln!(text, "| {} |", line.join(" | "));
            }
            for picture in pictures {
                let _ = write!(text, "\n![{title}]({picture})\n");
            }
        }
        text.push_str("\n## How quiet the machine was\n\n| when | |\n|---|---|\n");
        for (when, what) in &self.quiet {
            let _ = writeln!(text, "| {when} | {what} |");
        }
        for (part, why) in &self.missing {
            let _ = write!(text, "\n**Not measured: {part}.** {why}\n");
        }
        text
    }
}

/// A figure with as many digits as mean something.
pub fn number(figure: f64) -> String {
    match figure.abs() {
        _ if figure.is_nan() => "–".to_owned(),
        large if large >= 1000.0 => grouped(figure),
        large if large >= 100.0 => format!("{figure:.0}"),
        large if large >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

fn grouped(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
