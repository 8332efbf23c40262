//! The old process: hands over.

use std::{
    ffi::OsString,
    io,
    os::{
        fd::OwnedFd,
        unix::{fs::MetadataExt, net::UnixStream as StdStream},
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::wire::{self, ToNew, ToOld};
use crate::{
    app::{Reloader, Running, compose},
    gate::{Gate, accounts::PATIENCE},
    store::{Heir, Lent},
    telemetry::{self, Distant, Outbox, Recorder, Relay},
};

/// Tells a process that it is to take over from the one at the other end of its standard input.
pub(super) const TAKE_OVER: &str = "TAKES_OVER_FROM_PANELGATE";

/// How long the new process may take to read its configuration and everything that it names.
const PREPARES: Duration = Duration::from_secs(60);
/// How long it may take to open the store and to accept.
const OPENS: Duration = Duration::from_secs(20);

/// How this process was started.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

/// The process that has taken over; it lives on whatever becomes of this value.
pub(in crate::app) struct Successor {
    pid: u32,
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    heir: Heir,
    records: Records,
}

/// What has to be accounted for and is on its way to the process that writes it down.
pub(in crate::app) struct Records {
    pub(in crate::app) relay: Arc<Relay>,
    pub(in crate::app) queue: Outbox,
}

/// The process that is to take over.
struct Started {
    child: Guard,
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    /// Where its store can be asked.
    store: StdStream,
}

/// A process that is ended when it is dropped before it has taken over.
struct Guard(Option<Child>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Guard {
    /// How it ended, if it does so within a second.
    async fn ended(&mut self) -> Option<ExitStatus> {
        for _ in 0..50 {
            if let Some(status) = self.0.as_mut()?.try_wait().ok()? {
                return Some(status);
            }
            sleep(Duration::from_millis(20)).await;
        }
        None
    }

    /// Why nothing can be said to it or heard from it.
    async fn why_not(&mut self, error: &io::Error) -> String {
        self.ended().await.map_or_else(
            || format!("the new process cannot be heard: {error}"),
            |status| format!("the new process ended before it was ready ({status}); its log says why"),
        )
    }

    /// It serves now, and is not ended any more; its process id.
    fn let_go(mut self) -> u32 {
        self.0.take().map_or(0, |child| child.id())
    }
}

impl Program {
    /// This program, by the name that it was started with: an update may have put another one there, or made a symbolic
    /// link point elsewhere.
    pub fn this() -> io::Result<Self> {
        let mut arguments = std::env::args_os();
        let name = arguments.next().map(PathBuf::from).filter(|name| name.components().count() > 1);
        let running = std::env::current_exe()?;
        let named = name.map(std::path::absolute).transpose()?;
        let path = named.filter(|named| is_same(named, &running)).unwrap_or(running);
        Ok(Self { path, arguments: arguments.collect() })
    }

    fn start(&self, stdin: OwnedFd) -> io::Result<Child> {
        Command::new(&self.path)
            .args(&self.arguments)
            .env(TAKE_OVER, "1")
            .env_remove("LISTEN_FDS")
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_FDNAMES")
            .stdin(Stdio::from(stdin))
            .spawn()
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    let about = |path: &Path| std::fs::metadata(path).ok().map(|about| (about.dev(), about.ino()));
    about(a).is_some_and(|a| about(b) == Some(a))
}

/// Starts a new process and hands over to it. Whatever the error, this process goes on as before.
pub(in crate::app) async fn begin(old: &Running, program: &Program) -> Result<Successor, String> {
    if let Some(why) = old.book.problem() {
        return Err(format!(
            "the audit trail cannot be written, and records wait here for it: {why}; mend that, then send SIGUSR2 again"
        ));
    }
    // Afterwards they could only be asked for one by one, over a line.
    if old.gate.whole().await.is_err() {
        return Err("not all sessions are in memory yet: send SIGUSR2 again in a moment".into());
    }
    let Started { mut child, mut read, mut write, store } = start(old, program).await?;
    let prepared = timeout(PREPARES, wire::receive(&mut read)).await;
    expect(&mut child, prepared, |message| matches!(message, ToOld::Prepared)).await?;
    tracing::info!("the new process is prepared; it is given the store");
    let lent = old.store.lend().await.map_err(|error| error.to_string())?;
    let records = old.relay_trail().await;
    let levels = Box::new(old.gate.live().counters.levels(old.gate.moment()));
    let opened = async {
        wire::send(&mut write, &ToNew::Yours(levels)).await?;
        wire::receive(&mut read).await
    };
    let opened = timeout(OPENS, opened).await;
    match expect(&mut child, opened, |message| matches!(message, ToOld::Ready)).await {
        Ok(()) => Ok(Successor { pid: child.let_go(), read, write, heir: lent.give(store), records }),
        Err(why) => {
            // It must be gone before the store can be opened.
            drop(child);
            match take_back(old, lent, records).await {
                Ok(()) => Err(why),
                Err(error) => Err(format!("{why}; and what was handed over cannot be opened again: {error}")),
            }
        }
    }
}

async fn take_back(old: &Running, lent: Lent, records: Records) -> Result<(), String> {
    // Before the store: whatever becomes of that, what has to be accounted for is not to be lost.
    old.reopen_trail(records).await.map_err(|error| error.to_string())?;
    let file = compose::store_file(&old.data_dir);
    lent.take_back(file).await.map_err(|error| error.to_string())
}

/// Writes down here what was to be given to a process that has not taken over.
pub(in crate::app) async fn take_in(mut queue: Outbox, stop: CancellationToken) {
    loop {
        let next = tokio::select! {
            // What waits is taken even if the process is to end.
            biased;
            record = queue.next() => record,
            () = stop.cancelled() => None,
        };
        let Some(first) = next else { return };
        let waiting = std::iter::once(first).chain(std::iter::from_fn(|| queue.waiting()));
        let taken: Vec<_> = waiting.filter_map(put_down).collect();
        for (ticket, recorder, written) in taken {
            if !recorder.durable(written, PATIENCE).await {
                // Whoever waits for those behind it has given up, too.
                break;
            }
            queue.confirm(ticket);
        }
    }
}

fn put_down(record: Distant) -> Option<(u64, Arc<dyn Recorder>, u64)> {
    let Distant { ticket, at, event, fields } = record;
    let fields = serde_json::from_str(&fields).unwrap_or_default();
    let (recorder, written) = telemetry::take_in(at, event, fields)?;
    Some((ticket, recorder, written))
}

async fn start(old: &Running, program: &Program) -> Result<Started, String> {
    let failed = |error: io::Error| error.to_string();
    let sockets = old.sockets.copies().map_err(failed)?;
    let (ours, theirs) = StdStream::pair().map_err(failed)?;
    let (store, their_store) = StdStream::pair().map_err(failed)?;
    let cannot = |error| format!("{} cannot be started: {error}", program.path.display());
    let mut child = Guard(Some(program.start(theirs.into()).map_err(cannot)?));
    let sending = tokio::task::spawn_blocking(move || {
        wire::send_sockets(&ours, sockets, &their_store.into())?;
        ours.set_nonblocking(true)?;
        Ok(ours)
    });
    let sent: io::Result<StdStream> = sending.await.map_err(|fault| fault.to_string())?;
    let ours = match sent {
        Ok(ours) => ours,
        Err(error) => return Err(child.why_not(&error).await),
    };
    let (read, write) = UnixStream::from_std(ours).map_err(failed)?.into_split();
    Ok(Started { child, read, write, store })
}

/// Whether the new process said what was to be said; the error is what it said instead.
async fn expect(
    child: &mut Guard,
    said: Result<io::Result<ToOld>, tokio::time::error::Elapsed>,
    right: impl FnOnce(&ToOld) -> bool,
) -> Result<(), String> {
    match said {
        Ok(Ok(message)) if right(&message) => Ok(()),
        Ok(Ok(ToOld::Refused(why))) => Err(why),
        Ok(Ok(_)) => Err("the new process said something unexpected".into()),
        Err(_) => Err("the new process took too long".into()),
        Ok(Err(error)) => Err(child.why_not(&error).await),
    }
}

impl Successor {
    /// Its process id.
    pub(in crate::app) fn pid(&self) -> u32 {
        self.pid
    }

    /// Where records go that are written there.
    pub(in crate::app) fn relay(&self) -> Arc<Relay> {
        Arc::clone(&self.records.relay)
    }

    /// Follows what changes in the new process, and tells it what happens here, until that is not possible any more;
    /// why. From then on nothing that is remembered here may be believed, which dropping the heir sees to.
    pub(in crate::app) async fn follow(mut self, gate: &Gate, reloader: &Reloader) -> String {
        let levels = Box::new(gate.live().counters.levels(gate.moment()));
        if let Err(error) = wire::send(&mut self.write, &ToNew::Counted(levels)).await {
            return error.to_string();
        }
        let Records { relay, mut queue } = self.records;
        tokio::select! {
            why = hear(&mut self.read, &self.heir, &relay, reloader) => why,
            error = account(&mut self.write, &mut queue) => error.to_string(),
        }
    }
}

/// Tells what has to be accounted for.
async fn account(to: &mut OwnedWriteHalf, queue: &mut Outbox) -> io::Error {
    while let Some(record) = queue.next().await {
        if let Err(error) = wire::send(to, &ToNew::Account(record)).await {
            return error;
        }
    }
    std::future::pending().await
}

async fn hear(from: &mut OwnedReadHalf, heir: &Heir, relay: &Relay, reloader: &Reloader) -> String {
    loop {
        match wire::receive(from).await {
            Ok(ToOld::Changed(at, change)) => heir.tell(at, change),
            Ok(ToOld::Accounted(ticket)) => relay.confirm(ticket),
            Ok(ToOld::Unaccounted(why)) => relay.note_problem(why),
            Ok(ToOld::InForce(digest)) => {
                if *reloader.digest() != *digest
                    && let Err(problem) = reloader.reload("the new process has loaded it").await
                {
                    return format!("what is in force there cannot be loaded here: {problem}");
                }
            }
            Ok(ToOld::Refused(_) | ToOld::Prepared | ToOld::Ready) => {}
            Err(error) => return error.to_string(),
        }
    }
}
