//! Signing in at the panel: what its login endpoint is asked, what counts as success, and what is kept of its answer.
//! Pure; asking it is the feed's.

mod breaker;
mod cookie;
mod jar;
mod reading;
mod template;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

pub use self::{
    breaker::Breaker,
    cookie::SetCookie,
    jar::{Cookie, Credentials, Jar},
    reading::{Answer, Person, Reading, read},
    template::{Body, Filling, Piece, Template},
};
use super::identity::Role;

/// How the login endpoint of a panel is asked, and how its answer is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Its name in the configuration; accounts that came from it are marked with it.
    pub name: Arc<str>,
    /// Where the credentials are sent: https, or http on this machine.
    pub url: url::Url,
    /// What is fetched first, for endpoints that want a token of their own form.
    pub before: Option<Before>,
    /// What is sent.
    pub body: Template,
    /// What the answer to right credentials looks like.
    pub success: Success,
    /// Where the answer says who that is.
    pub claims: Claims,
    /// The panel's role → ours; one that is not here is taken as it is.
    pub roles: BTreeMap<String, Role>,
    /// The role of whoever the answer gives none.
    pub role: Option<Role>,
    /// For everything together.
    pub timeout: Duration,
    /// Who signs the panel's certificate, as DER; empty: the authorities that the system trusts.
    pub authorities: Vec<Vec<u8>>,
    /// What of the answer signs requests to the panel in.
    pub pass_on: PassOn,
    /// How the panel says that its own session is over.
    pub signed_out: Option<SignedOut>,
    /// Whether the password is kept, sealed, to sign in again when it is.
    pub renew: bool,
}

/// A page that is fetched before the credentials are sent. Its cookies go with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// Where.
    pub url: url::Url,
    /// The name of the form field whose value becomes `{token}`.
    pub field: String,
}

/// What the answer to right credentials looks like: all that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Success {
    /// One of these statuses; empty: any from 200 to 399.
    pub status: Vec<u16>,
    /// It redirects there.
    pub location: Option<String>,
    /// It does not redirect there.
    pub location_not: Option<String>,
    /// The JSON body has something there.
    pub json: Option<Wanted>,
    /// It sets a cookie of this name.
    pub cookie: Option<String>,
}

/// A place in a JSON body and what is wanted there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// RFC 6901.
    pub pointer: String,
    /// What stands there, as text; `None`: anything but null and false.
    pub equals: Option<String>,
}

/// JSON pointers (RFC 6901) into the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// The account name; without it, the one that was typed.
    pub name: Option<String>,
    /// The role.
    pub role: Option<String>,
    /// The mail address.
    pub email: Option<String>,
    /// The name for people.
    pub display: Option<String>,
}

/// What of the answer signs requests to the panel in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassOn {
    /// Cookies of these names.
    pub cookies: Vec<String>,
    /// A token in the body.
    pub token: Option<Token>,
}

impl PassOn {
    /// Whether anything is kept at all.
    pub fn is_empty(&self) -> bool {
        self.cookies.is_empty() && self.token.is_none()
    }
}

/// A token in the body, and the header field in which the panel wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Where it is (RFC 6901).
    pub pointer: String,
    /// The field, lower case.
    pub header: String,
    /// What stands before it in the field.
    pub prefix: String,
}

/// How the panel says that its own session is over: in one of these ways.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignedOut {
    /// By one of these statuses.
    pub status: Vec<u16>,
    /// By redirecting there.
    pub location: Option<String>,
    /// By taking this cookie back.
    pub cookie: Option<String>,
}

impl SignedOut {
    /// Whether an answer to a request of the site says so. `at` is the address that was asked for, `cookies` what the
    /// answer sets and takes back.
    pub fn is(&self, status: u16, location: Option<&str>, cookies: &[SetCookie], at: &url::Url) -> bool {
        let leads = |wanted| location.is_some_and(|location| leads_to(location, at, wanted));
        // The last word on a name counts.
        let taken = |name: &String| {
            let last = cookies.iter().rfind(|cookie| cookie.name == *name);
            last.is_some_and(|cookie| cookie.value.is_none())
        };
        self.status.contains(&status)
            || (300..400).contains(&status) && self.location.as_deref().is_some_and(leads)
            || self.cookie.as_ref().is_some_and(taken)
    }
}

/// Whether a `Location` leads to `wanted` or below it: its path, and its query too where `wanted` has one.
pub(in crate::rules) fn leads_to(location: &str, from: &url::Url, wanted: &str) -> bool {
    let Ok(target) = from.join(location) else { return false };
    let mut there = target.path().to_owned();
    if wanted.contains('?') {
        there.push('?');
        there.push_str(target.query().unwrap_or_default());
    }
    let Some(rest) = there.strip_prefix(wanted) else { return false };
    rest.is_empty() || wanted.ends_with('/') || rest.starts_with(['/', '?', '&', ';'])
}

#[cfg(test)]
impl Recipe {
    /// A login for tests: everybody is an `alice`, `sid` is passed on, and redirects to `/login` end it.
    pub(crate) fn sample() -> Self {
        Self {
            name: "panel-login".into(),
            url: url::Url::parse("http://127.0.0.1:8080/login").unwrap(),
            before: None,
            body: Template::Form(vec![("user".into(), Piece::split("{username}"))]),
            success: Success { status: vec![200, 302], ..Success::default() },
            claims: Claims::default(),
            roles: BTreeMap::new(),
            role: Some("alice".into()),
            timeout: Duration::from_secs(5),
            authorities: vec![],
            pass_on: PassOn { cookies: vec!["sid".into()], token: None },
            signed_out: Some(SignedOut { location: Some("/login".into()), ..SignedOut::default() }),
            renew: false,
        }
    }
}
