//! JUnit XML, as Jenkins, GitLab and the others read it: a suite for each policy, a case for each request.

use std::fmt::Write as _;

use crate::rules::policy::testing::{Check, Report};

/// The whole document.
pub(super) fn document(tested: &[(&str, &Report)]) -> String {
    let sum = |count: fn(&Report) -> usize| tested.iter().map(|(_, report)| count(report)).sum::<usize>();
    let (tests, failures) = (sum(|report| report.checks.len()), sum(Report::failed));
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        text,
        "<testsuites name=\"panelgate policy test\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" time=\"0\">"
    );
    for (policy, report) in tested {
        let (name, tests, failures) = (escaped(policy), report.checks.len(), report.failed());
        let _ = writeln!(
            text,
            "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"0\">"
        );
        for check in &report.checks {
            case(&mut text, policy, check);
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn case(text: &mut String, policy: &str, check: &Check) {
    let name = escaped(&format!("{}: {}", check.case, check.request));
    let (policy, file, line) = (escaped(policy), escaped(&check.file), check.line);
    let _ = write!(
        text,
        "    <testcase classname=\"{policy}\" name=\"{name}\" file=\"{file}\" line=\"{line}\" time=\"0\""
    );
    if check.passed {
        text.push_str("/>\n");
        return;
    }
    let message = escaped(&format!("expected {}, got {}", check.expected, check.got));
    let place = check.decided_at.as_ref().map_or(String::new(), |place| format!(" ({place})"));
    let why = escaped(&format!("{}:{line}: {}{place}", check.file, check.why));
    let _ = writeln!(
        text,
        ">\n      <failure message=\"{message}\" type=\"policy\">{why}</failure>\n    </testcase>"
    );
}

/// For text and for attributes in double quotes. What XML 1.0 cannot hold in any form becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Parsers make spaces of these in attributes.
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(letter));
            }
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}
