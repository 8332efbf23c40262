//! What a run is told.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::{Proxy, tls::Trust};
use crate::{
    clock::Wall,
    rules::{
        facts::Target,
        identity::Role,
        outcome::Access,
        policy::{Answer, Case, Circumstances, Manner, RuleSet, Sitting, Who},
    },
};

/// Everything that a run is told.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `https://panel.example.com`
    pub origin: String,
    /// Its host.
    pub host: String,
    /// Its host, with a port unless it is the usual one.
    pub authority: String,
    /// Where to connect to instead of what DNS says.
    pub connect: SocketAddr,
    /// The same for the plain listener.
    pub connect_plain: SocketAddr,
    /// The address to come from.
    pub from: Option<IpAddr>,
    /// Which certificates are accepted.
    pub trust: Trust,
    /// The page that is asked for, without a slash at its end.
    pub page: String,
    /// How the panel's view is had.
    pub view: View,
    /// A session that is there already: `name=token`.
    pub session: Option<String>,
    /// Which proxy it is, if the operator has said so.
    pub proxy: Option<Proxy>,
    /// Where the panel listens.
    pub panel: Vec<SocketAddr>,
    /// The sidecar's port.
    pub sidecar: Option<SocketAddr>,
    /// Other addresses that may lead to the panel.
    pub also: Vec<Also>,
    /// What the configuration says about the site; otherwise why that is not known.
    pub site: Result<SiteFacts, String>,
}

/// How the panel's view is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Not at all.
    None,
    /// The panel has a page that answers with the request.
    Echo,
    /// The doctor listens in its place.
    StandIn(SocketAddr),
}

/// Another address that may lead to the panel.
#[derive(Clone, Debug)]
pub struct Also {
    /// As it was given.
    pub url: String,
    /// Its host.
    pub host: String,
    /// Its host, with a port unless it is the usual one.
    pub authority: String,
    /// Whether to speak TLS.
    pub secure: bool,
    /// Where it is.
    pub address: SocketAddr,
}

/// What the configuration says about the site.
#[derive(Clone, Debug)]
pub struct SiteFacts {
    /// Names of the gate's access and refresh cookies.
    pub cookies: [String; 2],
    /// Whether the panel is to get an assertion.
    pub assertion: bool,
    /// The policy.
    pub policy: Arc<RuleSet>,
    /// Whether accounts of the gate itself can sign in at the public origin; otherwise why not.
    pub sign_in: Result<(), String>,
}

impl SiteFacts {
    /// The least mighty role that may change the page before a second factor, or else look at it.
    pub(super) fn role(&self, page: &str, now: Wall) -> Result<Role, String> {
        let target = Target::parse(page.as_bytes()).map_err(|bad| format!("{page}: {}", bad.what))?;
        let manner = Manner { method: "GET", upgrade: false, method_override: false };
        let circumstances = Circumstances { client: None, country: None, at: now };
        let have = |role: &Role| {
            let sitting = Sitting { role, enrolled: false, proof: None, relaxed: false, acting: None };
            let case = Case { target: &target, manner, circumstances, who: Who::Session(sitting) };
            match self.policy.decide(&case).answer {
                Answer::Allow { have, .. } => Some(have),
                Answer::SignIn | Answer::StepUp { .. } | Answer::Deny(_) | Answer::BadRequest => None,
            }
        };
        let roles = || self.policy.roles().iter().rev();
        let role = roles()
            .find(|role| have(role) == Some(Access::Full))
            .or_else(|| roles().find(|role| have(role).is_some()));
        role.cloned().ok_or_else(|| {
            format!("no role may see {page} before a second factor, from any address at any time: name a page with --page, or a session with --session")
        })
    }
}
