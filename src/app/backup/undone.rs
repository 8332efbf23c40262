//! What a restore takes back: what was done since the backup was made, as far as the audit trail on the disk still knows.

use serde::Serialize;

use crate::rules::trail::Record;

/// Events that have changed what a restore sets back. What else happened is either history or over anyway.
const CHANGES: &[&str] = &[
    "api-key-deleted",
    "api-key-made",
    "backup-codes-made",
    "ban-lifted",
    "banned",
    "bans-listed",
    "bans-unlisted",
    "high-security",
    "password-changed",
    "password-set",
    "resealed",
    "role-set",
    "second-factor-enrolled",
    "second-factor-removed",
    "sessions-revoked",
    "user-added",
    "user-disabled",
    "user-enabled",
    "user-removed",
    "user-imported",
    "users-imported",
];

/// Something that was done after the backup was made, and counts no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Undone {
    /// Its number in the audit trail.
    pub seq: u64,
    /// When, RFC 3339.
    pub at: String,
    /// What.
    pub event: String,
    /// With whom or what, as the record names it.
    pub what: String,
}

impl Undone {
    /// Of a record, if a restore takes it back.
    pub(super) fn of(record: &Record) -> Option<Self> {
        // A used backup code is one of the accepted second factors.
        let code = record.event == "second-factor" && record.text("proved").as_deref() == Some("backup-code");
        if !code && !CHANGES.contains(&record.event.as_str()) {
            return None;
        }
        let members = ["user", "name", "whom", "network", "key", "whose", "role", "on"];
        let what: Vec<String> = members.iter().filter_map(|member| record.text(member)).collect();
        Some(Self {
            seq: record.seq,
            at: record.at.clone(),
            event: record.event.clone(),
            what: what.join(" "),
        })
    }
}
