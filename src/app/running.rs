//! A gate that runs, from its first request to its last.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, FutureExt};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Program, Readiness, Reloader, StartError,
    accounts::{self, Book},
    handover::{self, Records, Successor},
    systemd,
};
use crate::{
    doors::{Sockets, edge::EdgeHandle, sidecar::Sidecar},
    gate::Gate,
    live::ReloadProblem,
    store::RedbStore,
    telemetry::{self, Recorder, Relay},
};

/// How often the daemon looks whether its store still works, and for how many looks it may not.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS_LOST: u32 = 5;

/// How long requests in flight may take once the process was told to stop.
const DRAIN: Duration = Duration::from_secs(20);

/// How long connections that the gate cuts itself may take to notice.
const NOTICE: Duration = Duration::from_secs(2);

/// Why records may be lost.
const GONE: &str = "the process that took them over ended before it said that they are written";

/// A running gate with everything around it.
pub struct Running {
    /// The gate itself, with store and memory behind it.
    pub gate: Arc<Gate>,
    /// The sidecar, if it is on.
    pub sidecar: Option<Sidecar>,
    /// The edge, if it is on.
    pub edge: Option<EdgeHandle>,
    /// Where metrics and health listen, if they are on.
    pub metrics: Option<SocketAddr>,
    /// Brings a changed configuration into force.
    pub reloader: Arc<Reloader>,
    /// The audit trail, while this process writes it; whoever holds the store does.
    pub(super) book: Arc<Book>,
    pub(super) store: RedbStore,
    pub(super) data_dir: PathBuf,
    pub(super) sockets: Arc<Sockets>,
    pub(super) readiness: watch::Sender<Readiness>,
    pub(super) accepting: CancellationToken,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    /// Commands that are being carried out; they need the other tasks.
    pub(super) talks: TaskTracker,
    /// Speaks to the process that was before this one, until that is gone.
    pub(super) before: TaskTracker,
}

/// Why a gate does not go on.
enum End {
    Told,
    Replaced(Successor),
}

/// What is heard from outside. Until somebody listens, each of them ends the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    replace: Signal,
}

/// What was heard.
enum Told {
    End,
    Reload,
    Replace,
}

impl Signals {
    fn listen() -> Result<Self, StartError> {
        let listen = |kind| signal(kind).map_err(StartError::Runtime);
        // A file that may not grow is answered where it is written, and does not end the process.
        drop(listen(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?);
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
            replace: listen(SignalKind::user_defined2())?,
        })
    }

    async fn hear(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::End,
            _ = self.interrupt.recv() => Told::End,
            _ = self.hangup.recv() => Told::Reload,
            _ = self.replace.recv() => Told::Replace,
        }
    }

    /// SIGTERM or SIGINT.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl Running {
    /// Serves until told to stop, or until another process has taken over and the last connection has ended.
    pub(super) async fn serve(self, program: &Program) -> Result<(), StartError> {
        let mut signals = Signals::listen()?;
        self.announce();
        let digest = self.reloader.digest();
        tracing::info!(target: "panelgate::audit", event = "started", %digest, "the gate serves");
        match self.until(&mut signals, Some(program)).await {
            Ok(End::Told) => {
                self.stop().await;
                Ok(())
            }
            Ok(End::Replaced(successor)) => {
                self.retire(successor, &mut signals).await;
                Ok(())
            }
            Err(error) => {
                self.stop().await;
                Err(error)
            }
        }
    }

    fn announce(&self) {
        let sidecar = self.sidecar.as_ref().and_then(|sidecar| sidecar.address);
        let socket = self.sidecar.as_ref().and_then(|sidecar| sidecar.socket.as_deref());
        let edge = self.edge.as_ref().map(EdgeHandle::addresses);
        let redirect = self.edge.as_ref().map(EdgeHandle::redirect_addresses);
        tracing::info!(?sidecar, ?socket, ?edge, ?redirect, metrics = ?self.metrics, "panelgate serves");
        systemd::ready();
    }

    /// Waits for SIGTERM or SIGINT, reloading on SIGHUP.
    ///
    /// # Errors
    /// When the process cannot listen for signals, or when the store has failed: only opening it anew helps (R33).
    pub async fn until_stopped(&self) -> Result<(), StartError> {
        self.until(&mut Signals::listen()?, None).await.map(drop)
    }

    /// The same; with a program, SIGUSR2 starts it to take over.
    async fn until(&self, signals: &mut Signals, program: Option<&Program>) -> Result<End, StartError> {
        let mut looks = tokio::time::interval(LOOK);
        let mut lost = 0;
        let mut replacing: Option<BoxFuture<'_, Result<Successor, String>>> = None;
        loop {
            tokio::select! {
                told = signals.hear() => match (told, program) {
                    (Told::End, _) => return Ok(End::Told),
                    // The result is in the log, in the metrics and at `/readyz`.
                    (Told::Reload, _) => self.reload_when_told().await,
                    (Told::Replace, Some(program)) if replacing.is_none() => {
                        tracing::info!(target: "panelgate::audit", event = "handover-begun");
                        self.gate.live().note_not_replaced(None);
                        replacing = Some(handover::begin(self, program).boxed());
                    }
                    (Told::Replace, Some(_)) => {
                        tracing::warn!("a new process is taking over already: SIGUSR2 is refused");
                    }
                    (Told::Replace, None) => tracing::warn!("a demo cannot be replaced: SIGUSR2 is refused"),
                },
                _ = looks.tick() => {
                    lost = if self.gate.live().records.is_lost() { lost + 1 } else { 0 };
                    if lost > LOOKS_LOST {
                        return Err(StartError::StoreFailed);
                    }
                }
                outcome = under_way(&mut replacing) => {
                    replacing = None;
                    match outcome {
                        Ok(successor) => return Ok(End::Replaced(successor)),
                        Err(problem) => self.note_not_replaced(problem),
                    }
                }
            }
        }
    }

    async fn reload_when_told(&self) {
        systemd::reloading();
        // The result is in the log, in the metrics and at `/readyz`.
        let _ = self.reloader.reload("SIGHUP").await;
        systemd::ready();
    }

    fn note_not_replaced(&self, problem: String) {
        tracing::error!(
            target: "panelgate::audit", event = "handover-failed",
            "the new process has not taken over, this one goes on"
        );
        tracing::error!("why it has not:\n{problem}");
        let problem = ReloadProblem { at: self.gate.moment().wall, what: problem };
        self.gate.live().note_not_replaced(Some(problem));
    }

    /// Stops accepting, lets requests in flight finish, writes everything down and lets go of the store.
    pub async fn stop(mut self) {
        systemd::stopping();
        self.readiness.send_replace(Readiness::Stopping);
        self.sockets.forget_tcp();
        let (sidecar, edge) = (self.sidecar.take(), self.edge.take());
        let sidecar = async {
            if let Some(sidecar) = sidecar {
                sidecar.stop(DRAIN).await;
            }
        };
        let edge = async {
            if let Some(edge) = edge {
                edge.stop(DRAIN).await;
            }
        };
        tokio::join!(sidecar, edge);
        self.accepting.cancel();
        self.talks_end(NOTICE).await;
        self.end_tasks().await;
        self.sockets.remove_files();
        tracing::info!(target: "panelgate::audit", event = "stopped", "the gate has served");
        // Before the store: whoever holds the store next writes the trail.
        self.close_trail().await;
        if let Err(error) = self.gate.store().close().await {
            tracing::error!(%error, "the store did not close cleanly");
        }
    }

    /// Ends the audit trail of this process, once everything is in it.
    pub(super) async fn close_trail(&self) {
        let trail = self.book.take();
        // Its end waits for the disk.
        let _ = tokio::task::spawn_blocking(move || drop(trail)).await;
    }

    /// Ends the audit trail of this process. What has to be accounted for from now on waits for a process that writes it
    /// down; there is no moment in between.
    pub(super) async fn relay_trail(&self) -> Records {
        let (relay, queue) = Relay::new();
        let recorder: Arc<dyn Recorder> = Arc::<Relay>::clone(&relay);
        let trail = self.book.replace(telemetry::attach(recorder, accounts::TASK));
        let _ = tokio::task::spawn_blocking(move || drop(trail)).await;
        Records { relay, queue }
    }

    /// Goes on with it, as soon as it can be opened, and takes what happened meanwhile.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) async fn reopen_trail(&self, records: Records) -> io::Result<()> {
        let book = Arc::clone(&self.book);
        let reopened = tokio::task::spawn_blocking(move || book.reopen().map(drop)).await;
        reopened.map_err(io::Error::other)??;
        self.tasks.spawn(handover::take_in(records.queue, self.stop.clone()));
        Ok(())
    }

    /// The process that had the records of this one is gone, and nobody can say which of them it had written down.
    async fn admit_unconfirmed(&self, relay: &Relay) {
        let count = relay.unconfirmed();
        if count == 0 {
            return;
        }
        let desk = self.book.desk().clone();
        let admitted =
            tokio::task::spawn_blocking(move || desk.open().is_ok_and(|trail| trail.admit(count, GONE)))
                .await;
        if !admitted.unwrap_or(false) {
            tracing::error!(
                count,
                "records of the audit trail may be lost with the process that had them, and the trail cannot say so"
            );
        }
    }

    /// Another process serves now: lets what was begun here come to its end, and goes.
    async fn retire(self, successor: Successor, signals: &mut Signals) {
        let pid = successor.pid();
        systemd::handed_over(pid);
        self.accepting.cancel();
        self.sidecar.as_ref().inspect(|sidecar| sidecar.drain());
        self.edge.as_ref().inspect(|edge| edge.drain());
        self.sockets.forget();
        let drain = self.reloader.settings().drain;
        tracing::info!(target: "panelgate::audit", event = "handed-over", pid, ?drain, "another process serves now; live connections may stay here for a while");
        let relay = successor.relay();
        let unconfirmed = Arc::clone(&relay);
        // What is done last is stored and accounted for by the new process as well: it is followed to the end.
        let leave = async {
            tokio::select! {
                () = self.connections_end(drain) => tracing::info!("every connection has ended; this process goes"),
                () = signals.end() => self.connections_end(Duration::ZERO).await,
            }
            self.end_tasks().await;
            if !relay.settle(DRAIN).await {
                tracing::error!("the last records of the audit trail were not written by the new process");
            }
        };
        tokio::select! {
            () = leave => {}
            why = successor.follow(&self.gate, &self.reloader) => {
                tracing::error!(why, "what changes in the new process is not known here any more: connections are cut");
                self.connections_end(NOTICE).await;
                self.end_tasks().await;
                self.admit_unconfirmed(&unconfirmed).await;
            }
        }
    }

    /// Waits until every connection has ended, here and in the process that was before this one and hears from it what
    /// happens, and cuts what is left after `deadline`.
    async fn connections_end(&self, deadline: Duration) {
        let sidecar = async {
            if let Some(sidecar) = &self.sidecar {
                sidecar.drained(deadline).await;
            }
        };
        let edge = async {
            if let Some(edge) = &self.edge
                && !edge.drained(deadline).await
            {
                tracing::info!("connections that were still open were cut");
            }
        };
        let before = async {
            self.before.close();
            // Without us it cuts its connections itself.
            let _ = tokio::time::timeout(deadline, self.before.wait()).await;
        };
        tokio::join!(sidecar, edge, before, self.talks_end(deadline));
    }

    async fn talks_end(&self, deadline: Duration) {
        self.talks.close();
        if tokio::time::timeout(deadline, self.talks.wait()).await.is_err() {
            tracing::warn!("commands that were being carried out are not waited for any longer");
        }
    }

    async fn end_tasks(&self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("background tasks did not finish in time");
        }
    }
}

/// The hand-over that is under way, if one is.
async fn under_way(
    replacing: &mut Option<BoxFuture<'_, Result<Successor, String>>>,
) -> Result<Successor, String> {
    match replacing {
        Some(replacing) => replacing.await,
        None => std::future::pending().await,
    }
}
