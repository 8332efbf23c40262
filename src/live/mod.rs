//! The memory that the request path reads: one snapshot swapped as one value, the session map, the counters.
//!
//! No I/O and no `await` here. The maps are fed only by the store's change stream (see `app::tasks`); sessions that were there
//! at the start come little by little, and never over what the stream has brought (see [`Whole`]).

mod assertions;
mod bans;
mod counters;
mod failures;
mod journal;
mod loading;
mod lures;
mod meters;
mod records;
mod reload;
mod shadow;
mod tally;
mod tokens;
mod traffic;

use std::{net::IpAddr, sync::Arc};

use arc_swap::ArcSwap;

pub use self::{
    assertions::Assertions,
    bans::Bans,
    counters::{Class, CounterLevels, Counters, Limited, QuotaKey, Quotas, Subject},
    failures::{Failures, Try},
    journal::{JournalCounts, JournalTally},
    loading::Whole,
    lures::Lures,
    meters::{Meters, Opener, PanelState, PasswordMeter, Renewal, Stage, TraceMeter},
    records::Records,
    reload::{ReloadProblem, ReloadState},
    shadow::{Flip, Shadows, Totals, Trial, Tried},
    tally::{Tallied, Tally},
    traffic::{Bar, Count, Summary, Traffic},
};
use crate::{
    clock::Wall,
    rules::{
        address::TrustedProxies,
        ban::{Ban, Sight, Spared},
        failures::Lockout,
        place::{Places, Systems},
        record::Limits,
        site::Sites,
        token::{Issuers, KeySet},
        traps::Traps,
    },
};

/// A map whose keys nobody outside can choose: random ids and digests. What clients choose is kept in maps that hash it
/// with a secret (SipHash).
type Map<K, V> = dashmap::DashMap<K, V, foldhash::fast::RandomState>;

/// What is replaced as a whole on reload, so that one request never sees two generations.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// Sites with their policies.
    pub sites: Sites,
    /// Our own keys.
    pub keys: KeySet,
    /// Trusted issuers with their current keys.
    pub issuers: Issuers,
    /// Networks whose forwarded headers are believed.
    pub trusted: TrustedProxies,
    /// Whom no ban reaches.
    pub spared: Spared,
    /// How failures are answered.
    pub lockout: Arc<Lockout>,
    /// Paths that nobody asks for with good intentions.
    pub traps: Arc<Traps>,
    /// Where addresses are.
    pub places: Places,
    /// Whose networks addresses are in.
    pub systems: Systems,
    /// What of decisions is kept.
    pub journal: Limits,
    /// Counts up with every swap; appears in logs.
    pub generation: u64,
}

impl Snapshot {
    /// Which databases there are to find somebody by country or autonomous system.
    pub fn sight(&self) -> Sight {
        Sight { places: !self.places.is_none(), systems: !self.systems.is_none() }
    }
}

/// Everything the request path reads.
pub struct Live {
    snapshot: ArcSwap<Snapshot>,
    /// Sessions and accounts.
    pub records: Records,
    /// Rate limits.
    pub counters: Counters,
    /// Assertions that are still good.
    pub assertions: Assertions,
    /// Decisions by door, answer and reason.
    pub tally: Tally,
    /// How long things take, and what came of them.
    pub meters: Meters,
    /// What became of the last reloads.
    pub reload: ArcSwap<ReloadState>,
    /// Decisions on their way to the journal.
    pub journal: JournalTally,
    /// The last day.
    pub traffic: Traffic,
    /// What candidate policies would have answered.
    pub shadows: Shadows,
    /// Who has stepped into a trap.
    pub lures: Lures,
}

impl Live {
    /// Starts with a snapshot and empty maps.
    pub fn new(snapshot: Snapshot, quotas: Quotas) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            records: Records::default(),
            counters: Counters::new(quotas),
            assertions: Assertions::default(),
            tally: Tally::default(),
            meters: Meters::default(),
            reload: ArcSwap::default(),
            journal: JournalTally::default(),
            traffic: Traffic::default(),
            shadows: Shadows::default(),
            lures: Lures::default(),
        }
    }

    /// The ban that keeps an address out at `now`. Whom no ban reaches, none keeps out.
    pub fn banned(&self, ip: IpAddr, now: Wall) -> Option<Arc<Ban>> {
        self.banned_under(&self.snapshot.load(), ip, now)
    }

    /// The same under a snapshot that was taken before.
    pub fn banned_under(&self, snapshot: &Snapshot, ip: IpAddr, now: Wall) -> Option<Arc<Ban>> {
        let ban = self.records.bans().find(ip, now, &snapshot.places, &snapshot.systems);
        ban.filter(|_| !snapshot.spared.contains(ip))
    }

    /// The snapshot now. Take it once per request.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Replaces the snapshot by a changed copy; the generation counts up.
    pub fn swap(&self, change: impl Fn(&mut Snapshot)) {
        self.snapshot.rcu(|now| {
            let mut next = Snapshot::clone(now);
            change(&mut next);
            next.generation += 1;
            next
        });
        let snapshot = self.snapshot();
        self.counters.keep_pages(|key| is_written(key, &snapshot.sites));
    }
}

/// Whether a policy still has this quota.
fn is_written(key: &QuotaKey, sites: &Sites) -> bool {
    let site = sites.all().iter().find(|site| site.id == key.site);
    let page = site.and_then(|site| site.policy.page(&key.page).map(|page| (site, page)));
    page.is_some_and(|(site, page)| match &key.role {
        None => page.quotas.contains(&key.quota),
        Some(role) => site.policy.role_access(page, role).is_some_and(|own| own.quotas.contains(&key.quota)),
    })
}
