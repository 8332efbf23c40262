//! Every event that there is: what it says, and what it is to other programs. docs/audit.md shows the same table.

use super::Record;

/// What kind of thing an event is, with the activity: numbers of OCSF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Signing in and out: Authentication (3002).
    Authentication(u8),
    /// What an account is and may: Account Change (3001).
    Account(u8),
    /// Everything else that is managed, with its name: Entity Management (3004).
    Entity(u8, &'static str),
    /// A change in the panel: API Activity (6003).
    Api(u8),
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub name: &'static str,
    /// What happened, in a few words.
    pub says: &'static str,
    /// What it is.
    pub class: Class,
    /// `done`, `refused` (somebody was) or `failed` (something did).
    pub outcome: &'static str,
    /// The members that only this event has, or that say something of their own here.
    pub members: &'static str,
}

/// Members that any event may have; those that a request has are added to every event of a request.
pub const COMMON: [(&str, &str); 9] = [
    ("user", "whose account it is about"),
    ("by", "who did it: an account, `uid N` (on the command line), or a part of the gate"),
    ("operator", "who acts, while `user` is on whose behalf"),
    ("client", "the address that it came from"),
    ("country", "where that is, if the database of places knows"),
    ("device", "browser and system"),
    ("session", "the public id of the session"),
    ("decision", "the name of the decision, for `panelgate why`"),
    ("outcome", "`done`, `refused` or `failed`"),
];

const fn done(name: &'static str, says: &'static str, class: Class, members: &'static str) -> Event {
    Event { name, says, class, outcome: "done", members }
}

const fn no(name: &'static str, says: &'static str, class: Class, members: &'static str) -> Event {
    Event { name, says, class, outcome: "refused", members }
}

const fn failed(name: &'static str, says: &'static str, class: Class, members: &'static str) -> Event {
    Event { name, says, class, outcome: "failed", members }
}

use Class::{Account, Api, Authentication, Entity};

/// Every event, in the order of the documentation.
pub const EVENTS: &[Event] = &[
    // People.
    done("session-opened", "somebody signed in", Authentication(1), ""),
    no("sign-in-failed", "a wrong name or password", Authentication(1), ""),
    no(
        "sign-in-refused",
        "the panel's login let somebody in whom the gate does not",
        Authentication(1),
        "login why",
    ),
    done(
        "second-factor",
        "a second factor was given; `proved` is `totp`, `backup-code` or `no`",
        Authentication(99),
        "proved",
    ),
    no(
        "credential-refused",
        "an API key or a refresh token that nobody was given; at most 100 a minute, with how many before were `untold`",
        Authentication(1),
        "what untold",
    ),
    done("new-sign-in", "a sign-in from somewhere new", Authentication(1), ""),
    done("sign-in-recognised", "the owner knows a new sign-in", Authentication(99), ""),
    done("sign-in-disowned", "the owner does not know a new sign-in", Authentication(99), ""),
    done("notice-sent", "the owner was told of a new sign-in", Entity(99, "notice"), "way"),
    failed("notice-failed", "the owner could not be told", Entity(99, "notice"), "way error"),
    done(
        "refresh-repeated",
        "a refresh token came twice in a moment, and got the same answer",
        Authentication(5),
        "generation",
    ),
    no("refresh-reused", "a refresh token came again: its session is ended", Authentication(5), "presented"),
    done("signed-out", "somebody signed out", Authentication(2), "ended"),
    done("sessions-revoked", "sessions were ended", Authentication(2), "what ended"),
    done("panel-login-renewed", "the panel's own session was renewed", Authentication(5), ""),
    done("panel-signed-out", "the panel had ended its own session", Authentication(2), ""),
    no("panel-renewal-refused", "the panel let nobody in any more", Authentication(2), ""),
    no("locked", "too many wrong passwords or codes", Account(9), "what from seconds"),
    done("unlocked", "wrong passwords and codes were forgotten", Account(12), ""),
    no("password-failed", "a wrong password for a change that asks for it", Authentication(1), ""),
    done("password-changed", "somebody changed the own password", Account(3), ""),
    done("password-set", "an operator set a password", Account(4), "role"),
    done("second-factor-set-up-began", "an authenticator app is being set up", Account(99), "moves"),
    done("second-factor-enrolled", "an authenticator app counts from now on", Account(10), "moved role"),
    done("second-factor-removed", "the second factor is gone", Account(11), "role"),
    done("backup-codes-made", "new backup codes; the old ones are void", Account(10), ""),
    done("api-key-made", "an API key was made", Entity(1, "API key"), "site key scopes expires name"),
    done("api-key-deleted", "an API key was deleted", Entity(4, "API key"), "site key scopes expires name"),
    done("impersonation-started", "an operator acts for somebody", Authentication(7), "reason write until"),
    done("impersonated-write", "an operator changed something as somebody", Api(3), "page method path"),
    done("impersonation-ended", "the operator is back; `why` says what ended it", Authentication(2), "why"),
    // Operators.
    done("user-added", "an account was made", Account(1), "role login"),
    done("user-removed", "an account is gone", Account(6), ""),
    done("user-disabled", "an account is disabled", Account(5), "role"),
    done("user-enabled", "an account is enabled again", Account(2), "role"),
    done("role-set", "an account has another role", Account(99), "before role"),
    done(
        "user-imported",
        "an account of an import: `new`, or changed as far as it says",
        Account(1),
        "new before role password disabled",
    ),
    done("users-imported", "accounts were imported", Entity(1, "accounts"), "count update"),
    done("resealed", "secrets are sealed under a new master key", Entity(3, "sealed secrets"), "renewed"),
    done(
        "banned",
        "a network, country or autonomous system is turned away",
        Entity(1, "ban"),
        "whom until news reason",
    ),
    done("ban-lifted", "it is let in again", Entity(4, "ban"), "whom"),
    done(
        "bans-imported",
        "a list of bans was taken over",
        Entity(1, "bans"),
        "list added kept others lifted spared replace",
    ),
    done("bans-listed", "whom a list bans that was not banned", Entity(1, "bans"), "list whom"),
    done("bans-unlisted", "whom a list bans no more", Entity(4, "bans"), "list whom"),
    done("high-security", "High Security Mode was switched", Entity(3, "High Security Mode"), "on done"),
    done(
        "reloaded",
        "another configuration or policy is in force",
        Entity(3, "configuration"),
        "why generation before after keys opens closes turns waiting",
    ),
    failed(
        "reload-failed",
        "a changed configuration or policy is refused",
        Entity(3, "configuration"),
        "why first",
    ),
    done("doctor", "`panelgate doctor` follows its own requests", Entity(99, "doctor"), "marker"),
    done("backup-made", "a backup was made", Entity(2, "backup"), "id bytes journal trail_seq"),
    done(
        "restored",
        "a backup was restored",
        Entity(3, "backup"),
        "backup made cursor trail_seq sessions_ended sessions aside other_trail_seq other_trail_hash",
    ),
    done(
        "started",
        "the gate serves, with this configuration and these policies",
        Entity(99, "process"),
        "digest",
    ),
    done("stopped", "it was told to stop", Entity(99, "process"), ""),
    done("keys-rotated", "keys are replaced; written before it is done", Entity(3, "keys"), "what"),
    done("handover-begun", "a new process is to take over", Entity(99, "process"), ""),
    failed("handover-failed", "it has not; the old one goes on", Entity(99, "process"), ""),
    done("handed-over", "another process serves", Entity(99, "process"), "pid drain"),
    done("took-over", "this process serves now", Entity(99, "process"), ""),
    // The trail itself.
    done("checkpoint", "everything up to here is vouched for", Entity(99, "audit trail"), "key signature"),
    done(
        "trail-recovered",
        "a line that a crash cut off, and the hash of its bytes",
        Entity(99, "audit trail"),
        "torn_bytes torn_hash",
    ),
    failed(
        "trail-lost",
        "so many records found no room in memory, or could not be written when a process ended",
        Entity(99, "audit trail"),
        "records why",
    ),
    failed(
        "trail-altered",
        "is in no trail: it is shown instead of a line that was changed after it was written",
        Entity(99, "audit trail"),
        "file line",
    ),
    failed(
        "trail-reopened",
        "a file of the trail was removed, moved or replaced while the gate ran; it goes on behind the last record",
        Entity(99, "audit trail"),
        "why",
    ),
    failed(
        "trail-unsigned",
        "these records were on the disk and not yet signed: a crash, or somebody else's",
        Entity(99, "audit trail"),
        "first last",
    ),
    done(
        "trail-archived",
        "the files up to this record may be elsewhere",
        Entity(5, "audit trail"),
        "to to_hash folder files",
    ),
];

/// What is known of an event.
pub fn known(name: &str) -> Option<&'static Event> {
    EVENTS.iter().find(|event| event.name == name)
}

/// How an event came out; `proved` is what a second factor said.
pub fn outcome(name: &str, proved: Option<&str>) -> &'static str {
    if proved == Some("no") { "refused" } else { known(name).map_or("done", |event| event.outcome) }
}

/// The same of a record; older ones do not say it.
pub fn outcome_of(record: &Record) -> String {
    let said = record.text("outcome");
    said.unwrap_or_else(|| outcome(&record.event, record.text("proved").as_deref()).to_owned())
}
