//! Which records somebody wants to see.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{ALTERED, Record};
use crate::clock::Wall;

/// Members that name an account.
const PEOPLE: [&str; 5] = ["user", "name", "operator", "whose", "by"];

/// Which records somebody wants to see; everything that is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Concerns this account, as whom or by whom.
    pub user: Option<String>,
    /// The event, or the beginning of it when it ends in `*`.
    pub event: Option<String>,
    /// Came from this network.
    pub client: Option<IpNet>,
    /// Not before.
    pub since: Option<Wall>,
    /// Before.
    pub until: Option<Wall>,
    /// A text in any of its members, whatever the case.
    pub text: Option<String>,
    /// Of this site. Records that name no site concern the installation and are left out.
    pub site: Option<String>,
    /// Before the record with this number.
    pub before: Option<u64>,
}

impl Query {
    /// Whether a record is wanted.
    pub fn matches(&self, record: &Record) -> bool {
        let secs = record.secs();
        // Whatever it was, it may be what is looked for.
        let altered = record.event == ALTERED && record.fields.contains_key("file");
        self.before.is_none_or(|before| record.seq < before) && (altered || self.wants(record, secs))
    }

    fn wants(&self, record: &Record, secs: u64) -> bool {
        self.since.is_none_or(|since| secs >= since.secs())
            && self.until.is_none_or(|until| secs < until.secs())
            && self.event.as_deref().is_none_or(|wanted| is_event(wanted, &record.event))
            && self.user.as_deref().is_none_or(|user| concerns(record, user))
            && self.client.is_none_or(|network| came_from(record, network))
            && self.site.as_deref().is_none_or(|site| record.text("site").as_deref() == Some(site))
            && self.text.as_deref().is_none_or(|text| says(record, text))
    }
}

fn is_event(wanted: &str, event: &str) -> bool {
    wanted.strip_suffix('*').map_or(wanted == event, |start| event.starts_with(start))
}

/// A name in any spelling that signs in: [`UserName`](crate::rules::identity::UserName) has one for all of them.
fn concerns(record: &Record, user: &str) -> bool {
    let user = user.trim();
    PEOPLE.iter().any(|name| record.text(name).is_some_and(|text| text.eq_ignore_ascii_case(user)))
}

fn came_from(record: &Record, network: IpNet) -> bool {
    let client = record.text("client").and_then(|client| client.parse::<IpAddr>().ok());
    client.is_some_and(|client| network.contains(&client.to_canonical()))
}

fn says(record: &Record, text: &str) -> bool {
    let wanted = text.to_lowercase();
    let mut all = record.fields.values().map(ToString::to_string);
    record.event.contains(&wanted) || all.any(|value| value.to_lowercase().contains(&wanted))
}
