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
    sync::watch,
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
    gate::Gate,
    live::CounterLevels,
    store::{Change, Cursor, RedbStore, Store},
};

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
        tokio::select! {
            () = stop.cancelled() => {}
            () = hear(read, &gate) => tracing::info!("the old process has ended"),
            told = tell(&mut write, changes, in_force) => {
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
) -> io::Result<()> {
    in_force.mark_changed();
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
        };
        wire::send(to, &message).await?;
    }
}

/// Hears what the old process counts, until it is gone.
async fn hear(mut from: OwnedReadHalf, gate: &Gate) {
    while let Ok(ToNew::Yours(levels) | ToNew::Counted(levels)) = wire::receive(&mut from).await {
        gate.live().counters.take_over(*levels, gate.moment());
    }
}
