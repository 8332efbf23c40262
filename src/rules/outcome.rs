//! What a decision can be. Refusal is a value from a closed list; being allowed leaves a [`Grant`].

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    api_key::KeyId,
    identity::{Role, User},
    reason::Reason,
    session::{PublicId, Sid, SiteId},
};
use crate::clock::Wall;

/// What a session may do with a page: a total order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Access {
    /// Nothing.
    None,
    /// Look.
    Read,
    /// Change.
    Full,
}

impl Access {
    /// `none`, `read` or `full`, as the policy spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Full => "full",
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The answer to one request.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Go on, carrying the grant.
    Allow(Grant),
    /// Sign in, or renew when the reason is [`Reason::AccessExpired`].
    SignIn(Reason),
    /// Prove the second factor. `readable` when the page can be looked at without.
    StepUp {
        /// Whether the page can be looked at before.
        readable: bool,
    },
    /// No, whatever is proved.
    Deny(Reason),
    /// Too many; come back later.
    Throttle {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// A fault on our side; the gate stays closed.
    Unavailable(Reason),
    /// The request cannot be judged.
    BadRequest(Reason),
}

/// An outcome with what is needed to explain it.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The answer.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The page of the policy, if one covers the path.
    pub page: Option<Arc<str>>,
    /// Whom the request was made for, when that is not who made it.
    pub acting_for: Option<Arc<User>>,
    /// Unique to this decision; shown wherever something is refused.
    pub decision: DecisionId,
    /// When it was decided.
    pub at: Wall,
}

/// The name of one decision: 40 random bits, written `7K3F-92QD`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DecisionId(pub [u8; 5]);

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Crockford's alphabet: no letter that is taken for another.
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let bits = self.0.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        let mut text = *b"....-....";
        for (place, index) in [0, 1, 2, 3, 5, 6, 7, 8].into_iter().zip(0..8) {
            let digit = usize::try_from((bits >> (35 - 5 * index)) & 31).unwrap_or_default();
            if let (Some(place), Some(letter)) = (text.get_mut::<usize>(place), ALPHABET.get(digit)) {
                *place = *letter;
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecisionId({self})")
    }
}

/// The sealed proof of Allow. Only `rules::judge` can make one; whatever forwards, stamps or answers 200 asks for it.
#[derive(Clone, Debug)]
pub struct Grant {
    bearer: Option<Bearer>,
    access: Access,
    site: SiteId,
    page: Option<Arc<str>>,
    decision: DecisionId,
    /// The access that this request needed.
    needed: Access,
}

/// Who was allowed; absent on anonymous pages, which never carry an identity.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// The account that the panel is told.
    pub user: Arc<User>,
    /// The role that counts now (an issuer's token may name it).
    pub role: Role,
    /// What was shown.
    pub holder: Holder,
    /// The public id of the session or of the API key.
    pub public: PublicId,
    /// End of the elevation that counts on this page, if elevated.
    pub elevated_until: Option<Wall>,
    /// Who really sits there, when `user` is being impersonated.
    pub actor: Option<Actor>,
}

/// What a bearer showed to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A token of this session.
    Session(Sid),
    /// This API key.
    Key(KeyId),
}

/// An operator who acts as somebody else.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The operator's own account.
    pub user: Arc<User>,
    /// The operator's own role.
    pub role: Role,
}

impl Bearer {
    /// Whose credential it is: the operator's while somebody is impersonated.
    pub fn owner(&self) -> &Arc<User> {
        self.actor.as_ref().map_or(&self.user, |actor| &actor.user)
    }

    /// The role of [`Bearer::owner`].
    pub fn owner_role(&self) -> &Role {
        self.actor.as_ref().map_or(&self.role, |actor| &actor.role)
    }
}

impl Grant {
    pub(in crate::rules) fn new(
        bearer: Option<Bearer>,
        access: Access,
        needed: Access,
        site: SiteId,
        page: Option<Arc<str>>,
        decision: DecisionId,
    ) -> Self {
        Self { bearer, access, site, page, decision, needed }
    }

    /// Who, unless the page is anonymous.
    pub fn bearer(&self) -> Option<&Bearer> {
        self.bearer.as_ref()
    }

    /// What the session may do with the page now.
    pub fn access(&self) -> Access {
        self.access
    }

    /// What this request needed.
    pub fn needed(&self) -> Access {
        self.needed
    }

    /// The site it is good for.
    pub fn site(&self) -> &SiteId {
        &self.site
    }

    /// The page of the policy.
    pub fn page(&self) -> Option<&Arc<str>> {
        self.page.as_ref()
    }

    /// The decision it came from.
    pub fn decision(&self) -> DecisionId {
        self.decision
    }
}
