//! Trusted issuers while the configuration changes: whoever stays keeps the keys that are known.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::translate,
    clock::Clock,
    config::Settings,
    feeds::jwks::Feed,
    live::{Live, ReloadState},
    rules::token::Issuers,
};

/// The feed of key sets, which is another one once other issuers are trusted.
pub(in crate::app) struct IssuerFeeds {
    live: Arc<Live>,
    stop: CancellationToken,
    tasks: TaskTracker,
    running: Option<(CancellationToken, JoinHandle<()>)>,
}

/// Issuers that are about to be trusted.
pub(super) struct FreshIssuers {
    feed: Feed,
    trusted: Issuers,
}

impl IssuerFeeds {
    /// Starts the first feed.
    pub(in crate::app) fn start(
        feed: Feed,
        live: &Arc<Live>,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        let (live, stop, tasks) = (Arc::clone(live), stop.clone(), tasks.clone());
        let mut feeds = Self { live, stop, tasks, running: None };
        feeds.run(feed);
        feeds
    }

    /// Ends the feed that runs, so that it brings no key of an issuer that is not trusted any more.
    pub(super) async fn end(&mut self) {
        if let Some((stop, running)) = self.running.take() {
            stop.cancel();
            // What it was about to bring is asked for again.
            let _ = running.await;
        }
        let live = &self.live;
        live.reload.rcu(|state| {
            let mut state = ReloadState::clone(state);
            state.stale.retain(|what, _| !super::fresh::is_of(what, "issuers"));
            state
        });
    }

    /// Follows others from now on.
    pub(super) fn begin(&mut self, fresh: FreshIssuers) {
        self.run(fresh.feed);
    }

    fn run(&mut self, feed: Feed) {
        let stop = self.stop.child_token();
        let running = self.tasks.spawn(feed.run(Arc::clone(&self.live), stop.clone()));
        self.running = Some((stop, running));
    }
}

impl FreshIssuers {
    /// Asks every source once. Where nothing comes, an issuer whose keys come from where they came from keeps them.
    pub(super) async fn prepare(
        before: &Settings,
        after: &Settings,
        known: &Issuers,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let mut trusted = translate::issuers(after)?;
        for issuer in &after.issuers {
            let same = before.issuers.iter().find(|old| old.name == issuer.name && old.keys == issuer.keys);
            if same.is_some() {
                trusted = trusted.with_keys_of(&issuer.name, known);
            }
        }
        let mut feed = Feed::new(translate::key_sources(after)?, Arc::clone(clock));
        let trusted = feed.prepare(trusted).await;
        Ok(Self { feed, trusted })
    }

    pub(super) fn trusted(&self) -> &Issuers {
        &self.trusted
    }
}
