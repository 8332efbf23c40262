//! The `bans` section.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{read::CODES, sources::Sources};
use crate::rules::written::{Fields, Findings, Written};

/// `bans.allow`: whom no ban reaches.
pub(super) fn read(fields: &mut Fields<'_>, sources: &mut Sources<'_>) -> Vec<IpNet> {
    let Some(mut section) = fields.sub("bans", &mut sources.found) else { return vec![] };
    let written = section.texts("allow", &mut sources.found);
    section.finish(&mut sources.found);
    written.iter().filter_map(|text| network(text, &mut sources.found)).collect()
}

fn network(text: &Written<&str>, found: &mut Findings) -> Option<IpNet> {
    let network = text.value.parse::<IpNet>();
    let network = network.or_else(|_| text.value.parse::<IpAddr>().map(IpNet::from)).ok();
    if network.is_none() {
        let what = format!("`{}` is not a network", text.value);
        found.error(CODES.value, &text.at, what, "write `198.51.100.7` or `2001:db8::/32`");
    }
    network
}
