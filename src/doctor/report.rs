//! What is told: like a compiler, or as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use super::{
    advice::{self, Mend, Proxy},
    checks::{self, Done, Severity},
    observed::Observed,
};

/// Lines are at most this wide.
const WIDTH: usize = 100;
/// Pieces of evidence that are shown of one finding.
const SHOWN: usize = 3;

/// What came of an examination.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was examined.
    pub through: String,
    /// What stands in front, if that is known.
    pub proxy: Option<Proxy>,
    /// How many checks there are.
    pub checks: usize,
    /// How many errors were found.
    pub errors: usize,
    /// How many warnings.
    pub warnings: usize,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What could not be checked.
    pub unchecked: Vec<Unchecked>,
    /// What else is to be known of the examination.
    pub remarks: Vec<String>,
}

/// Something that is wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Its code.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// What shows it.
    pub evidence: Vec<String>,
    /// What follows from it.
    pub meaning: String,
    /// What mends it.
    pub mends: Vec<Mend>,
}

/// Something that could not be checked.
#[derive(Clone, Debug, Serialize)]
pub struct Unchecked {
    /// Its code.
    pub code: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// Why.
    pub why: String,
}

/// How words are painted.
pub trait Painted {
    /// The head of a finding.
    fn head(&self, severity: Severity, text: &str) -> String;
    /// What matters most.
    fn strong(&self, text: &str) -> String;
}

impl Report {
    /// Concludes from what was seen.
    pub fn of(observed: &Observed) -> Self {
        let done = checks::all(observed);
        let count = |severity| {
            let found = |done: &&Done| {
                done.severity == severity && done.look.as_ref().is_ok_and(|look| !look.is_empty())
            };
            done.iter().filter(found).count()
        };
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let mut report = Self {
            through: observed.origin.clone(),
            proxy: observed.proxy,
            checks: done.len(),
            errors,
            warnings,
            findings: Vec::new(),
            unchecked: Vec::new(),
            remarks: observed.remarks.clone(),
        };
        for Done { code, severity, look } in done {
            let section = advice::section(code);
            let title = section.map_or("", |section| section.title);
            match look {
                Ok(evidence) if evidence.is_empty() => {}
                Ok(evidence) => report.findings.push(Finding {
                    code,
                    severity,
                    title,
                    evidence,
                    meaning: section.map(|section| section.meaning()).unwrap_or_default(),
                    mends: section.map(|section| section.mends_for(observed.proxy)).unwrap_or_default(),
                }),
                Err(why) => report.unchecked.push(Unchecked { code, title, why }),
            }
        }
        report
    }

    /// For people.
    pub fn text(&self, painted: &dyn Painted) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            finding.write(&mut text, painted);
        }
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for Unchecked { code, why, .. } in &self.unchecked {
            match reasons.iter_mut().find(|(known, _)| known == why) {
                Some((_, codes)) => codes.push(code),
                None => reasons.push((why, vec![code])),
            }
        }
        for (why, codes) in reasons {
            let _ = writeln!(text, "{} {}", painted.strong("not checked:"), codes.join(" "));
            wrap(&mut text, &printable(why), "  ");
        }
        for remark in &self.remarks {
            wrap(&mut text, &printable(remark), "");
        }
        if self.proxy.is_none() && self.findings.iter().any(|finding| finding.mends.len() > 1) {
            text.push_str(
                "help: which proxy this is could not be told: name it with --proxy for its lines alone\n",
            );
        }
        let several =
            |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let notes = self.findings.len() - self.errors - self.warnings;
        let _ = writeln!(
            text,
            "doctor: {}, {}, {}, {}, {} not checked",
            several(self.checks, "check"),
            several(self.errors, "error"),
            several(self.warnings, "warning"),
            several(notes, "note"),
            self.unchecked.len(),
        );
        text
    }
}

impl Finding {
    // Writing to a string cannot fail, here and below.
    fn write(&self, text: &mut String, painted: &dyn Painted) {
        let head = format!("{}[{}]", self.severity.as_str(), self.code);
        let _ = writeln!(text, "{}: {}", painted.head(self.severity, &head), painted.strong(self.title));
        for evidence in self.evidence.iter().take(SHOWN) {
            wrap(text, &printable(evidence), "  = ");
        }
        if let Some(more) = self.evidence.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            let _ = writeln!(text, "  = and {more} more like these: --json has them all");
        }
        wrap(text, &self.meaning, "  ");
        for mend in &self.mends {
            let _ = writeln!(text, "  {}", painted.strong(&format!("{}: {}", mend.proxy, mend.place)));
            for line in &mend.lines {
                let _ = writeln!(text, "{}", format!("      {line}").trim_end());
            }
        }
        let _ = writeln!(text, "  help: panelgate doctor --explain {}\n", self.code);
    }
}

/// Answers come from anywhere: nothing in them may steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Writes words on lines that begin with `indent`, from the second one on with as much white space.
fn wrap(text: &mut String, words: &str, indent: &str) {
    let (mut line, blank) = (indent.to_owned(), " ".repeat(indent.len()));
    let mut empty = true;
    for word in words.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{line}");
            (line, empty) = (blank.clone(), true);
        }
        line.push_str(if empty { "" } else { " " });
        line.push_str(word);
        empty = false;
    }
    if !empty {
        let _ = writeln!(text, "{line}");
    }
}
