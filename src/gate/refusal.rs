//! A refusal on its way to being rendered, perhaps through a proxy that carries nothing but a status.

use std::{sync::Arc, time::Duration};

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::{
    clock::Wall,
    rules::{
        facts::{Audience, Facts},
        outcome::{DecisionId, Judgement, Outcome},
        reason::Reason,
        seal::Sealer,
    },
};

/// A refusal with all that its rendering needs. It travels inside the process as a request extension, and through
/// proxies that carry nothing but a status as a sealed text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What kind of no.
    pub kind: RefusalKind,
    /// Why.
    pub reason: Reason,
    /// The page of the policy.
    pub page: Option<Arc<str>>,
    /// The name of the account that was acted for, if any.
    pub acting_for: Option<String>,
    /// The URL to come back to. Empty if the request could not be described.
    pub url: String,
    /// The method that was used.
    pub method: String,
    /// Page or problem document.
    pub audience: RefusalAudience,
    /// The decision.
    pub decision: DecisionId,
    /// When.
    pub at: Wall,
}

/// [`Audience`], in a form that travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalAudience {
    /// A person navigating.
    Navigation,
    /// Anything else.
    Background,
}

/// The kinds of no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalKind {
    /// Sign in (or renew, when the reason is [`Reason::AccessExpired`]).
    SignIn,
    /// Prove the second factor.
    StepUp {
        /// Whether the page can be looked at before.
        readable: bool,
    },
    /// No.
    Deny,
    /// Too many.
    Throttle {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// A fault on our side.
    Unavailable,
    /// The request cannot be judged.
    BadRequest,
    /// It was allowed, and the panel cannot be reached.
    BadGateway,
    /// It was allowed, and the panel does not answer.
    GatewayTimeout,
}

/// How long a sealed refusal is believed: the proxy brings it back at once.
const SEAL_LASTS: Duration = Duration::from_secs(60);

/// What a sealed URL may measure, so that the header stays well below every proxy's limits.
const URL_BYTES: usize = 1024;

const PURPOSE: &str = "refusal";

impl Refusal {
    /// What a judgement looks like when it is refused; `None` for Allow.
    pub(super) fn of(facts: &Facts, judgement: &Judgement) -> Option<Self> {
        let kind = match judgement.outcome {
            Outcome::Allow(_) => return None,
            Outcome::SignIn(_) => RefusalKind::SignIn,
            Outcome::StepUp { readable } => RefusalKind::StepUp { readable },
            Outcome::Deny(_) => RefusalKind::Deny,
            Outcome::Throttle { retry_after } => RefusalKind::Throttle { retry_after },
            Outcome::Unavailable(_) => RefusalKind::Unavailable,
            Outcome::BadRequest(_) => RefusalKind::BadRequest,
        };
        Some(Self {
            kind,
            reason: judgement.reason,
            page: judgement.page.clone(),
            acting_for: judgement.acting_for.as_ref().map(|user| user.name.to_string()),
            url: facts.return_url(),
            method: facts.method.to_string(),
            audience: facts.audience.into(),
            decision: judgement.decision,
            at: judgement.at,
        })
    }

    /// The refusal of a request that could not be described.
    pub(super) fn undescribed(headers: &HeaderMap, reason: Reason, decision: DecisionId, at: Wall) -> Self {
        Self {
            kind: RefusalKind::BadRequest,
            reason,
            page: None,
            acting_for: None,
            url: String::new(),
            method: String::new(),
            audience: Audience::guess(headers).into(),
            decision,
            at,
        }
    }

    /// Seals it; at most 2 KB of base64url.
    pub(super) fn seal(&self, sealer: &Sealer, nonce: [u8; 12]) -> String {
        let mut travelling = self.clone();
        if travelling.url.len() > URL_BYTES {
            // Better to come back to the page without its long query than not to come back.
            let page = self.url.split('?').next().filter(|url| url.len() <= URL_BYTES);
            page.unwrap_or("").clone_into(&mut travelling.url);
        }
        let plain = postcard::to_stdvec(&travelling).unwrap_or_default();
        data_encoding::BASE64URL_NOPAD.encode(&sealer.seal(PURPOSE, &plain, nonce))
    }

    /// Opens what [`Refusal::seal`] made.
    pub(super) fn unseal(text: &str, sealer: &Sealer, now: Wall) -> Option<Self> {
        let sealed = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let refusal: Self = postcard::from_bytes(&sealer.open(PURPOSE, &sealed)?).ok()?;
        (now.since(refusal.at) <= SEAL_LASTS).then_some(refusal)
    }
}

impl From<Audience> for RefusalAudience {
    fn from(audience: Audience) -> Self {
        match audience {
            Audience::Navigation => Self::Navigation,
            Audience::Background => Self::Background,
        }
    }
}
