//! How a site's cookies are named and scoped (R19).

use std::collections::BTreeSet;

use super::{read::CODES, sites::is_loopback};
use crate::rules::{
    facts::Host,
    site::{Cookies, Origin, SameSite},
    written::{At, Fields, Findings, Written},
};

/// Reads the `cookies` of a site, and sees that every origin and the portal can share them.
pub(super) fn read(
    fields: &mut Fields<'_>,
    origins: &[Origin],
    portal: Option<&Origin>,
    found: &mut Findings,
) -> Cookies {
    let site = fields.at.clone();
    let mut section = fields.sub("cookies", found);
    let mut text = |key| section.as_mut().and_then(|section| section.text(key, found));
    let (domain, access, refresh) = (text("domain"), text("access"), text("refresh"));
    let same_site = section.as_mut().and_then(|section| {
        section.one_of("same_site", &[("lax", SameSite::Lax), ("strict", SameSite::Strict)], found)
    });
    if let Some(section) = section {
        section.finish(found);
    }
    let prefix = if domain.is_some() { "__Secure-" } else { "__Host-" };
    let own = |text: &Option<Written<&str>>, standard: String| {
        text.as_ref().map_or(standard, |text| text.value.to_owned())
    };
    let cookies = Cookies {
        access: own(&access, format!("{prefix}gate_access")),
        refresh: own(&refresh, "__Secure-gate_refresh".into()),
        pending: format!("{prefix}gate_pending"),
        domain: domain.as_ref().map(|domain| domain.value.to_ascii_lowercase()),
        same_site: same_site.map_or(SameSite::Lax, |same_site| same_site.value),
    };
    let hosts: BTreeSet<&Host> = origins.iter().chain(portal).map(|origin| &origin.host).collect();
    let hosts = hosts.into_iter();
    match domain {
        Some(domain) => covers(&domain, hosts, found),
        None => one_host(&site, hosts, found),
    }
    name(access.as_ref(), cookies.domain.is_some(), found);
    name(refresh.as_ref(), true, found);
    if cookies.access.eq_ignore_ascii_case(&cookies.refresh) {
        let at = refresh.as_ref().or(access.as_ref()).map_or(&site, |name| &name.at);
        found.error("C045", at, "two cookies have one name", "give each its own");
    }
    cookies
}

/// A name that browsers guard; `scoped`: the cookie has a domain or a path, which `__Host-` excludes
/// (RFC 6265bis §4.1.3).
fn name(name: Option<&Written<&str>>, scoped: bool, found: &mut Findings) {
    let Some(name) = name else { return };
    let rest = name.value.strip_prefix("__Host-").or_else(|| name.value.strip_prefix("__Secure-"));
    let token = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !rest.is_some_and(|rest| token(rest) && (1..=64).contains(&rest.len())) {
        let what = format!("`{}` is not a safe cookie name", name.value);
        let help =
            "write `__Host-` or `__Secure-` and letters, digits, - or _, so that no other site can set it";
        found.error("C043", &name.at, what, help);
    }
    if scoped && name.value.starts_with("__Host-") {
        let help = "browsers refuse `__Host-` with a domain or a path: use `__Secure-`";
        found.error("C044", &name.at, format!("`{}` cannot work here", name.value), help);
    }
}

/// Browsers take a cookie for a domain only from a host below it.
fn covers<'h>(domain: &Written<&str>, hosts: impl Iterator<Item = &'h Host>, found: &mut Findings) {
    let bare = domain.value.to_ascii_lowercase();
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let number = bare.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if !bare.contains('.') || number || !bare.split('.').all(label) {
        let what = format!("`{}` is not a domain that cookies can have", domain.value);
        return found.error(
            CODES.value,
            &domain.at,
            what,
            "write it like `example.com`, without a dot in front",
        );
    }
    for host in hosts {
        let name = host.name();
        if name != bare && !name.strip_suffix(&bare).is_some_and(|front| front.ends_with('.')) {
            let what = format!("`{host}` is not below `{}`", domain.value);
            let help = "browsers would drop the cookie there; choose a domain that all origins share";
            found.error("C047", &domain.at, what, help);
        }
    }
}

/// Without a domain, a cookie that the portal sets is seen on its own host only. Whoever uses two names of this very
/// machine is trying things out and can sign in at each.
fn one_host<'h>(site: &At, mut hosts: impl Iterator<Item = &'h Host>, found: &mut Findings) {
    let Some(first) = hosts.next() else { return };
    let local = |host: &Host| is_loopback(host.name());
    let apart = |other: &Host| other.name() != first.name() && !(local(first) && local(other));
    if let Some(other) = hosts.find(|other| apart(other)) {
        let what = format!("`{first}` and `{other}` cannot share cookies");
        let help = "give the site `cookies: { domain: … }` that both are below, or make two sites of it";
        found.error("C047", site, what, help);
    }
}
