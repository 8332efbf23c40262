//! A decision for people who read.

use std::{
    fmt::{Display, Write},
    time::Duration,
};

use super::ways;
use crate::{
    cli::verdict::{moment, visible},
    clock::Wall,
    rules::{
        facts::{Door, Scheme},
        outcome::DecisionId,
        record::{Acted, Held, Now, Person, Record, Report, Said, Shown, Span, Taken, WHOLE_ADDRESSES, end},
        session::Factor,
        written::spell_duration,
    },
};

const WIDTH: usize = 14;

/// Lines of names and values.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, value: impl Display) {
        let line = format!("{name:WIDTH$}{}", visible(&value.to_string()));
        self.say(line.trim_end());
    }

    fn say(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }
}

/// The whole story.
pub(super) fn explain(report: &Report, now: Wall) -> String {
    let Some(record) = report.record() else { return String::new() };
    let mut lines = Lines::default();
    let head = format!("{}  {}: {}", record.decision, record.reply.said.as_str(), record.reply.reason.code());
    lines.say(&format!("{head}\n{}", record.reply.reason.sentence()));
    if let Some(detail) = &record.reply.detail {
        lines.say(&format!("What exactly: {}", visible(detail)));
    }
    lines.say("");
    let ago = spell(now.since(record.at));
    lines.add("when", format!("{} ({ago} ago)", moment(record.at.secs())));
    request(&mut lines, record);
    client(&mut lines, record);
    who(&mut lines, record);
    policy(&mut lines, record, report.now.as_ref());
    allowed_by(&mut lines, report);
    erased(&mut lines, record);
    if let [first, .., _] = report.records.as_slice() {
        let (said, at) = (first.reply.said.as_str(), moment(first.at.secs()));
        lines.add("before", format!("{said} ({}) at {at}, under the same name", first.reply.reason.code()));
    }
    lines.0
}

/// Where the journal has nothing.
pub(super) fn unknown(id: DecisionId, span: &Span) -> String {
    let mut text = format!("the journal has no decision {id}");
    let parts = [
        ("refusals of people who are known", span.refused),
        ("refusals of strangers", span.strangers),
        ("what was allowed", span.allowed),
    ];
    for (what, since) in parts {
        let since = since
            .map_or_else(|| "nothing is there".to_owned(), |since| format!("since {}", moment(since.secs())));
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {what}: {since}");
    }
    for gap in &span.gaps {
        let (since, until) = (moment(gap.since.secs()), moment(gap.until.secs()));
        let _ = write!(text, "\n  missing: {} between {since} and {until}", gap.missing);
    }
    text + "\nit is older than that, or mistyped; `journal` in the configuration says how much is kept"
}

fn request(lines: &mut Lines, record: &Record) {
    let asked = &record.asked;
    let scheme = asked.scheme.map_or("?", Scheme::as_str);
    lines.add("asked", format!("{} {scheme}://{}{}", asked.method, asked.host, asked.path.shown()));
    let door = match asked.door {
        Door::Sidecar => "sidecar",
        Door::Edge => "edge",
    };
    let needs = record.reply.needs.map_or_else(String::new, |needs| format!(", needs {needs}"));
    lines.add("", format!("at the {door} ({}){needs}", asked.dialect));
    let ambiguities = asked.path.target().map_or(&[][..], |target| &target.ambiguities);
    if !ambiguities.is_empty() {
        let classes: Vec<&str> = ambiguities.iter().map(|class| class.as_str()).collect();
        lines.add("", format!("can be read in two ways: {}", classes.join(" ")));
    }
    for (is, what) in
        [(asked.upgrade, "asked for an upgrade"), (asked.method_override, "something overrides its method")]
    {
        if is {
            lines.add("", format!("{what}, so it counts as a change"));
        }
    }
}

fn client(lines: &mut Lines, record: &Record) {
    let client = &record.client;
    let country = client.country.map_or_else(String::new, |country| format!(" ({country})"));
    lines.add("client", format!("{}{country}", client.ip));
    for step in client.steps() {
        let taken = match step.taken {
            Taken::Proxy => "a proxy that is believed",
            Taken::Client => "the client",
            Taken::StandIn => "the nearest that is known: counts for limits, meets no condition",
            Taken::Unreadable => "no address: here the walk stopped",
            Taken::Beyond => "not looked at: anybody could have written it",
            Taken::Unbelieved => "not believed: no trusted proxy forwarded it",
        };
        lines.add("", format!("{:<24} {taken}", step.text));
    }
    let shown: Vec<String> = record.shown.iter().map(credential).collect();
    lines.add("credentials", if shown.is_empty() { "none".to_owned() } else { shown.join(", ") });
}

fn credential(shown: &Shown) -> String {
    match shown {
        Shown::Cookie => "the gate's cookie".to_owned(),
        Shown::Bearer => "a bearer token".to_owned(),
        Shown::Issuer(name) => format!("a token of {name}"),
        Shown::ApiKey(Some(id)) => format!("the API key {id}"),
        Shown::ApiKey(None) => "something like an API key".to_owned(),
    }
}

fn who(lines: &mut Lines, record: &Record) {
    let Some(person) = &record.who else { return lines.add("who", "nobody who is known") };
    let accepted = match (person.accepted, record.is_unread()) {
        (true, _) => "",
        (false, true) => "; the credential was not looked at",
        (false, false) => "; the credential was not accepted",
    };
    let factor = if person.enrolled { "second factor set up" } else { "no second factor" };
    lines.add("who", format!("{}, role {}, {factor}{accepted}", person.user, person.role));
    match &person.held {
        Held::Session { id, opened, proof, ended } => {
            lines.add("", format!("session {id}, opened {} before", spell(record.at.since(*opened))));
            if let Some(ended) = ended {
                lines.add("", format!("ended at {}: {}", moment(ended.at.secs()), end(ended.why)));
            }
            elevation(lines, record, person, *proof);
        }
        Held::Key { id, scopes } => {
            let scopes: Vec<&str> = scopes.iter().map(|scope| &**scope).collect();
            lines.add("", format!("API key {id}, scopes {}", scopes.join(" ")));
        }
    }
    match &person.acting {
        Some(Acted::For { user, role, write, until }) => {
            let what = if *write { "changes allowed" } else { "for looking only" };
            lines.add("", format!("acting for {user}, role {role}, {what}, until {}", moment(until.secs())));
        }
        Some(Acted::Over) => lines.add("", "in an impersonation that was over and not left"),
        None => {}
    }
}

fn elevation(
    lines: &mut Lines,
    record: &Record,
    person: &Person,
    proof: Option<crate::rules::session::Elevation>,
) {
    match proof {
        Some(proof) => {
            let by = match proof.by {
                Factor::Totp => "a code",
                Factor::BackupCode => "a backup code",
            };
            let counts = match record.reply.until {
                Some(until) => format!("; counts until {}", moment(until.secs())),
                None if record.lacks_proof() => "; does not count here, or no longer".to_owned(),
                None => String::new(),
            };
            let ago = spell(record.at.since(proof.at));
            lines.add("", format!("second factor by {by} {ago} before{counts}"));
        }
        None => lines.add("", "second factor not proved in this session"),
    }
    if person.relaxed {
        lines.add("", "High Security Mode is off: everybody counts as elevated");
    }
}

fn policy(lines: &mut Lines, record: &Record, now: Option<&Now>) {
    match &record.reply.page {
        Some(page) => lines.add("page", format!("{}, {}:{}", page.name, page.file, page.line)),
        None if record.reply.needs.is_some() => lines.add("page", "none of the policy's pages has this path"),
        None => lines.add("page", "the policy was not asked"),
    }
    if let Some((before, after)) = record.reply.levels {
        lines.add("", format!("{before} before the second factor, {after} after it"));
    }
    if record.policy.is_empty() {
        return;
    }
    let Some(now) = now else { return lines.add("policy", format!("{}; its site is gone", record.policy)) };
    if now.policy == record.policy {
        lines.add("policy", format!("{}, which is still in force", record.policy));
    } else {
        lines.add("policy", format!("{}; {} is in force now", record.policy, now.policy));
    }
    if let (Some(answer), Some(reason)) = (&now.answer, now.reason) {
        let same = record.reply.reason == reason;
        let word = if same { "still says" } else { "says" };
        lines.add("", format!("it {word} {answer} ({}) to this request", reason.code()));
        if now.policy != record.policy {
            for way in &now.ways {
                lines.add("", format!("  allowed by {}", ways::spell(way)));
            }
        }
    }
}

fn allowed_by(lines: &mut Lines, report: &Report) {
    let Some(record) = report.record().filter(|record| !record.is_allowed()) else { return };
    let found = report.ways();
    let mut name = "allowed by";
    for way in found {
        lines.add(name, ways::spell(way));
        name = "";
    }
    if let Said::Throttle { millis } = record.reply.said {
        return lines.add(name, format!("waiting {}", spell(Duration::from_millis(millis))));
    }
    if found.is_empty() && record.case().is_some() {
        let none = if record.is_unread() {
            "spelling the path plainly, or `allow_in_path` on the page"
        } else {
            "nothing that could be found: no role has this, whatever is proved"
        };
        lines.add(name, none);
    }
}

fn erased(lines: &mut Lines, record: &Record) {
    let kept = "the query was never kept";
    if let Some(at) = record.shortened {
        lines.add("erased", format!("addresses were shortened at {}; {kept}", moment(at.secs())));
    } else {
        let due = moment(record.at.plus(WHOLE_ADDRESSES).secs());
        lines.add("erased", format!("nothing yet; addresses are shortened at {due}; {kept}"));
    }
}

/// `2h5m`, without the smaller units that nobody asks about.
fn spell(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let coarse = match seconds {
        0..=599 => seconds,
        600..=86_399 => seconds / 60 * 60,
        _ => seconds / 3600 * 3600,
    };
    spell_duration(Duration::from_secs(coarse))
}
