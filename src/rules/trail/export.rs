//! Records in the forms that other programs read.

mod cef;
mod ocsf;
mod syslog;
#[cfg(test)]
mod tests;

use super::Record;

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The records as they are, JSON, one a line.
    JsonLines,
    /// Open Cybersecurity Schema Framework 1.6.0, JSON, one event a line.
    Ocsf,
    /// ArcSight Common Event Format, version 0 of the header.
    Cef,
    /// RFC 5424, one message a line (RFC 6587 §3.4.2).
    Syslog,
}

/// Where the records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The host's name, for syslog.
    pub host: String,
    /// Our version.
    pub version: &'static str,
}

/// One record on one line, without its end.
pub fn line(record: &Record, form: Form, source: &Source) -> String {
    match form {
        Form::JsonLines => record.to_json().to_string(),
        Form::Ocsf => ocsf::event(record, source).to_string(),
        Form::Cef => cef::line(record, source),
        Form::Syslog => syslog::line(record, source),
    }
}

/// The text of a member that says something.
fn text(record: &Record, name: &str) -> Option<String> {
    record.text(name).filter(|text| !text.is_empty())
}

/// Whose account it is about, or whoever did it where it is about none.
fn whom(record: &Record) -> Option<String> {
    ["user", "name", "whose"].iter().find_map(|name| text(record, name))
}

/// Who acted.
fn actor(record: &Record) -> Option<String> {
    text(record, "operator").or_else(|| text(record, "by"))
}
