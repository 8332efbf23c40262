//! Which accounts an administrator sees, and what they look like.

use std::{collections::HashMap, sync::Arc};

use serde_json::{Value, json};

use super::flow::Administrator;
use crate::{
    clock::Wall,
    gate::SignedIn,
    portal::{context::Cx, fault::Fault, sessions::is_living},
    rules::{
        failures::{Barred, Standing, Subject},
        identity::{User, UserId, UserName},
        policy::RuleSet,
    },
};

/// The policies of the other sites.
pub(super) fn other_policies(cx: &Cx) -> Vec<&RuleSet> {
    let sites = cx.visit.snapshot.sites.all().iter();
    sites.filter(|site| site.id != cx.site().id).map(|site| &*site.policy).collect()
}

/// Whoever asks, as an administrator of this site.
pub(super) fn administrator<'a>(
    cx: &'a Cx,
    member: &'a SignedIn,
    others: &'a [&'a RuleSet],
) -> Administrator<'a> {
    Administrator { id: member.user.id, role: &member.role, policy: &cx.site().policy, others }
}

/// The accounts that are seen and match, by name. `filter` is looked for in name, display name, mail and role.
pub(super) fn accounts(cx: &Cx, member: &SignedIn, filter: &str) -> Vec<Arc<User>> {
    let others = other_policies(cx);
    let administrator = administrator(cx, member, &others);
    let wanted = filter.trim().to_lowercase();
    let mut users = cx.gate().live().records.users();
    users.retain(|user| administrator.sees(user) && matches(user, &wanted));
    users
}

fn matches(user: &User, wanted: &str) -> bool {
    let texts = [user.name.as_str(), &user.display, &user.email, &user.role];
    wanted.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(wanted))
}

/// The account of this name, if it is seen: another is as unknown as one that was never there (R32).
pub(super) fn account(cx: &Cx, member: &SignedIn, name: &str) -> Result<Arc<User>, Fault> {
    let user = UserName::parse(name).ok().and_then(|name| cx.gate().live().records.user_by_name(&name));
    let others = other_policies(cx);
    user.filter(|user| administrator(cx, member, &others).sees(user)).ok_or(Fault::NotFound)
}

/// How an account is used.
#[derive(Clone, Copy, Default)]
pub(super) struct Usage {
    /// Sessions that can be used now.
    pub(super) sessions: usize,
    /// When one was last used.
    pub(super) last: Option<Wall>,
}

/// How accounts are used; all at once, since the sessions have to be gone through.
pub(super) async fn usage(cx: &Cx) -> Result<HashMap<UserId, Usage>, Fault> {
    let whole = cx.whole().await?;
    let mut all: HashMap<UserId, Usage> = HashMap::new();
    for session in whole.sessions() {
        let usage = all.entry(session.user).or_default();
        usage.sessions += usize::from(is_living(cx, &session));
        usage.last = usage.last.max(Some(whole.records().last_seen(&session)));
    }
    Ok(all)
}

/// How an account stands with those who come from networks that it does not come from.
pub(super) fn standing(cx: &Cx, user: &User) -> Standing {
    let failures = cx.gate().live().records.failures().get(&Subject::Account(user.id)).unwrap_or_default();
    failures.standing(&cx.visit.snapshot.lockout, cx.now())
}

/// An account for programs.
pub(super) fn document(cx: &Cx, user: &User, usage: Usage) -> Value {
    let barred = standing(cx, user).worst();
    json!({
        "locked_until": match barred {
            Some(Barred::For(wait)) => Some(cx.now().plus(wait).secs()),
            Some(Barred::Stopped) | None => None,
        },
        "stopped": barred == Some(Barred::Stopped),
        "name": user.name.as_str(),
        "display": user.display,
        "email": user.email,
        "role": &*user.role,
        "disabled": user.disabled,
        "second_factor": user.totp.is_some(),
        "backup_codes": user.backup_codes.len(),
        "created": user.created.secs(),
        "sessions": usage.sessions,
        "last_active": usage.last.map(Wall::secs),
    })
}
