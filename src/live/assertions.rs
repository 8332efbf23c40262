//! Signed assertions kept for their life, so that a session costs one signature a minute and not one a request.

use std::time::Duration;

use http::HeaderValue;

use super::Map;
use crate::{
    clock::Wall,
    rules::{
        identity::{Role, UserId},
        outcome::{Access, Bearer, Holder},
        token::AssertionClaims,
    },
};

/// How many sessions may have an assertion kept before the stale ones are swept out.
const SWEEP_ABOVE: usize = 16_384;

/// Handed out only while at least this much of its life is left, so that the panel can still check it.
const MARGIN: Duration = Duration::from_secs(15);

/// Assertions that are bound to nothing but site and session.
#[derive(Default)]
pub struct Assertions {
    kept: Map<(Holder, Access), Kept>,
}

struct Kept {
    user: UserId,
    actor: Option<UserId>,
    role: Role,
    elevated_until: Option<Wall>,
    signed: Wall,
    value: HeaderValue,
}

impl Assertions {
    /// The kept assertion if it still says the truth, or a new one.
    pub fn get_or_sign(
        &self,
        bearer: &Bearer,
        access: Access,
        now: Wall,
        sign: impl FnOnce() -> HeaderValue,
    ) -> HeaderValue {
        let key = (bearer.holder, access);
        let kept = self.kept.get(&key).filter(|kept| kept.says(bearer, now)).map(|kept| kept.value.clone());
        if let Some(value) = kept {
            return value;
        }
        if self.kept.len() > SWEEP_ABOVE {
            self.kept.retain(|_, kept| kept.fresh(now));
        }
        let value = sign();
        let elevated_until = bearer.elevated_until;
        let kept = Kept {
            user: bearer.user.id,
            actor: bearer.actor.as_ref().map(|actor| actor.user.id),
            role: Role::clone(&bearer.role),
            elevated_until,
            signed: now,
            value: value.clone(),
        };
        self.kept.insert(key, kept);
        value
    }

    /// Forgets everything: the keys have changed.
    pub fn clear(&self) {
        self.kept.clear();
    }
}

impl Kept {
    fn says(&self, bearer: &Bearer, now: Wall) -> bool {
        let actor = bearer.actor.as_ref().map(|actor| actor.user.id);
        let same = (self.user, self.actor) == (bearer.user.id, actor) && self.role == bearer.role;
        self.fresh(now) && same && self.elevated_until == bearer.elevated_until
    }

    fn fresh(&self, now: Wall) -> bool {
        now >= self.signed && now.since(self.signed) + MARGIN <= AssertionClaims::LIFE
    }
}
