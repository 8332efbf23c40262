//! Rows out of CSV or JSON, with the lines on which they start.

use serde_json::Value;

use crate::cli::import_file::{Problem, elements};

/// What a column can be called.
const COLUMNS: [&str; 6] = ["name", "password_hash", "role", "email", "display", "disabled"];

/// One account as written. Empty is as good as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) name: Option<String>,
    pub(super) password_hash: Option<String>,
    pub(super) role: Option<String>,
    pub(super) email: Option<String>,
    pub(super) display: Option<String>,
    pub(super) disabled: Option<String>,
}

impl Row {
    pub(super) fn problem(&self, what: String) -> Problem {
        Problem { line: self.line, what }
    }

    /// Whether there is such a column.
    fn set(&mut self, column: &str, value: String) -> bool {
        let place = match column {
            "name" => &mut self.name,
            "password_hash" => &mut self.password_hash,
            "role" => &mut self.role,
            "email" => &mut self.email,
            "display" => &mut self.display,
            "disabled" => &mut self.disabled,
            _ => return false,
        };
        *place = Some(value).filter(|value| !value.is_empty());
        true
    }
}

/// All rows, and what cannot be read.
pub(super) fn read(text: &str) -> (Vec<Row>, Vec<Problem>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('[') { from_json(text) } else { from_csv(text) }
}

fn from_csv(text: &str) -> (Vec<Row>, Vec<Problem>) {
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let columns: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(str::to_ascii_lowercase).collect(),
        Err(error) => return (rows, vec![Problem { line: 1, what: error.to_string() }]),
    };
    problems.extend(columns.iter().filter_map(|column| unknown(1, column)));
    if !columns.iter().any(|column| column == "name") {
        let what = format!("the first line has to name the columns: {}", COLUMNS.join(","));
        return (rows, vec![Problem { line: 1, what }]);
    }
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                let mut row = Row { line, ..Row::default() };
                for (column, value) in columns.iter().zip(record.iter()) {
                    row.set(column, value.to_owned());
                }
                rows.push(row);
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                problems.push(Problem { line, what: csv_words(&error, columns.len()) });
            }
        }
    }
    (rows, problems)
}

fn csv_words(error: &csv::Error, columns: usize) -> String {
    if let csv::ErrorKind::UnequalLengths { len, .. } = error.kind() {
        return format!("it has {len} fields, the first line has {columns}");
    }
    error.to_string()
}

fn from_json(text: &str) -> (Vec<Row>, Vec<Problem>) {
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    let wrong = elements(text, |line, value| match value {
        Value::Object(fields) => rows.push(from_object(line, &fields, &mut problems)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            problems.push(Problem { line, what: "an account is an object: {\"name\": …}".into() });
        }
    });
    problems.extend(wrong);
    (rows, problems)
}

fn from_object(line: u64, fields: &serde_json::Map<String, Value>, problems: &mut Vec<Problem>) -> Row {
    let mut row = Row { line, ..Row::default() };
    for (key, value) in fields {
        let text = match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                problems.push(row.problem(format!("`{key}` is not a text")));
                continue;
            }
        };
        if !row.set(key, text) {
            problems.extend(unknown(line, key));
        }
    }
    row
}

fn unknown(line: u64, column: &str) -> Option<Problem> {
    let what = || format!("there is no column `{column}`; there are {}", COLUMNS.join(", "));
    (!COLUMNS.contains(&column)).then(|| Problem { line, what: what() })
}
