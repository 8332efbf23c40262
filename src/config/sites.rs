//! The `sites` section, with the sections that sites share.

use std::{collections::BTreeSet, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use super::{
    IssuerSettings, SiteSettings, Upstream, cookies,
    logins::{EMBEDDED, Login},
    passwords,
    read::{Base, CODES},
    sources::Sources,
};
use crate::rules::{
    facts::{CredentialNames, Host},
    policy::RuleSet,
    site::{Assertion, AtSignIn, Cookies, Lifetimes, Origin, SecondFactor, Site},
    written::{At, Fields, Findings, Node, Written, hint},
};

/// What no site says for itself.
const OF_THE_GATE: [&str; 14] = [
    "data_dir", "sidecar", "edge", "admin", "metrics", "limits", "lockout", "logins", "geoip", "notices",
    "bans", "journal", "restart", "log",
];

const SECOND: Duration = Duration::from_secs(1);

/// Reads every site.
pub(super) fn read(
    fields: &mut Fields<'_>,
    base: Base<'_>,
    issuers: &[IssuerSettings],
    logins: &[Login],
    sources: &mut Sources<'_>,
) -> Vec<SiteSettings> {
    let lifetimes = lifetimes(fields, STANDARD_LIFETIMES, &mut sources.found);
    let second_factor = second_factor(fields, STANDARD_SECOND_FACTOR, &mut sources.found);
    let passwords = passwords::read(fields, &passwords::Wanted::default(), &mut sources.found);
    fields.require("sites", "list what the gate protects; one entry is the normal case", &mut sources.found);
    let written = Names { issuers: fields.names_in("issuers"), logins: fields.names_in("logins") };
    let shared = Shared { lifetimes, second_factor, passwords, base, issuers, logins, written };
    let mut sites: Vec<SiteSettings> = Vec::new();
    let nodes = fields.nodes("sites", &mut sources.found);
    for node in nodes {
        let Some(site) = site(node, &shared, sources) else { continue };
        for before in &sites {
            apart(&site, before, &mut sources.found);
        }
        sites.push(site);
    }
    // What a site names that cannot be used is not known.
    if sites.len() == nodes.len() {
        unused(&sites, issuers, logins, &mut sources.found);
    }
    sites
}

/// What is read and never used.
fn unused(sites: &[SiteSettings], issuers: &[IssuerSettings], logins: &[Login], found: &mut Findings) {
    for issuer in issuers {
        let named = |site: &SiteSettings| {
            site.site.credentials.issuers.iter().any(|(name, _, _)| *name == issuer.name)
        };
        if !sites.iter().any(named) {
            let what = format!("no site names the issuer `{}`", issuer.name);
            found.warning("C036", &issuer.at, what, "write its name under `issuers` of a site");
        }
    }
    for login in logins {
        let used =
            |site: &SiteSettings| site.site.login.as_ref().is_some_and(|used| used.name == login.recipe.name);
        if !sites.iter().any(used) {
            let what = format!("no site names the login `{}`", login.recipe.name);
            found.warning("C078", &login.at, what, "write its name as `identities` of a site");
        }
    }
}

/// Two sites have nothing in common that tokens or requests are told apart by.
fn apart(one: &SiteSettings, other: &SiteSettings, found: &mut Findings) {
    let (at, site, before) = (&one.at, &one.site, &other.site);
    let help = |what: &str| format!("{what}; the other site is on line {}", other.at.line);
    if site.id == before.id {
        let what = format!("two sites are called `{}`", site.id);
        found.error("C040", at, what, help("tokens are bound to the name: choose another"));
    }
    let theirs: BTreeSet<&Host> = before.hosts().collect();
    let shared: BTreeSet<&Host> = site.hosts().filter(|host| theirs.contains(host)).collect();
    for host in shared {
        let what = format!("`{host}` belongs to two sites");
        found.error("C041", at, what, help("a host and port can belong to one site only"));
    }
}

struct Shared<'s> {
    lifetimes: Lifetimes,
    second_factor: SecondFactor,
    passwords: passwords::Wanted,
    base: Base<'s>,
    issuers: &'s [IssuerSettings],
    logins: &'s [Login],
    written: Names<'s>,
}

/// The names of what is written, of what cannot be used as well: that has been said.
struct Names<'s> {
    issuers: Vec<&'s str>,
    logins: Vec<&'s str>,
}

const STANDARD_LIFETIMES: Lifetimes = Lifetimes {
    access: Duration::from_secs(15 * 60),
    idle: Duration::from_secs(7 * 86_400),
    absolute: Duration::from_secs(30 * 86_400),
    grace: Duration::from_secs(10),
    pending: Duration::from_secs(5 * 60),
    impersonation: Lifetimes::LONGEST_IMPERSONATION,
};

const STANDARD_SECOND_FACTOR: SecondFactor =
    SecondFactor { at_sign_in: AtSignIn::Always, sign_in_elevates: true };

fn site(node: &Node, shared: &Shared<'_>, sources: &mut Sources<'_>) -> Option<SiteSettings> {
    let mut fields = Fields::of(node, "a site", CODES, &mut sources.found)?;
    fields.require("name", "tokens are bound to it; a short word", &mut sources.found);
    let name = fields.text("name", &mut sources.found);
    check_name(name.as_ref(), &mut sources.found);
    let title = fields.text("title", &mut sources.found);
    let (origins, portal) = origins(&mut fields, &mut sources.found);
    let upstream = fields.text("upstream", &mut sources.found);
    let upstream = upstream.and_then(|text| self::upstream(&text, shared.base, &mut sources.found));
    let cookies = cookies::read(&mut fields, &origins, portal.as_ref(), &mut sources.found);
    let credentials = credentials(&mut fields, &cookies, shared, &mut sources.found);
    let assertions =
        [("session", Assertion::Session), ("request", Assertion::Request), ("off", Assertion::Off)];
    let assertion = fields.one_of("assertion", &assertions, &mut sources.found);
    let accent = accent(&mut fields, &mut sources.found);
    let lifetimes = lifetimes(&mut fields, shared.lifetimes, &mut sources.found);
    let second_factor = second_factor(&mut fields, shared.second_factor, &mut sources.found);
    let login = login(&mut fields, shared, &cookies, &mut sources.found);
    let passwords = passwords::read(&mut fields, &shared.passwords, &mut sources.found);
    let policy_file = fields.require("policy", "name the policy's file", &mut sources.found);
    let policy_file = policy_file.and(fields.text("policy", &mut sources.found));
    for key in OF_THE_GATE {
        let what = format!("`{key}` is for the whole gate, not for a site");
        fields.refuse(key, CODES.unknown, &what, "move it to the left, out of `sites`", &mut sources.found);
    }
    let candidate = candidate(&mut fields, shared.base, sources);
    fields.finish(&mut sources.found);
    let policy_place = policy_file?;
    let policy_file = shared.base.path(&policy_place);
    let policy = sources.policy(&policy_file, Some(&policy_place.at));
    if let Some(rules) = &policy {
        issuers_roles(&credentials, shared.issuers, rules, &mut sources.found);
        login_roles(login, rules, &mut sources.found);
        passwords.check_roles(rules, &mut sources.found);
        candidate.check_roles(rules, &mut sources.found);
    }
    let tests = policy.as_ref().map(|rules| sources.beside(&policy_file, rules)).unwrap_or_default();
    let id = name?.value;
    Some(SiteSettings {
        at: node.at.clone(),
        site: Site {
            id: id.into(),
            title: title.map_or(id, |title| title.value).to_owned(),
            origins,
            portal: portal?,
            policy: policy?,
            tests,
            shadow: candidate.rules,
            cookies,
            lifetimes,
            second_factor,
            passwords: passwords.rules(),
            assertion: assertion.map_or(Assertion::Session, |assertion| assertion.value),
            credentials,
            accent,
            login: login.map(|login| Arc::new(login.recipe.clone())),
        },
        upstream,
        policy_file,
        shadow_file: candidate.file.map(|(file, _)| file),
    })
}

/// The policy that is judged beside the real one.
struct Candidate {
    file: Option<(PathBuf, At)>,
    rules: Option<Arc<RuleSet>>,
}

/// One that is written and cannot be used is an error of the whole, as any other policy.
fn candidate(fields: &mut Fields<'_>, base: Base<'_>, sources: &mut Sources<'_>) -> Candidate {
    let file = fields.text("shadow", &mut sources.found).map(|place| (base.path(&place), place.at));
    let rules = file.as_ref().and_then(|(file, at)| sources.policy(file, Some(at)));
    Candidate { file, rules }
}

impl Candidate {
    /// Whoever has a role that the candidate does not know reaches nothing once it is in force.
    fn check_roles(&self, policy: &RuleSet, found: &mut Findings) {
        let (Some((file, at)), Some(rules)) = (&self.file, &self.rules) else { return };
        for role in policy.roles().iter().filter(|role| !rules.roles().contains(role)) {
            let what = format!("the candidate {} has no role `{role}`, which the policy has", file.display());
            let help = "whoever has it would reach nothing: add it to `roles`, or give those accounts another one first";
            found.warning("C056", at, what, help);
        }
    }
}

fn check_name(name: Option<&Written<&str>>, found: &mut Findings) {
    let Some(name) = name else { return };
    let plain = name.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !plain || !(1..=64).contains(&name.value.len()) {
        let what = format!("`{}` is not a name that a site can have", name.value);
        found.error("C006", &name.at, what, "use 1 to 64 of a-z, 0-9, - _ and .");
    }
}

/// The public origins, and the one where the portal is.
fn origins(fields: &mut Fields<'_>, found: &mut Findings) -> (Vec<Origin>, Option<Origin>) {
    let help = "list the public addresses: `origins: [\"https://panel.example.com\"]`";
    fields.require("origins", help, found);
    let origins: Vec<Origin> =
        fields.texts("origins", found).iter().filter_map(|text| origin(text, found)).collect();
    let portal = fields.text("portal", found);
    let portal = portal.map_or_else(|| origins.first().cloned(), |text| origin(&text, found));
    (origins, portal)
}

fn origin(text: &Written<&str>, found: &mut Findings) -> Option<Origin> {
    match Origin::parse(text.value) {
        Ok(origin) if origin.secure => Some(origin),
        Ok(origin) if is_loopback(origin.host.name()) => {
            let help = "good for trying things out on this machine; everybody else needs https";
            found.warning("C048", &text.at, format!("`{}` is not https", text.value), help);
            Some(origin)
        }
        Ok(_) => {
            let what = format!("`{}` is not https", text.value);
            found.error("C042", &text.at, what, "the gate's cookies need TLS: write the https address");
            None
        }
        Err(error) => {
            let what = format!("`{}` is not an origin: {error}", text.value);
            found.error("C006", &text.at, what, "write scheme and host: `https://panel.example.com`");
            None
        }
    }
}

pub(super) fn is_loopback(name: &str) -> bool {
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn upstream(text: &Written<&str>, base: Base<'_>, found: &mut Findings) -> Option<Upstream> {
    if let Some(path) = text.value.strip_prefix("unix:") {
        return Some(Upstream::Unix(base.socket(path, &text.at, found)));
    }
    let url = url::Url::parse(text.value).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let plain = url.as_ref().is_some_and(|url| matches!(url.path(), "" | "/") && url.query().is_none());
    let host = url.as_ref().and_then(|url| url.host_str());
    let (Some(url), Some(host), true) = (&url, host, plain) else {
        let what = format!("`{}` is not an address of a panel", text.value);
        let help = "write `http://127.0.0.1:8080`, `https://panel.internal` or `unix:/run/panel.sock`, without a path";
        found.error("C006", &text.at, what, help);
        // Never used, as the error stops the loading; it keeps others from saying that there is none.
        return Some(Upstream::Unix(base.0.into()));
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Some(Upstream::Tcp { host, port: url.port_or_known_default()?, secure: url.scheme() == "https" })
}

fn credentials(
    fields: &mut Fields<'_>,
    cookies: &Cookies,
    shared: &Shared<'_>,
    found: &mut Findings,
) -> CredentialNames {
    let issuers = shared.issuers;
    let mut names = CredentialNames {
        access: cookies.access.clone(),
        refresh: cookies.refresh.clone(),
        pending: cookies.pending.clone(),
        issuers: Vec::new(),
    };
    for text in fields.texts("issuers", found) {
        if let Some(issuer) = issuers.iter().find(|issuer| issuer.name == text.value) {
            let own = [&names.access, &names.refresh, &names.pending];
            if let Some(taken) = issuer.cookies.iter().find(|cookie| own.contains(cookie)) {
                let what = format!("the issuer `{}` looks into the gate's own cookie `{taken}`", text.value);
                found.error("C035", &text.at, what, "name the cookie in which the panel keeps its token");
            }
            names.issuers.push((issuer.name.clone(), issuer.cookies.clone(), issuer.headers.clone()));
        } else if !shared.written.issuers.contains(&text.value) {
            let known: Vec<&str> = issuers.iter().map(|issuer| issuer.name.as_str()).collect();
            let help = format!("it must stand in the top-level `issuers`; {}", hint(text.value, &known));
            found.error("C046", &text.at, format!("unknown issuer `{}`", text.value), help);
        }
    }
    names
}

/// The roles that issuers' roles are mapped to must be the policy's.
fn issuers_roles(names: &CredentialNames, issuers: &[IssuerSettings], rules: &RuleSet, found: &mut Findings) {
    let known: Vec<&str> = rules.roles().iter().map(|role| &**role).collect();
    let used = |issuer: &&IssuerSettings| names.issuers.iter().any(|(name, _, _)| *name == issuer.name);
    for role in issuers.iter().filter(used).flat_map(|issuer| &issuer.role_places) {
        if !known.contains(&role.value.as_str()) {
            let what = format!("the policy has no role `{}`", role.value);
            found.error("C049", &role.at, what, hint(&role.value, &known));
        }
    }
}

/// Where the site's identities come from, if not from the gate itself.
fn login<'l>(
    fields: &mut Fields<'_>,
    shared: &Shared<'l>,
    cookies: &Cookies,
    found: &mut Findings,
) -> Option<&'l Login> {
    let logins = shared.logins;
    let text = fields.text("identities", found).filter(|text| text.value != EMBEDDED)?;
    let login = logins.iter().find(|login| *login.recipe.name == *text.value);
    if login.is_none() && !shared.written.logins.contains(&text.value) {
        let known: Vec<&str> = logins.iter().map(|login| &*login.recipe.name).chain([EMBEDDED]).collect();
        let help =
            format!("it is `{EMBEDDED}`, or stands in the top-level `logins`; {}", hint(text.value, &known));
        found.error("C079", &text.at, format!("unknown login `{}`", text.value), help);
    }
    let own = [&cookies.access, &cookies.refresh, &cookies.pending];
    if let Some(taken) =
        login.iter().flat_map(|login| &login.recipe.pass_on.cookies).find(|name| own.contains(name))
    {
        let what = format!("the login `{}` passes on the gate's own cookie `{taken}`", text.value);
        found.error("C035", &text.at, what, "name the cookie in which the panel keeps its session");
    }
    login
}

/// The roles that a login gives must be the policy's.
fn login_roles(login: Option<&Login>, rules: &RuleSet, found: &mut Findings) {
    let known: Vec<&str> = rules.roles().iter().map(|role| &**role).collect();
    for role in login.iter().flat_map(|login| &login.roles) {
        if !known.contains(&role.value.as_str()) {
            let what = format!("the policy has no role `{}`", role.value);
            found.error("C049", &role.at, what, hint(&role.value, &known));
        }
    }
}

fn accent(fields: &mut Fields<'_>, found: &mut Findings) -> String {
    const STANDARD: &str = "#2563eb";
    if fields.has("accent") && fields.get("accent").is_none() {
        let help = "a `#` begins a comment: write the colour in quotes, `accent: \"#2563eb\"`";
        fields.require("accent", help, found);
    }
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
        impersonation: read("impersonation", SECOND, standard.impersonation),
    };
    if lifetimes.impersonation > Lifetimes::LONGEST_IMPERSONATION {
        let what = "`impersonation` is longer than 30m";
        found.error(
            "C061",
            &section.at,
            what,
            "nobody acts as somebody else for longer: write `30m` or less",
        );
    }
    let (access, idle, absolute) = (lifetimes.access, lifetimes.idle, lifetimes.absolute);
    if access > idle || idle > absolute {
        let help = "a session ends at the shortest of them";
        found.warning("C060", &section.at, "`access`, `idle` and `absolute` should grow in this order", help);
    }
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
