//! Bans on the command line.

use std::{cmp::Reverse, time::Duration};

use super::{Ground, Handler, Outcome, Refusal, no};
use crate::{
    app::admin::{AdminAnswer, BanLine, WantedBan},
    clock::Wall,
    rules::ban::{self, Ban, Spared, Unbannable},
};

impl Handler {
    pub(super) async fn list_bans(&self, over: bool) -> Outcome {
        let now = self.clock.wall();
        let mut bans = self.store.everything().await?.bans;
        bans.retain(|ban| over || ban.counts(now));
        bans.sort_by_key(|ban| (Reverse(ban.since), ban.network));
        Ok(AdminAnswer::Bans { bans: bans.iter().map(|ban| line(ban, now)).collect() })
    }

    pub(super) async fn ban(&self, wanted: WantedBan, by: u32) -> Outcome {
        let (network, spared) = self.spared().wish(&wanted.network)?;
        let now = self.clock.wall();
        let ban = Ban {
            network,
            reason: ban::reason(&wanted.reason)?,
            by: format!("uid {by}"),
            since: now,
            until: wanted.seconds.map(|seconds| now.plus(Duration::from_secs(seconds))),
        };
        let (shown, until) = (line(&ban, now), ban.until.map(Wall::secs));
        let news = self.settled(self.store.ban(ban).await?).await;
        tracing::info!(
            target: "panelgate::audit", event = "banned", %network, until, news, by, reason = ?shown.reason
        );
        Ok(AdminAnswer::Banned { ban: shown, spared: spared.iter().map(ToString::to_string).collect() })
    }

    pub(super) async fn lift_ban(&self, network: &str, by: u32) -> Outcome {
        let network = ban::parse(network)?;
        if !self.settled(self.store.lift_ban(network).await?).await {
            return no(format!("{network} is not banned: `panelgate ban list` shows what is"));
        }
        tracing::info!(target: "panelgate::audit", event = "ban-lifted", %network, by);
        Ok(AdminAnswer::Done)
    }

    fn spared(&self) -> Spared {
        match &self.ground {
            Ground::Daemon { gate, .. } => gate.live().snapshot().spared.clone(),
            Ground::Alone { spared, .. } => spared.clone(),
        }
    }
}

impl From<Unbannable> for Refusal {
    fn from(why: Unbannable) -> Self {
        Self::No(why.to_string())
    }
}

fn line(ban: &Ban, now: Wall) -> BanLine {
    BanLine {
        network: ban.network.to_string(),
        reason: ban.reason.clone(),
        by: ban.by.clone(),
        since: ban.since.secs(),
        until: ban.until.map(Wall::secs),
        over: !ban.counts(now),
    }
}
