//! `--explain CODE`: the section of docs/codes.md.

use std::fmt::Write as _;

use crate::rules::written::nearest;

/// Every code, with what it means, an example that is wrong, the same mended, and why the rule exists.
const CODES: &str = include_str!("../../../docs/codes.md");

/// What a code means.
///
/// # Errors
/// With what was meant, if there is no such code.
pub(super) fn text(code: &str) -> Result<String, String> {
    let wanted = code.trim().to_ascii_uppercase();
    if let Some(section) = sections().find(|section| section.code == wanted) {
        return Ok(section.plain());
    }
    let near = nearest(&wanted, sections().map(|section| section.code));
    let help = near.map_or_else(
        || "a code is a letter and three digits, as `panelgate check` shows it: `P017`".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    Err(format!("there is no code `{code}`; {help}"))
}

/// The part of the document about one code.
pub(super) struct Section {
    pub(super) code: &'static str,
    pub(super) title: &'static str,
    pub(super) body: &'static str,
}

/// All of them, in the order of the document.
pub(super) fn sections() -> impl Iterator<Item = Section> {
    CODES.split("\n## ").skip(1).filter_map(|section| {
        let (heading, body) = section.split_once('\n')?;
        let (code, title) = heading.split_once(": ")?;
        Some(Section { code, title, body: body.trim() })
    })
}

impl Section {
    /// As it is read in a terminal: examples indented, under what they are.
    fn plain(&self) -> String {
        let mut text = format!("{}: {}\n\n", self.code, self.title);
        let mut inside = false;
        for line in self.body.lines() {
            match line.strip_prefix("```") {
                Some("") => inside = false,
                Some(kind) => {
                    inside = true;
                    let _ = writeln!(text, "{}:\n", kind.rsplit(' ').next().unwrap_or_default());
                }
                // Writing to a string cannot fail, here and above.
                None => {
                    let _ = writeln!(text, "{}{line}", if inside { "    " } else { "" });
                }
            }
        }
        text
    }
}
