//! What somebody looks for, and how a record is laid out.

use ipnet::IpNet;
use url::form_urlencoded;

use crate::{
    clock::Wall,
    rules::{
        trail::{Query, Record},
        written::parse_duration,
    },
};

/// What somebody looks for, as it was typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) user: String,
    pub(super) event: String,
    pub(super) client: String,
    pub(super) since: String,
    pub(super) text: String,
    /// Before the record of this number.
    pub(super) before: Option<u64>,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Since,
    Client,
}

impl Asked {
    /// From query parameters.
    pub(super) fn of(parameter: impl Fn(&str) -> String) -> Self {
        let trimmed = |name: &str| parameter(name).trim().to_owned();
        Self {
            user: trimmed("user"),
            event: trimmed("event"),
            client: trimmed("client"),
            since: trimmed("since"),
            text: trimmed("text"),
            before: trimmed("before").parse().ok(),
        }
    }

    /// The query of a link that looks for the same.
    pub(super) fn link(&self, before: Option<u64>) -> String {
        let mut link = form_urlencoded::Serializer::new(String::new());
        let fields = [
            ("user", &self.user),
            ("event", &self.event),
            ("client", &self.client),
            ("since", &self.since),
            ("text", &self.text),
        ];
        link.extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
        if let Some(before) = before {
            link.append_pair("before", &before.to_string());
        }
        link.finish()
    }
}

/// What to look for; `site` bounds it to the records of one site.
pub(super) fn query(asked: &Asked, site: Option<String>, now: Wall) -> Result<Query, Wrong> {
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    let since = match asked.since.as_str() {
        "" => None,
        text => {
            let lasts = parse_duration(text).and_then(|lasts| u64::try_from(lasts.as_millis()).ok());
            Some(Wall::from_millis(now.millis().saturating_sub(lasts.ok_or(Wrong::Since)?)))
        }
    };
    let client = match asked.client.as_str() {
        "" => None,
        text => {
            let network = text.parse::<IpNet>().ok();
            let address = || text.parse::<std::net::IpAddr>().ok().map(|ip| IpNet::from(ip.to_canonical()));
            Some(network.or_else(address).ok_or(Wrong::Client)?)
        }
    };
    Ok(Query {
        user: given(&asked.user),
        event: given(&asked.event),
        client,
        since,
        until: None,
        text: given(&asked.text),
        site,
        before: asked.before,
    })
}

/// A record in columns.
pub(super) struct Parts {
    pub(super) who: String,
    pub(super) from: String,
    pub(super) what: Vec<(String, String)>,
}

/// Who it was first: whoever acted, or else whom it concerns.
pub(super) fn parts(record: &Record) -> Parts {
    let who =
        ["operator", "by", "user", "name", "whose"].iter().find_map(|name| Some((*name, record.text(name)?)));
    let shown = who.as_ref().map(|(name, _)| *name);
    let what = record
        .fields
        .keys()
        .filter(|name| name.as_str() != "client" && Some(name.as_str()) != shown)
        .filter_map(|name| Some((name.clone(), record.text(name).filter(|text| !text.is_empty())?)))
        .collect();
    Parts {
        who: who.map(|(_, text)| text).unwrap_or_default(),
        from: record.text("client").unwrap_or_default(),
        what,
    }
}
