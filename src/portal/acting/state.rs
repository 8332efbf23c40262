//! Who a session is at the moment, for `client.js` and for scripts of the panel.

use std::sync::Arc;

use serde_json::{Value, json};

use super::END;
use crate::{
    clock::Wall,
    gate::SignedIn,
    portal::{context::Cx, issue, pages, redirect::portal_page, words::fill},
    rules::{
        identity::{Role, User},
        judge::View,
        outcome::Access,
        session::Impersonation,
    },
};

/// Who the panel is told is there, and what an impersonation leaves of the access.
pub(crate) struct Standing {
    /// The account.
    pub(crate) user: Arc<User>,
    /// The role.
    pub(crate) role: Role,
    /// The most that is allowed: nothing once an impersonation is over and not left.
    pub(crate) most: Access,
    /// Whether `user` is being impersonated.
    pub(crate) acting: bool,
}

impl Standing {
    /// Of a session.
    pub(crate) fn of(cx: &Cx, member: &SignedIn) -> Self {
        let own = |most| Self {
            user: Arc::clone(&member.user),
            role: Role::clone(&member.role),
            most,
            acting: false,
        };
        match cx.gate().acting(&cx.visit, member) {
            Ok(None) => own(Access::Full),
            Ok(Some(acting)) => {
                let most = if acting.write { Access::Full } else { Access::Read };
                Self { role: Role::clone(&acting.user.role), user: acting.user, most, acting: true }
            }
            Err(_) => own(Access::None),
        }
    }
}

/// The impersonation of a session, with the words of its bar; null if there is none. `back`: the page it is shown on.
pub(crate) fn state(cx: &Cx, member: &SignedIn, standing: &Standing, back: &str) -> Value {
    let Some(impersonation) = &member.session.impersonation else { return Value::Null };
    let words = &cx.words.acting;
    let target = cx.gate().live().records.user(&impersonation.user);
    let name = target.as_ref().map_or("?", |user| user.name.as_str());
    let pattern = if standing.acting { words.bar_acting } else { words.bar_over };
    json!({
        "user": name,
        "write": impersonation.write,
        "over": !standing.acting,
        "until": impersonation.until.secs(),
        "ends_in_ms": standing.acting.then(|| ends_in(cx.now(), impersonation)),
        "end_url": portal_page(cx.site(), END, back),
        "text": fill(pattern, &[("name", name)]),
        "hint": hint(cx.words, impersonation),
        "end": if standing.acting { words.end } else { words.leave },
    })
}

/// What an impersonation is good for, and until when.
pub(super) fn hint(words: &crate::portal::words::Words, impersonation: &Impersonation) -> String {
    let pattern = if impersonation.write { words.acting.bar_writes } else { words.acting.bar_reads };
    fill(pattern, &[("until", &pages::clock(impersonation.until))])
}

fn ends_in(now: Wall, impersonation: &Impersonation) -> u64 {
    issue::millis(impersonation.until.since(now))
}
