//! `when: { networks: […], countries: […], hours: …, methods: […] }` as written.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;

use super::{Conditions, Hours};
use crate::rules::{
    address::fold_net,
    place::Country,
    policy::{
        amendment::{METHODS, unusual},
        document::CODES,
    },
    written::{Fields, Findings, Node, Value, Written, hint, scalar},
};

/// Reads the conditions under `when`, if there are any.
pub(in crate::rules::policy) fn read(fields: &mut Fields<'_>, found: &mut Findings) -> Conditions {
    const HELP: &str = "write a condition: networks, countries, hours or methods; or remove `when`";
    if fields.has("when") {
        fields.require("when", HELP, found);
    }
    let Some(mut when) = fields.sub("when", found) else { return Conditions::default() };
    let networks = listed(&mut when, "networks", "`networks: [10.0.0.0/8]`", found, network);
    let mut countries = listed(&mut when, "countries", "`countries: [DE, SE]`", found, country);
    if let Some(countries) = &mut countries {
        countries.sort_unstable();
        countries.dedup();
    }
    let hours = hours(&mut when, found);
    let methods = listed(&mut when, "methods", "`methods: [GET, POST]`", found, method);
    if when.entries().is_empty() {
        found.error(CODES.missing, &when.at, "`when` is empty", HELP);
    }
    let line = when.at.line;
    when.finish(found);
    Conditions { networks, countries, hours, methods, line }
}

/// A list that is there must say something: a condition that nothing can meet closes a page for good, and one that was
/// forgotten half-way must not open it.
fn listed<T>(
    fields: &mut Fields<'_>,
    key: &'static str,
    example: &str,
    found: &mut Findings,
    read: impl Fn(&Written<&str>, &mut Findings) -> Option<T>,
) -> Option<Vec<T>> {
    if !fields.has(key) {
        // Known, so that it is offered where another key is misspelt.
        fields.get(key);
        return None;
    }
    fields.require(key, &format!("name at least one, {example}, or remove it"), found);
    let texts = fields.texts(key, found);
    Some(texts.iter().filter_map(|text| read(text, found)).collect())
}

/// One text, or a list of them.
fn hours(fields: &mut Fields<'_>, found: &mut Findings) -> Option<Vec<Hours>> {
    if let Some(node @ Node { value: Value::Scalar(_), .. }) = fields.get("hours") {
        let text = scalar(node, "hours", CODES, found)?;
        return Some(hour(&text, found).into_iter().collect());
    }
    listed(fields, "hours", "`hours: \"Mon-Fri 07:00-19:00 Europe/Berlin\"`", found, hour)
}

fn hour(text: &Written<&str>, found: &mut Findings) -> Option<Hours> {
    Hours::parse(text.value).map_err(|(what, help)| found.error("P025", &text.at, what, help)).ok()
}

fn network(text: &Written<&str>, found: &mut Findings) -> Option<IpNet> {
    let parsed = text
        .value
        .parse::<IpNet>()
        .or_else(|bad| text.value.parse::<IpAddr>().map(IpNet::from).map_err(|_| bad));
    let Ok(network) = parsed else {
        let what = format!("`{}` is not a network", text.value);
        found.error("P023", &text.at, what, "write it as `10.0.0.0/8`, `2001:db8::/32`, or a single address");
        return None;
    };
    if network.trunc() != network {
        let what = format!("`{network}` is an address within a network");
        let help = format!(
            "write `{}` for the network, or `{}` for the address alone",
            network.trunc(),
            network.addr()
        );
        found.error("P023", &text.at, what, help);
        return None;
    }
    Some(fold_net(network))
}

fn country(text: &Written<&str>, found: &mut Findings) -> Option<Country> {
    let country = Country::parse(text.value);
    if country.is_none() {
        let what = format!("`{}` is not a country", text.value);
        found.error("P024", &text.at, what, Country::hint(text.value));
    }
    country
}

fn method(text: &Written<&str>, found: &mut Findings) -> Option<Arc<str>> {
    let name = text.value;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
        let what = format!("`{name}` is not a method");
        found.error("P018", &text.at, what, hint(&name.to_ascii_uppercase(), &METHODS));
        return None;
    }
    unusual(name, &text.at, found);
    Some(name.into())
}
