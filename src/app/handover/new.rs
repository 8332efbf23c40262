//! The new process: takes over.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream as StdStream,
    },
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt;
use tokio::{
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
};
use tokio_util::sync::CancellationToken;

use super::{
    old::TAKE_OVER,
    wire::{self, ToNew, ToOld},
};
use crate::{
    config::Environment,
    doors::Socket,
    frames,
    gate::{Gate, accounts::PATIENCE},
    live::CounterLevels,
    store::{Change, Cursor, RedbStore, Store},
    telemetry::{self, Distant, Recorder},
};

/// A record that is not on the disk yet is asked for again after this.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the old process may take to write down what is queued and let go of the store.
const LETS_GO: Duration = Duration::from_secs(60);

/// The process that hands over to this one.
pub struct Predecessor {
    stream: StdStream,
    sockets: Vec<Socket>,
    /// On which it asks what it cannot do any more.
    store: OwnedFd,
}

/// The predecessor, once it has let go of the store.
pub(in crate::app) struct Outgoing {
    /// Whole: half of one would say goodbye when it is dropped, and nobody could say why any more.
    stream: UnixStream,
    /// What was counted before.
    pub(in crate::app) levels: CounterLevels,
    /// What it asks of the store comes here.
    store: StdStream,
}

impl Predecessor {
    /// The process that started this one to take over, if it was started for that. Blocks for its sockets.
    ///
    /// # Errors
    /// When it does not say what it should.
    pub fn find(environment: &Environment) -> io::Result<Option<Self>> {
        if !environment.contains_key(TAKE_OVER) {
            return Ok(None);
        }
        let stream = StdStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        match wire::receive_sockets(&stream) {
            Ok((sockets, store)) => Ok(Some(Self { stream, sockets, store })),
            Err(error) => {
                // Whoever cannot be told sees that we are gone.
                let _ = frames::write(&stream, &ToOld::Refused(error.to_string()));
                Err(error)
            }
        }
    }

    /// Tells it that this process cannot take over, so that it goes on.
    pub fn refuse(&self, why: &str) {
        // Whoever cannot be told sees that we are gone.
        let _ = frames::write(&self.stream, &ToOld::Refused(why.to_owned()));
    }

    /// Its listening sockets.
    pub(in crate::app) fn take_sockets(&mut self) -> Vec<Socket> {
        std::mem::take(&mut self.sockets)
    }

    /// Another handle for [`Predecessor::refuse`].
    pub(in crate::app) fn again(&self) -> io::Result<Self> {
        Ok(Self { stream: self.stream.try_clone()?, sockets: Vec::new(), store: self.store.try_clone()? })
    }

    /// Everything was read and is good: asks for the store, and returns when it is free.
    pub(in crate::app) async fn ask_for_store(self) -> io::Result<Outgoing> {
        self.stream.set_nonblocking(true)?;
        let mut stream = UnixStream::from_std(self.stream)?;
        wire::send(&mut stream, &ToOld::Prepared).await?;
        let answer = tokio::time::timeout(LETS_GO, wire::receive::<ToNew>(&mut stream)).await??;
        let ToNew::Yours(levels) = answer else {
            return Err(io::Error::other("the running panelgate did not let go of the store"));
        };
        Ok(Outgoing { stream, levels: *levels, store: self.store.into() })
    }
}

/// Says that this process serves, and tells the old one every change until it is gone.
///
/// # Errors
/// When the old process cannot be told; it may have taken the place back.
pub(in crate::app) async fn follow_up(
    outgoing: Outgoing,
    gate: Arc<Gate>,
    store: &RedbStore,
    from: Cursor,
    in_force: watch::Receiver<Arc<str>>,
    stop: CancellationToken,
) -> io::Result<impl Future<Output = ()> + use<>> {
    let (read, mut write) = outgoing.stream.into_split();
    let changes = store.changes(from).await.map_err(io::Error::other)?;
    store.serve_predecessor(outgoing.store)?;
    wire::send(&mut write, &ToOld::Ready).await?;
    tracing::info!(target: "panelgate::audit", event = "took-over", "this process serves now");
    Ok(async move {
        let (accounted, waiting) = mpsc::unbounded_channel();
        let (confirmed, answers) = mpsc::unbounded_channel();
        tokio::select! {
            () = stop.cancelled() => {}
            () = hear(read, &gate, &accounted) => tracing::info!("the old process has ended"),
            () = confirm(waiting, &confirmed) => {}
            told = tell(&mut write, changes, in_force, answers) => {
                let error = told.err().map(|error| error.to_string());
                tracing::warn!(error, "the old process is not told what changes any more and will cut its connections");
            }
        }
        drop(write);
    })
}

async fn tell(
    to: &mut OwnedWriteHalf,
    mut changes: impl futures_util::Stream<Item = (Cursor, Change)> + Unpin,
    mut in_force: watch::Receiver<Arc<str>>,
    mut accounted: mpsc::UnboundedReceiver<u64>,
) -> io::Result<()> {
    in_force.mark_changed();
    let mut problem = telemetry::problem();
    problem.iter_mut().for_each(watch::Receiver::mark_changed);
    loop {
        let message = tokio::select! {
            change = changes.next() => match change {
                Some((at, change)) => ToOld::Changed(at, change),
                None => return Ok(()),
            },
            changed = in_force.changed() => {
                changed.map_err(io::Error::other)?;
                ToOld::InForce(in_force.borrow_and_update().to_string())
            }
            Some(ticket) = accounted.recv() => ToOld::Accounted(ticket),
            why = changed(&mut problem) => ToOld::Unaccounted(why.map(|why| why.to_string())),
        };
        wire::send(to, &message).await?;
    }
}

/// The next problem of the trail; waits for ever without one.
async fn changed(problem: &mut Option<watch::Receiver<Option<Arc<str>>>>) -> Option<Arc<str>> {
    if let Some(problem) = problem
        && problem.changed().await.is_ok()
    {
        return problem.borrow_and_update().clone();
    }
    std::future::pending().await
}

/// A record of the old process that is being written: its ticket, and ours.
type Written = (u64, Arc<dyn Recorder>, u64);

/// Hears what the old process counts and accounts for, until it is gone.
async fn hear(mut from: OwnedReadHalf, gate: &Gate, accounted: &mpsc::UnboundedSender<Written>) {
    while let Ok(message) = wire::receive(&mut from).await {
        match message {
            ToNew::Yours(levels) | ToNew::Counted(levels) => {
                gate.live().counters.take_over(*levels, gate.moment());
            }
            ToNew::Account(Distant { ticket, at, event, fields }) => {
                let fields = serde_json::from_str(&fields).unwrap_or_default();
                if let Some((recorder, ours)) = telemetry::take_in(at, event, fields) {
                    // The other end lives as long as this one.
                    let _ = accounted.send((ticket, recorder, ours));
                }
            }
        }
    }
}

/// Says which records of the old process are on the disk, in their order.
async fn confirm(mut waiting: mpsc::UnboundedReceiver<Written>, confirmed: &mpsc::UnboundedSender<u64>) {
    while let Some((ticket, recorder, ours)) = waiting.recv().await {
        while !recorder.durable(ours, PATIENCE).await {
            // One that was lost is never confirmed, and neither is what came after it: whoever waits is refused.
            tokio::time::sleep(AGAIN).await;
        }
        let _ = confirmed.send(ticket);
    }
    std::future::pending::<()>().await;
}
