//! Failed attempts: from which networks, at which accounts, from where in the world; with ban, lift and unlock at hand.
//!
//! Nothing is kept for it. It adds up what the locks and the bans count, and the newest refusals of the journal.

mod call;
mod flow;
mod page;

use std::sync::Arc;

use axum::routing::get;
use ipnet::IpNet;

use self::flow::{Counts, Seen};
use super::who::accounts;
use crate::{
    clock::Wall,
    gate::{SignedIn, journal::Wanted},
    portal::{
        context::Cx,
        fault::Fault,
        routes::{Route, route},
    },
    rules::{
        ban::{Ban, Whom},
        failures::{Account, Standing, Subject},
        identity::User,
    },
};

/// Where it is.
const AT: &str = "/_gate/admin/failures";
/// So many networks are looked at, those that failed last.
const MOST_NETWORKS: usize = 2_000;
/// So many of the newest refusals are looked at.
const MOST_REFUSALS: usize = 1_000;

/// As a page and as a call.
pub(super) fn routes() -> Vec<Route> {
    vec![
        route(AT, &["GET"], get(page::show)),
        route("/_gate/api/v1/admin/failures", &["GET"], get(call::show)),
    ]
}

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Network,
    Account,
    Country,
    System,
}

impl By {
    const ALL: [Self; 4] = [Self::Network, Self::Account, Self::Country, Self::System];

    /// What the query asks for.
    fn asked(cx: &Cx) -> Self {
        let asked = cx.query("by").unwrap_or_default();
        Self::ALL.into_iter().find(|by| by.code() == asked).unwrap_or(Self::Network)
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Account => "account",
            Self::Country => "country",
            Self::System => "asn",
        }
    }
}

/// An account at which something failed.
struct AtAccount {
    user: Arc<User>,
    counts: Counts,
    last: Wall,
    networks: Vec<IpNet>,
    standing: Standing,
    /// Whether the administrator may unlock it.
    own: bool,
}

/// The networks that failed.
async fn networks(cx: &Cx) -> Result<Vec<Seen>, Fault> {
    let counted = cx.gate().store().networks(MOST_NETWORKS).await?;
    let wanted =
        Wanted { site: cx.site().id.clone(), reason: None, user: None, page: None, most: MOST_REFUSALS };
    let mut refusals = cx.gate().archive().latest(wanted).await;
    refusals.retain(flow::is_attempt);
    let all = cx.gate().live().records.failures().all();
    let lockout = &cx.visit.snapshot.lockout;
    let accounts = all.iter().map(|(_, account)| &**account);
    let mut networks = flow::by_network(&counted, accounts, &refusals, lockout, cx.now());
    networks.truncate(MOST_NETWORKS);
    Ok(networks)
}

/// The accounts that this administrator sees and at which something failed, those that failed last first.
fn at_accounts(cx: &Cx, member: &SignedIn) -> Vec<AtAccount> {
    let (failures, lockout, now) =
        (cx.gate().live().records.failures(), &cx.visit.snapshot.lockout, cx.now());
    let of = |user: Arc<User>| {
        let account: Arc<Account> = failures.get(&Subject::Account(user.id))?;
        let (counts, last, networks) = flow::at_account(&account, lockout, now);
        let (standing, own) = (account.standing(lockout, now), user.id == member.user.id);
        let failed = counts.sum() > 0 || standing.worst().is_some();
        failed.then_some(AtAccount { user, counts, last, networks, standing, own })
    };
    let mut found: Vec<AtAccount> = accounts(cx, member, "").into_iter().filter_map(of).collect();
    found.sort_by(|one, other| other.last.cmp(&one.last).then_with(|| one.user.name.cmp(&other.user.name)));
    found
}

/// What failed at names that are no accounts: how many names, and how often. The names themselves nobody is told: people
/// type passwords into the wrong field (R29).
fn at_nobody(cx: &Cx) -> (usize, u32) {
    let (lockout, now) = (&cx.visit.snapshot.lockout, cx.now());
    let all = cx.gate().live().records.failures().all();
    let names = all.iter().filter(|(subject, _)| matches!(subject, Subject::Name(_)));
    let counts = names.map(|(_, account)| flow::at_account(account, lockout, now).0.sum());
    counts
        .filter(|count| *count > 0)
        .fold((0, 0_u32), |(names, sum), count| (names + 1, sum.saturating_add(count)))
}

/// The ban that counts for a network, and whether none ever does.
fn standing_of(cx: &Cx, seen: &Seen) -> (Option<Arc<Ban>>, bool) {
    let live = cx.gate().live();
    let ban = live.banned(seen.address(), cx.now());
    // A ban of one network of a /48 is none of the /48.
    let ban = ban.filter(|ban| !matches!(ban.whom, Whom::Network(banned) if !banned.contains(&seen.network)));
    (ban, cx.visit.snapshot.spared.contains(seen.address()))
}

/// The ban of exactly this country or autonomous system, if it counts.
fn ban_of(cx: &Cx, whom: &Whom) -> Option<Arc<Ban>> {
    cx.gate().live().records.bans().get(whom).filter(|ban| ban.counts(cx.now()))
}
