//! Metrics and health, on a listener of their own (R32).

mod exposition;
mod metrics;
mod ready;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::{Clock, Wall},
    feeds::certs::Certificates,
    live::Live,
    store::RedbStore,
};

/// Whether the process takes requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Readiness {
    /// Not everything runs yet.
    #[default]
    Starting,
    /// It does.
    Ready,
    /// It was told to stop.
    Stopping,
}

/// A connection may go on so long once the gate stops.
const GRACE: Duration = Duration::from_millis(500);

async fn stopped_for(stop: &CancellationToken, grace: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(grace).await;
}

/// What is looked at.
#[derive(Clone)]
pub(super) struct Health {
    pub(super) live: Arc<Live>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: RedbStore,
    /// Those of the edge, if it is on.
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) readiness: watch::Receiver<Readiness>,
    /// When the process started.
    pub(super) started: Wall,
}

/// Answers `/metrics`, `/healthz` and `/readyz` until told to stop.
pub(super) async fn serve(
    listener: TcpListener,
    health: Health,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready::answer))
        .route("/metrics", get(metrics::answer))
        .with_state(health);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (router, stop) = (router.clone(), stop.clone());
        tasks.spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
            // One answer that is under way may be sent.
            tokio::select! {
                _ = connection => {}
                () = stopped_for(&stop, GRACE) => {}
            }
        });
    }
}
