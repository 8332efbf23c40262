//! `limit`: a quota of a page, `30/min per session`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::document::CODES;
use crate::rules::{
    limit::Quota,
    written::{Fields, Findings, Node, Value, Written, hint, scalar, scalars},
};

/// How often a page may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PageQuota {
    /// How often.
    pub quota: Quota,
    /// What is counted on its own.
    pub per: Per,
}

/// What a quota of a page is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Per {
    /// The session; an API key counts as one.
    Session,
    /// The client's network: /32, or /64 (R16).
    Address,
    /// The account whose credential it is, over all its sessions and keys.
    User,
    /// The API key; sessions are not counted.
    Key,
}

impl Per {
    const WORDS: [(&'static str, Self); 4] =
        [("session", Self::Session), ("address", Self::Address), ("user", Self::User), ("key", Self::Key)];

    /// As the policy spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Address => "address",
            Self::User => "user",
            Self::Key => "key",
        }
    }
}

impl fmt::Display for PageQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {}", self.quota, self.per.as_str())
    }
}

/// Reads `limit`: one quota, or a list of them.
pub(super) fn read(fields: &mut Fields<'_>, found: &mut Findings) -> Vec<PageQuota> {
    if fields.has("limit") {
        fields.require("limit", "write `30/min per session`, or remove it", found);
    }
    let texts = match fields.get("limit") {
        None => return Vec::new(),
        Some(node @ Node { value: Value::Scalar(_), .. }) => {
            scalar(node, "limit", CODES, found).into_iter().collect()
        }
        Some(node) => scalars(node, "limit", CODES, found),
    };
    texts.iter().filter_map(|text| parse(text, found)).collect()
}

fn parse(text: &Written<&str>, found: &mut Findings) -> Option<PageQuota> {
    let Some((quota, per)) = text.value.split_once(" per ") else {
        let what = format!("`{}` does not say what is counted", text.value);
        found.error("P026", &text.at, what, "write `30/min per session`; or per address, per user, per key");
        return None;
    };
    let quota = Quota::parse(quota)
        .map_err(|bad| found.error("P026", &text.at, bad.to_string(), "write `30/min per session`"));
    let known = Per::WORDS.into_iter().find(|(word, _)| *word == per.trim());
    if known.is_none() {
        let words = Per::WORDS.map(|(word, _)| word);
        let what = format!("`{}` is nothing that a quota can be counted by", per.trim());
        found.error("P026", &text.at, what, hint(per.trim(), &words));
    }
    Some(PageQuota { quota: quota.ok()?, per: known?.1 })
}
