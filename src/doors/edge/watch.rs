//! The watchdog: what was allowed once must still be allowed while it lasts (R12, R23), and no upload may stall for
//! ever on HTTP/2, where the engine has no deadline for bodies (R25).

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    doors::accept::Conn,
    gate::{Gate, Visit},
    rules::outcome::Grant,
};

/// How often everything that lasts is looked at. Two rounds are well below the second that R12 allows.
const ROUND: Duration = Duration::from_millis(250);

/// Everything that lasts.
pub(super) struct Watch {
    gate: Arc<Gate>,
    lasting: DashMap<u64, Arc<Lasting>>,
    next: AtomicU64,
    /// Rounds without a byte after which an upload is cut.
    patience: u32,
}

/// One request that lasts.
pub(super) struct Lasting {
    visit: Arc<Visit>,
    grant: Arc<Grant>,
    conn: Arc<Conn>,
    /// Cut this, and the request ends; the connection too, if nothing else would end it.
    cut: CancellationToken,
    /// An upload is under way: nothing came for so many rounds.
    idle_rounds: AtomicU32,
    uploading: AtomicBool,
    /// The response or tunnel goes on as long as the panel likes.
    streaming: AtomicBool,
}

/// Keeps a request in the watch; dropped with the request.
pub(super) struct Watching {
    id: u64,
    watch: Weak<Watch>,
    lasting: Arc<Lasting>,
}

impl Watch {
    pub(super) fn new(gate: Arc<Gate>, body_idle: Duration) -> Self {
        let rounds = body_idle.as_millis() / ROUND.as_millis();
        let patience = u32::try_from(rounds).unwrap_or(u32::MAX).max(1);
        Self { gate, lasting: DashMap::new(), next: AtomicU64::new(0), patience }
    }

    /// Watches a request. `cut` ends it alone; where that is not possible it is the connection's own token.
    pub(super) fn add(
        self: &Arc<Self>,
        visit: &Arc<Visit>,
        grant: &Arc<Grant>,
        conn: &Arc<Conn>,
        cut: CancellationToken,
    ) -> Watching {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let lasting = Arc::new(Lasting {
            visit: Arc::clone(visit),
            grant: Arc::clone(grant),
            conn: Arc::clone(conn),
            cut,
            idle_rounds: AtomicU32::new(0),
            uploading: AtomicBool::new(false),
            streaming: AtomicBool::new(false),
        });
        self.lasting.insert(id, Arc::clone(&lasting));
        Watching { id, watch: Arc::downgrade(self), lasting }
    }

    /// Looks at everything again and again until `root` is cancelled.
    pub(super) async fn run(self: Arc<Self>, root: CancellationToken) {
        loop {
            tokio::select! {
                () = root.cancelled() => return,
                () = sleep(ROUND) => self.round(),
            }
        }
    }

    fn round(&self) {
        let lasting: Vec<Arc<Lasting>> = self.lasting.iter().map(|entry| Arc::clone(entry.value())).collect();
        for request in lasting {
            if request.cut.is_cancelled() {
                // It had a round's time to end by itself: an idle stream on HTTP/2 does not.
                request.conn.kill.cancel();
            } else if request.streaming.load(Ordering::Relaxed)
                && !self.gate.still_holds(&request.visit, &request.grant)
            {
                let decision = request.grant.decision();
                tracing::info!(%decision, "a live connection was cut: its permission is over");
                request.cut.cancel();
            } else if request.stalled(self.patience) {
                tracing::debug!(peer = %request.conn.peer, "an upload was cut: it stood still");
                request.conn.kill.cancel();
            }
        }
    }
}

impl Lasting {
    fn stalled(&self, patience: u32) -> bool {
        self.uploading.load(Ordering::Relaxed) && self.idle_rounds.fetch_add(1, Ordering::Relaxed) >= patience
    }
}

impl Watching {
    /// The response goes on: from now on the grant must hold.
    pub(super) fn streaming(&self) {
        self.lasting.streaming.store(true, Ordering::Relaxed);
    }

    /// A piece of the upload came, or (`last`) its end.
    pub(super) fn uploaded(&self, last: bool) {
        self.lasting.idle_rounds.store(0, Ordering::Relaxed);
        self.lasting.uploading.store(!last, Ordering::Relaxed);
    }

    /// Whether the request is to end.
    pub(super) fn is_cut(&self) -> bool {
        self.lasting.cut.is_cancelled()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.upgrade() {
            watch.lasting.remove(&self.id);
        }
    }
}
