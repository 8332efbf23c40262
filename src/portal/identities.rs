//! Where identities come from: one question, asked of whoever keeps the site's users.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Hasher, context::Cx, fault::Fault};
use crate::{
    gate::{Gate, Visit, panel::NotSignedIn},
    rules::{
        identity::{User, UserName},
        login::{Jar, Recipe},
    },
    secret::SecretText,
};

/// The longest password that a panel is asked about, in bytes.
const LONGEST: usize = 1024;

/// Whoever keeps users and their passwords.
#[async_trait]
pub(crate) trait Identities: Send + Sync {
    /// Whose name and password these are. Without a name that anybody could have it takes no less time than with one
    /// that nobody has (R31).
    async fn check(&self, name: Option<&UserName>, password: SecretText) -> Result<Verified, NotVerified>;
}

/// Somebody, beyond a first factor.
#[derive(Debug)]
pub(crate) struct Verified {
    /// The account, which is enabled.
    pub(crate) user: Arc<User>,
    /// What signs the session in to the panel, if the panel was asked.
    pub(crate) jar: Option<Jar>,
}

/// Why it is nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotVerified {
    /// One answer for every reason there can be (R31).
    NoMatch,
    /// Too many are asking.
    Busy,
    /// Whoever keeps the users does not answer.
    Unavailable,
}

impl NotVerified {
    /// What to answer, if it is not a matter of name and password.
    pub(crate) fn fault(self) -> Option<Fault> {
        match self {
            Self::NoMatch => None,
            Self::Busy => Some(Fault::Busy),
            Self::Unavailable => Some(Fault::Unavailable),
        }
    }
}

/// Whoever keeps the users of this site.
pub(crate) fn of(cx: &Cx) -> Box<dyn Identities + '_> {
    match &cx.site().login {
        None => Box::new(Embedded { gate: cx.gate(), hasher: &cx.portal.hasher }),
        Some(recipe) => Box::new(OfPanel { gate: cx.gate(), visit: &cx.visit, recipe }),
    }
}

/// Whether this is the password of an account: for asking again before something is changed.
pub(crate) async fn confirms(cx: &Cx, user: &User, password: SecretText) -> Result<bool, Fault> {
    match of(cx).check(Some(&user.name), password).await {
        Ok(verified) => Ok(verified.user.id == user.id),
        Err(why) => why.fault().map_or(Ok(false), Err),
    }
}

/// Our own accounts.
struct Embedded<'a> {
    gate: &'a Gate,
    hasher: &'a Hasher,
}

#[async_trait]
impl Identities for Embedded<'_> {
    async fn check(&self, name: Option<&UserName>, password: SecretText) -> Result<Verified, NotVerified> {
        let records = &self.gate.live().records;
        let user = name.and_then(|name| records.user_by_name(name)).filter(|user| !user.disabled);
        let hash = user.as_ref().and_then(|user| user.password.clone());
        let matches = self.hasher.verify(password, hash, records.password_cost()).await;
        let matches = matches.map_err(|_| NotVerified::Busy)?;
        let user = user.filter(|_| matches).ok_or(NotVerified::NoMatch)?;
        Ok(Verified { user, jar: None })
    }
}

/// The panel, through its own login.
struct OfPanel<'a> {
    gate: &'a Gate,
    visit: &'a Visit,
    recipe: &'a Recipe,
}

#[async_trait]
impl Identities for OfPanel<'_> {
    async fn check(&self, name: Option<&UserName>, password: SecretText) -> Result<Verified, NotVerified> {
        // A name that no account can have says nothing about those that there are.
        let name = name.ok_or(NotVerified::NoMatch)?;
        // Directories take a sign-in without a password for one of nobody in particular, and say yes.
        if password.expose().is_empty() || password.expose().len() > LONGEST {
            return Err(NotVerified::NoMatch);
        }
        let client = self.visit.facts.client.ip;
        let asked = self.gate.panels().sign_in(self.gate, self.recipe, name, &password, client).await;
        match asked {
            Ok((user, jar)) => Ok(Verified { user, jar: Some(jar) }),
            Err(NotSignedIn::NoMatch) => Err(NotVerified::NoMatch),
            Err(NotSignedIn::Unavailable) => Err(NotVerified::Unavailable),
        }
    }
}
