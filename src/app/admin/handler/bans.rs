//! Bans on the command line.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    time::Duration,
};

use super::{Ground, Handler, Outcome, Refusal, no};
use crate::{
    app::admin::{AdminAnswer, BanLine, ListedBans, MOST_LISTED, WantedBan, WantedList},
    clock::Wall,
    rules::ban::{self, Ban, Sight, Spared, Unbannable, Whom},
    store::Listed,
};

/// So many bans of a list are in one record.
const PORTION: usize = 200;

impl Handler {
    pub(super) async fn list_bans(&self, over: bool) -> Outcome {
        let (now, sight) = (self.clock.wall(), self.sight());
        let mut bans = self.store.rest().await?.bans;
        bans.retain(|ban| over || ban.counts(now));
        bans.sort_by_key(|ban| (Reverse(ban.since), ban.whom));
        Ok(AdminAnswer::Bans { bans: bans.iter().map(|ban| line(ban, now, sight)).collect() })
    }

    pub(super) async fn ban(&self, wanted: WantedBan, by: u32) -> Outcome {
        let (whom, spared) = self.spared().wish(&wanted.whom)?;
        let now = self.clock.wall();
        let ban = made(&wanted, whom, format!("uid {by}"), now)?;
        let (shown, until) = (line(&ban, now, self.sight()), ban.until.map(Wall::secs));
        let news = self.settled(self.store.ban(ban).await?).await;
        tracing::info!(
            target: "panelgate::audit", event = "banned", %whom, until, news, by,
            reason = ?shown.reason
        );
        Ok(AdminAnswer::Banned { ban: shown, spared: spared.iter().map(ToString::to_string).collect() })
    }

    pub(super) async fn lift_ban(&self, whom: &str, by: u32) -> Outcome {
        let whom = ban::parse(whom)?;
        if !self.settled(self.store.lift_ban(whom).await?).await {
            return no(format!("{whom} is not banned: `panelgate ban list` shows what is"));
        }
        tracing::info!(target: "panelgate::audit", event = "ban-lifted", %whom, by);
        Ok(AdminAnswer::Done)
    }

    /// All or none, besides whom no ban reaches; the command line has said what is wrong with which line.
    pub(super) async fn ban_list(&self, wanted: WantedList, by: u32) -> Outcome {
        let WantedList { list, bans: wanted, replace } = wanted;
        let name = ban::list_name(&list).map_err(|why| Refusal::No(why.to_string()))?;
        if wanted.len() > MOST_LISTED {
            return no(format!("a list has at most {MOST_LISTED} bans: split it, or take a shorter one"));
        }
        let (spared, now) = (self.spared(), self.clock.wall());
        let mut bans: BTreeMap<Whom, Ban> = BTreeMap::new();
        let mut done = ListedBans::default();
        for one in &wanted {
            let whom = match spared.wish(&one.whom) {
                Ok((whom, _)) => whom,
                // Lists of what nobody comes from hold half of the address space.
                Err(why @ (Unbannable::Spared { .. } | Unbannable::TooWide(_))) => {
                    done.spared_count += 1;
                    if done.spared.len() < ListedBans::SHOWN {
                        done.spared.push(why.to_string());
                    }
                    continue;
                }
                Err(why) => return Err(why.into()),
            };
            let ban = made(one, whom, name.clone(), now)?;
            match bans.entry(whom) {
                Entry::Vacant(place) => drop(place.insert(ban)),
                Entry::Occupied(mut before) if !before.get().outlasts(&ban) => drop(before.insert(ban)),
                Entry::Occupied(_) => {}
            }
        }
        let known = self.store.rest().await?.bans;
        let (fresh, gone) = news(&bans, &known, (&name, replace), now);
        let listed = Listed { by: name, bans: bans.into_values().collect() };
        let written = self.settled(self.store.ban_list(listed, replace).await?).await;
        (done.added, done.kept) = (written.added, written.kept);
        (done.others, done.lifted) = (written.others, written.lifted);
        for (event, whom) in [("bans-listed", fresh), ("bans-unlisted", gone)] {
            for some in whom.chunks(PORTION) {
                let whom = some.join(" ");
                tracing::info!(target: "panelgate::audit", event, list, whom, by);
            }
        }
        tracing::info!(
            target: "panelgate::audit", event = "bans-imported", list, added = done.added, kept = done.kept,
            others = done.others, lifted = done.lifted, spared = done.spared_count, replace, by
        );
        Ok(AdminAnswer::BansImported(done))
    }

    fn spared(&self) -> Spared {
        match &self.ground {
            Ground::Daemon { gate, .. } => gate.live().snapshot().spared.clone(),
            Ground::Alone { spared, .. } => spared.clone(),
        }
    }

    fn sight(&self) -> Sight {
        match &self.ground {
            Ground::Daemon { gate, .. } => gate.live().snapshot().sight(),
            Ground::Alone { sight, .. } => *sight,
        }
    }
}

impl From<Unbannable> for Refusal {
    fn from(why: Unbannable) -> Self {
        Self::No(why.to_string())
    }
}

/// Whom a list bans anew, and whom no more.
fn news(
    listed: &BTreeMap<Whom, Ban>,
    known: &[Ban],
    (name, replace): (&str, bool),
    now: Wall,
) -> (Vec<String>, Vec<String>) {
    let before: BTreeSet<Whom> = known.iter().filter(|ban| ban.counts(now)).map(|ban| ban.whom).collect();
    let fresh = listed.keys().filter(|whom| !before.contains(whom));
    let gone = known.iter().filter(|ban| replace && ban.by == name && !listed.contains_key(&ban.whom));
    (fresh.map(ToString::to_string).collect(), gone.map(|ban| ban.whom.to_string()).collect())
}

fn made(wanted: &WantedBan, whom: Whom, by: String, now: Wall) -> Result<Ban, Refusal> {
    let until = wanted.seconds.map(|seconds| now.plus(Duration::from_secs(seconds)));
    Ok(Ban { whom, reason: ban::reason(&wanted.reason)?, by, since: now, until })
}

fn line(ban: &Ban, now: Wall, sight: Sight) -> BanLine {
    BanLine {
        whom: ban.whom.to_string(),
        network: ban.whom.network().map(|network| network.to_string()),
        country: ban.whom.country().map(|country| country.to_string()),
        asn: ban.whom.asn().map(|asn| asn.0),
        reason: ban.reason.clone(),
        by: ban.by.clone(),
        since: ban.since.secs(),
        until: ban.until.map(Wall::secs),
        over: !ban.counts(now),
        blind: !sight.reaches(&ban.whom),
    }
}
