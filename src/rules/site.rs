//! Sites: what one running gate stands in front of, and the host map that finds the right one (R6).

#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{
    factor::strength,
    facts::{BadHost, CredentialNames, Host, split_port},
    identity::Role,
    login::Recipe,
    policy::{RuleSet, testing::Beside},
    session::SiteId,
};

/// One protected site.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its name in the configuration; `aud` of its tokens.
    pub id: SiteId,
    /// What people see as the panel's name.
    pub title: String,
    /// Public origins (`https://panel.example.com`, no trailing slash), the first being the main one.
    pub origins: Vec<Origin>,
    /// Where the portal lives; one of `origins` unless a sub-domain set-up says otherwise.
    pub portal: Origin,
    /// The compiled policy.
    pub policy: Arc<RuleSet>,
    /// The tests beside the policy; they decide nothing.
    pub tests: Beside,
    /// A policy that is judged by beside the real one, to see what it would change; it decides nothing.
    pub shadow: Option<Arc<RuleSet>>,
    /// How cookies are named and scoped.
    pub cookies: Cookies,
    /// Session lifetimes.
    pub lifetimes: Lifetimes,
    /// When the second factor is asked for.
    pub second_factor: SecondFactor,
    /// What is asked of new passwords.
    pub passwords: strength::Rules,
    /// The signed assertion towards the panel.
    pub assertion: Assertion,
    /// Where credentials are looked for, those of trusted issuers included.
    pub credentials: CredentialNames,
    /// Accent colour of the portal, `#rrggbb`.
    pub accent: String,
    /// The panel's own login that is asked who somebody is; `None`: the accounts of the gate itself.
    pub login: Option<Arc<Recipe>>,
}

impl Site {
    /// The site of this name; without one, the only one there is, or one of several that have the same policy.
    ///
    /// # Errors
    /// With what to write instead.
    pub fn choose<'s>(sites: &[&'s Self], name: Option<&str>) -> Result<&'s Self, String> {
        let names = || sites.iter().map(|site| &*site.id).collect::<Vec<_>>().join(", ");
        let Some(name) = name else {
            let first = sites.first().ok_or_else(|| "there is no site".to_owned())?;
            if sites.iter().all(|site| site.policy.version() == first.policy.version()) {
                return Ok(first);
            }
            return Err(format!("the sites have policies of their own: name one of {} with --site", names()));
        };
        let found = sites.iter().find(|site| &*site.id == name);
        found.copied().ok_or_else(|| format!("there is no site `{name}`; there is {}", names()))
    }
}

/// A public origin: scheme, host and port, serialised as browsers do (default ports left out).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// `https://panel.example.com` or `https://localhost:8443`.
    pub text: Arc<str>,
    /// The host alone, canonical.
    pub host: Host,
    /// Whether the scheme is https.
    pub secure: bool,
}

impl Origin {
    /// Reads `https://panel.example.com` or `http://localhost:8080`: scheme, host, optional port, nothing behind.
    ///
    /// # Errors
    /// [`BadHost`] with what is wrong, for the operator.
    pub fn parse(text: &str) -> Result<Self, BadHost> {
        let (scheme, authority) = text
            .split_once("://")
            .ok_or(BadHost("an origin is written with its scheme, as in https://panel.example.com"))?;
        let (secure, foreign_port) = match scheme.to_ascii_lowercase().as_str() {
            "https" => (true, 80),
            "http" => (false, 443),
            _ => return Err(BadHost("the scheme of an origin is https or http")),
        };
        if authority.contains(['/', '?', '#']) {
            return Err(BadHost(
                "an origin ends with its host and port; leave out the slash and what follows",
            ));
        }
        let (_, port) = split_port(authority)?;
        // Canonical hosts leave out both default ports, so such an origin could not be told from the usual one.
        if port == Some(foreign_port) {
            return Err(BadHost("the port of an origin is the default port of the other scheme"));
        }
        let host = Host::parse(authority.as_bytes())?;
        let scheme = if secure { "https" } else { "http" };
        Ok(Self { text: format!("{scheme}://{host}").into(), host, secure })
    }
}

/// How the gate's cookies are named and scoped (R19).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookies {
    /// Holds the access token. `__Host-gate_access` unless a domain is set.
    pub access: String,
    /// Holds the refresh token. `__Secure-gate_refresh`.
    pub refresh: String,
    /// Holds the pre-session between password and second factor. `__Host-gate_pending`.
    pub pending: String,
    /// `Domain=`, for sub-domain set-ups.
    pub domain: Option<String>,
    /// `Lax` or `Strict`.
    pub same_site: SameSite,
}

/// The `SameSite` attribute of the access cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Sent on top-level navigations from elsewhere.
    Lax,
    /// Never sent from elsewhere.
    Strict,
}

/// How long things live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// An access token.
    pub access: Duration,
    /// A session that is not used.
    pub idle: Duration,
    /// Any session.
    pub absolute: Duration,
    /// How long a rotated refresh token is still answered after its successor was first seen.
    pub grace: Duration,
    /// The time between password and second factor.
    pub pending: Duration,
    /// An impersonation, 30 minutes at most.
    pub impersonation: Duration,
}

impl Lifetimes {
    /// The longest impersonation that can be configured.
    pub const LONGEST_IMPERSONATION: Duration = Duration::from_secs(30 * 60);
}

/// When the second factor is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondFactor {
    /// At sign-in.
    pub at_sign_in: AtSignIn,
    /// Whether a code given at sign-in elevates at once.
    pub sign_in_elevates: bool,
}

/// Whether a code is asked for at sign-in of an enrolled account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtSignIn {
    /// Every time.
    Always,
    /// On a device that has no earlier session of this account.
    NewDevice,
    /// Only pages that need it ask.
    Never,
}

/// How the signed assertion is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assertion {
    /// To site and session; signed once and reused for its life.
    Session,
    /// To method, host and path as well; a signature each time.
    Request,
    /// None is sent.
    Off,
}

/// The host map: which site a request is for. Exact match on the canonical host and port.
#[derive(Clone, Debug, Default)]
pub struct Sites {
    by_host: HashMap<Host, usize>,
    sites: Vec<Arc<Site>>,
}

impl Sites {
    /// Builds the map.
    ///
    /// # Errors
    /// With the origin that two sites both claim.
    pub fn new(sites: Vec<Site>) -> Result<Self, String> {
        let mut by_host = HashMap::new();
        for (index, site) in sites.iter().enumerate() {
            let portal = std::iter::once(&site.portal);
            for origin in site.origins.iter().chain(portal) {
                let before = by_host.insert(origin.host.clone(), index);
                if before.is_some_and(|other| other != index) {
                    return Err(origin.text.to_string());
                }
            }
        }
        Ok(Self { by_host, sites: sites.into_iter().map(Arc::new).collect() })
    }

    /// The site for a host, or `None` (421).
    pub fn find(&self, host: &Host) -> Option<&Arc<Site>> {
        self.by_host.get(host).and_then(|index| self.sites.get(*index))
    }

    /// The host that is spelt exactly like this, with its site. A canonical spelling is its own canonical form, so this
    /// finds nothing that parsing would not.
    pub(in crate::rules) fn spelt(&self, text: &str) -> Option<(&Host, &Arc<Site>)> {
        let (host, index) = self.by_host.get_key_value(text)?;
        Some((host, self.sites.get(*index)?))
    }

    /// All sites in the order of the configuration.
    pub fn all(&self) -> &[Arc<Site>] {
        &self.sites
    }
}

impl Site {
    /// The hosts it is reached at: those of its origins and of its portal, the main one first.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.origins.iter().chain([&self.portal]).map(|origin| &origin.host)
    }

    /// The rank of a role: smaller is mightier; `None` for a role the policy does not know.
    pub fn rank(&self, role: &Role) -> Option<usize> {
        self.policy.roles().iter().position(|known| known == role)
    }
}

#[cfg(test)]
impl Site {
    /// A site for tests, with the default names and an empty policy.
    pub(crate) fn sample(id: &str, origins: &[&str]) -> Self {
        let origins: Vec<Origin> = origins.iter().map(|text| Origin::parse(text).unwrap()).collect();
        let [access, refresh, pending] =
            ["__Host-gate_access", "__Secure-gate_refresh", "__Host-gate_pending"].map(str::to_owned);
        Self {
            id: id.into(),
            title: "Panel".into(),
            portal: origins.first().unwrap().clone(),
            origins,
            policy: Arc::default(),
            tests: Beside::Nothing,
            shadow: None,
            cookies: Cookies {
                access: access.clone(),
                refresh: refresh.clone(),
                pending: pending.clone(),
                domain: None,
                same_site: SameSite::Lax,
            },
            lifetimes: Lifetimes {
                access: Duration::from_secs(900),
                idle: Duration::from_secs(7 * 86_400),
                absolute: Duration::from_secs(30 * 86_400),
                grace: Duration::from_secs(10),
                pending: Duration::from_secs(300),
                impersonation: Lifetimes::LONGEST_IMPERSONATION,
            },
            second_factor: SecondFactor { at_sign_in: AtSignIn::Always, sign_in_elevates: true },
            passwords: strength::Rules::default(),
            assertion: Assertion::Session,
            credentials: CredentialNames { access, refresh, pending, issuers: Vec::new() },
            accent: "#2f6feb".into(),
            login: None,
        }
    }
}
