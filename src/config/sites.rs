//! The `sites` section, with the sections that sites share.

use std::{collections::BTreeSet, time::Duration};

use super::{
    IssuerSettings, SiteSettings, Upstream,
    read::{Base, CODES},
    sources::Sources,
};
use crate::rules::{
    facts::CredentialNames,
    site::{Assertion, AtSignIn, Cookies, Lifetimes, Origin, SameSite, SecondFactor, Site},
    written::{Fields, Findings, Node, Written, hint},
};

const SECOND: Duration = Duration::from_secs(1);

/// Reads every site.
pub(super) fn read(
    fields: &mut Fields<'_>,
    base: Base<'_>,
    issuers: &[IssuerSettings],
    sources: &mut Sources<'_>,
) -> Vec<SiteSettings> {
    let lifetimes = lifetimes(fields, STANDARD_LIFETIMES, &mut sources.found);
    let second_factor = second_factor(fields, STANDARD_SECOND_FACTOR, &mut sources.found);
    fields.require("sites", "list what the gate protects; one entry is the normal case", &mut sources.found);
    let shared = Shared { lifetimes, second_factor, base, issuers };
    let nodes = fields.nodes("sites", &mut sources.found);
    let mut names = BTreeSet::new();
    let mut origins = BTreeSet::new();
    let mut sites = Vec::new();
    for node in nodes {
        let Some(site) = site(node, &shared, sources) else { continue };
        if !names.insert(site.site.id.to_string()) {
            let what = format!("two sites are called `{}`", site.site.id);
            sources.found.error("C040", &node.at, what, "tokens are bound to the name; choose another");
        }
        for origin in &site.site.origins {
            if !origins.insert(origin.host.clone()) {
                let what = format!("{} belongs to two sites", origin.text);
                sources.found.error("C041", &node.at, what, "an origin can belong to one site only");
            }
        }
        sites.push(site);
    }
    sites
}

struct Shared<'s> {
    lifetimes: Lifetimes,
    second_factor: SecondFactor,
    base: Base<'s>,
    issuers: &'s [IssuerSettings],
}

const STANDARD_LIFETIMES: Lifetimes = Lifetimes {
    access: Duration::from_secs(15 * 60),
    idle: Duration::from_secs(7 * 86_400),
    absolute: Duration::from_secs(30 * 86_400),
    grace: Duration::from_secs(10),
    pending: Duration::from_secs(5 * 60),
};

const STANDARD_SECOND_FACTOR: SecondFactor =
    SecondFactor { at_sign_in: AtSignIn::Always, sign_in_elevates: true };

fn site(node: &Node, shared: &Shared<'_>, sources: &mut Sources<'_>) -> Option<SiteSettings> {
    let mut fields = Fields::of(node, "a site", CODES, &mut sources.found)?;
    fields.require("name", "tokens are bound to it; a short word", &mut sources.found);
    let name = fields.text("name", &mut sources.found);
    let title = fields.text("title", &mut sources.found);
    let origins = origins(&mut fields, &mut sources.found);
    let portal = fields.text("portal", &mut sources.found);
    let portal = portal.map_or_else(|| origins.first().cloned(), |text| origin(&text, &mut sources.found));
    let upstream = fields.text("upstream", &mut sources.found);
    let upstream = upstream.and_then(|text| self::upstream(&text, shared.base, &mut sources.found));
    let cookies = cookies(&mut fields, &mut sources.found);
    let credentials = credentials(&mut fields, &cookies, shared.issuers, &mut sources.found);
    let assertions =
        [("session", Assertion::Session), ("request", Assertion::Request), ("off", Assertion::Off)];
    let assertion = fields.one_of("assertion", &assertions, &mut sources.found);
    let accent = accent(&mut fields, &mut sources.found);
    let lifetimes = lifetimes(&mut fields, shared.lifetimes, &mut sources.found);
    let second_factor = second_factor(&mut fields, shared.second_factor, &mut sources.found);
    let policy_file = fields.require("policy", "name the policy's file", &mut sources.found);
    let policy_file = policy_file.and(fields.text("policy", &mut sources.found));
    fields.finish(&mut sources.found);
    let policy_file = shared.base.path(&policy_file?);
    let policy = sources.policy(&policy_file);
    let id = name?.value;
    Some(SiteSettings {
        site: Site {
            id: id.into(),
            title: title.map_or(id, |title| title.value).to_owned(),
            origins,
            portal: portal?,
            policy: policy?,
            cookies,
            lifetimes,
            second_factor,
            assertion: assertion.map_or(Assertion::Session, |assertion| assertion.value),
            credentials,
            accent,
        },
        upstream,
        policy_file,
    })
}

fn origins(fields: &mut Fields<'_>, found: &mut Findings) -> Vec<Origin> {
    let help = "list the public addresses: `origins: [\"https://panel.example.com\"]`";
    fields.require("origins", help, found);
    fields.texts("origins", found).iter().filter_map(|text| origin(text, found)).collect()
}

fn origin(text: &Written<&str>, found: &mut Findings) -> Option<Origin> {
    match Origin::parse(text.value) {
        Ok(origin) => {
            let host = origin.host.as_str();
            let local = ["localhost", "127.", "[::1]"].iter().any(|start| host.starts_with(start));
            if !origin.secure && !local {
                let what = format!("`{}` is not https", text.value);
                found.error("C042", &text.at, what, "cookies of a gate need TLS: write the https address");
            }
            Some(origin)
        }
        Err(error) => {
            let what = format!("`{}` is not an origin: {error}", text.value);
            found.error("C006", &text.at, what, "write scheme and host: `https://panel.example.com`");
            None
        }
    }
}

fn upstream(text: &Written<&str>, base: Base<'_>, found: &mut Findings) -> Option<Upstream> {
    if let Some(path) = text.value.strip_prefix("unix:") {
        return Some(Upstream::Unix(base.0.join(path)));
    }
    let url = url::Url::parse(text.value).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let plain = url.as_ref().is_some_and(|url| matches!(url.path(), "" | "/") && url.query().is_none());
    let host = url.as_ref().and_then(|url| url.host_str());
    let (Some(url), Some(host), true) = (&url, host, plain) else {
        let what = format!("`{}` is not an address of a panel", text.value);
        let help = "write `http://127.0.0.1:8080`, `https://panel.internal` or `unix:/run/panel.sock`, without a path";
        found.error("C006", &text.at, what, help);
        return None;
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Some(Upstream::Tcp { host, port: url.port_or_known_default()?, secure: url.scheme() == "https" })
}

/// The prefix rules of RFC 6265bis §4.1.3 (R19).
fn cookies(fields: &mut Fields<'_>, found: &mut Findings) -> Cookies {
    let mut section = fields.sub("cookies", found);
    let mut text = |key| section.as_mut().and_then(|section| section.text(key, found));
    let (domain, access, refresh) = (text("domain"), text("access"), text("refresh"));
    let same_site = section.as_mut().and_then(|section| {
        section.one_of("same_site", &[("lax", SameSite::Lax), ("strict", SameSite::Strict)], found)
    });
    let prefix = if domain.is_some() { "__Secure-" } else { "__Host-" };
    let own = |text: &Option<Written<&str>>, standard: String| {
        text.as_ref().map_or(standard, |text| text.value.to_owned())
    };
    let cookies = Cookies {
        access: own(&access, format!("{prefix}gate_access")),
        refresh: own(&refresh, "__Secure-gate_refresh".into()),
        pending: format!("{prefix}gate_pending"),
        domain: domain.as_ref().map(|domain| domain.value.to_owned()),
        same_site: same_site.map_or(SameSite::Lax, |same_site| same_site.value),
    };
    for (written, with_path) in [(&access, false), (&refresh, true)] {
        let Some(name) = written else { continue };
        let token = name.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let secure = name.value.starts_with("__Host-") || name.value.starts_with("__Secure-");
        if !token || !secure {
            let help = "start it with `__Host-` or `__Secure-`, so that no other site can set it";
            found.error("C043", &name.at, format!("`{}` is not a safe cookie name", name.value), help);
        }
        if name.value.starts_with("__Host-") && (domain.is_some() || with_path) {
            let help = "browsers refuse `__Host-` with a domain or a path: use `__Secure-`";
            found.error("C044", &name.at, format!("`{}` cannot work here", name.value), help);
        }
    }
    if cookies.access == cookies.refresh {
        let at =
            refresh.as_ref().or(access.as_ref()).map_or_else(|| fields.at.clone(), |name| name.at.clone());
        found.error("C045", &at, "two cookies have one name", "give each its own");
    }
    if let Some(section) = section {
        section.finish(found);
    }
    cookies
}

fn credentials(
    fields: &mut Fields<'_>,
    cookies: &Cookies,
    issuers: &[IssuerSettings],
    found: &mut Findings,
) -> CredentialNames {
    let mut names = CredentialNames {
        access: cookies.access.clone(),
        refresh: cookies.refresh.clone(),
        pending: cookies.pending.clone(),
        issuers: Vec::new(),
    };
    for text in fields.texts("issuers", found) {
        if let Some(issuer) = issuers.iter().find(|issuer| issuer.name == text.value) {
            names.issuers.push((issuer.name.clone(), issuer.cookies.clone(), issuer.headers.clone()));
        } else {
            let known: Vec<&str> = issuers.iter().map(|issuer| issuer.name.as_str()).collect();
            let help = format!("it must stand in the top-level `issuers`; {}", hint(text.value, &known));
            found.error("C046", &text.at, format!("unknown issuer `{}`", text.value), help);
        }
    }
    names
}

fn accent(fields: &mut Fields<'_>, found: &mut Findings) -> String {
    const STANDARD: &str = "#2563eb";
    let Some(text) = fields.text("accent", found) else { return STANDARD.into() };
    let hex = text
        .value
        .strip_prefix('#')
        .filter(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    if hex.is_none() {
        let what = format!("`{}` is not a colour", text.value);
        found.error("C006", &text.at, what, "write it as `\"#2563eb\"`, with quotes");
        return STANDARD.into();
    }
    text.value.to_ascii_lowercase()
}

fn lifetimes(fields: &mut Fields<'_>, standard: Lifetimes, found: &mut Findings) -> Lifetimes {
    let Some(mut section) = fields.sub("lifetimes", found) else { return standard };
    let mut read = |key, least, standard| {
        section.duration(key, least, found).map_or(standard, |duration| duration.value)
    };
    let lifetimes = Lifetimes {
        access: read("access", SECOND, standard.access),
        idle: read("idle", SECOND, standard.idle),
        absolute: read("absolute", SECOND, standard.absolute),
        grace: read("grace", Duration::ZERO, standard.grace),
        pending: read("pending", SECOND, standard.pending),
    };
    section.finish(found);
    lifetimes
}

fn second_factor(fields: &mut Fields<'_>, standard: SecondFactor, found: &mut Findings) -> SecondFactor {
    let Some(mut section) = fields.sub("second_factor", found) else { return standard };
    let words =
        [("always", AtSignIn::Always), ("new-device", AtSignIn::NewDevice), ("never", AtSignIn::Never)];
    let at_sign_in = section.one_of("at_sign_in", &words, found);
    let elevates = section.boolean("sign_in_elevates", found);
    section.finish(found);
    SecondFactor {
        at_sign_in: at_sign_in.map_or(standard.at_sign_in, |word| word.value),
        sign_in_elevates: elevates.map_or(standard.sign_in_elevates, |word| word.value),
    }
}
