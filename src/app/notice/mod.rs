//! Telling people about sign-ins from somewhere new, off the path of requests: a bounded queue, three tries each, and
//! a line in the log when it cannot be done. The page of the account shows it in any case.

mod mail;
#[cfg(test)]
mod tests;
mod webhook;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::{mail::Mail, webhook::Webhook};
use crate::{config::NoticeSettings, portal::NewSignIn};

/// Notices that may wait; more are dropped, and logged by whoever drops them.
pub(super) const QUEUE: usize = 256;
/// Notices that are under way at once.
const AT_ONCE: usize = 8;
/// Between the tries.
const WAITS: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];

/// A way of telling.
#[async_trait]
trait Way: Send + Sync {
    /// For logs.
    fn name(&self) -> &'static str;

    /// Tells, once.
    async fn tell(&self, news: &NewSignIn) -> Result<Told, NotTold>;
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Sent,
    /// There is nobody to tell.
    Nobody,
}

/// Why nobody was told.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
struct NotTold {
    why: String,
    /// Whether another try may go better.
    again: bool,
}

/// The ways that are configured.
pub(super) struct Ways(Vec<Arc<dyn Way>>);

impl Ways {
    /// # Errors
    /// When the certificates of the mail server's authority cannot be used.
    pub(super) fn new(settings: &NoticeSettings) -> Result<Self, String> {
        let mut ways: Vec<Arc<dyn Way>> = Vec::new();
        if let Some(smtp) = &settings.smtp {
            ways.push(Arc::new(Mail::new(smtp, settings.language)?));
        }
        if let Some(webhook) = &settings.webhook {
            ways.push(Arc::new(Webhook::new(webhook)));
        }
        Ok(Self(ways))
    }
}

/// Sends what comes through the queue until `stop`, in the ways that there are at the time; what is under way then is
/// given up.
pub(super) async fn deliver(
    ways: Arc<ArcSwap<Ways>>,
    mut queue: mpsc::Receiver<NewSignIn>,
    stop: CancellationToken,
) {
    let mut under_way = JoinSet::new();
    loop {
        let news = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = under_way.join_next() => continue,
            news = queue.recv(), if under_way.len() < AT_ONCE => news,
        };
        let Some(news) = news.map(Arc::new) else { break };
        for way in &ways.load().0 {
            under_way.spawn(tell(Arc::clone(way), Arc::clone(&news), WAITS));
        }
    }
    let lost = under_way.len().saturating_add(queue.len());
    if lost > 0 {
        tracing::warn!(lost, "notices of new sign-ins were given up because the gate stops");
    }
}

async fn tell(way: Arc<dyn Way>, news: Arc<NewSignIn>, waits: [Duration; 2]) {
    let (user, session, by) = (&news.user, &news.session, way.name());
    let mut waits = waits.into_iter();
    loop {
        let error = match way.tell(&news).await {
            Ok(Told::Sent) => {
                tracing::info!(target: "panelgate::audit", event = "notice-sent", %user, %session, way = by);
                return;
            }
            Ok(Told::Nobody) => return,
            Err(error) => error,
        };
        let Some(wait) = waits.next().filter(|_| error.again) else {
            tracing::error!(
                target: "panelgate::audit", event = "notice-failed", %user, %session, way = by, %error,
                "a notice of a new sign-in was given up"
            );
            return;
        };
        tracing::warn!(%user, %session, by, %error, again_in = ?wait, "a notice could not be sent");
        tokio::time::sleep(wait).await;
    }
}
