//! The task that writes the journal, and the archive that reads it.

#[cfg(test)]
mod tests;

use std::{io, ops::ControlFlow, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::{Clock, Wall},
    feeds::journal::{Journal, Reader},
    gate::journal::{Archive, Item, QUEUE, Wanted},
    live::Live,
    rules::{
        outcome::DecisionId,
        record::{Gap, Missing, Record, Span},
        session::SiteId,
    },
};

/// So many decisions are written at once.
const BATCH: usize = 512;
/// What comes within this is written together: to be woken for each decision costs the requests more than all the rest
/// of writing it.
const GATHERING: Duration = Duration::from_millis(5);
/// What is old is looked for this often.
const TEND: Duration = Duration::from_secs(60);
/// A reader waits so long for what is still in the queue.
const SETTLE: Duration = Duration::from_secs(2);

/// Writes until told to stop. Runs on a thread of its own, for it waits for the disk.
struct Scribe {
    journal: Journal,
    live: Arc<Live>,
    clock: Arc<dyn Clock>,
    /// What the disk has not taken, and since when.
    lost: Option<(u64, Wall)>,
}

/// Starts writing into a folder; the queue to write to, and the archive that reads.
///
/// # Errors
/// When the folder cannot be made.
pub(super) fn start(
    folder: &Path,
    live: &Arc<Live>,
    clock: &Arc<dyn Clock>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> io::Result<(mpsc::Sender<Item>, Arc<dyn Archive>)> {
    let journal = Journal::open(folder, live.snapshot().journal)?;
    let (queue, items) = mpsc::channel(QUEUE);
    let scribe = Scribe { journal, live: Arc::clone(live), clock: Arc::clone(clock), lost: None };
    tasks.spawn_blocking(move || scribe.run(items));
    tasks.spawn(remind(queue.clone(), stop.clone()));
    let files = Files::new(folder, queue.clone(), Arc::clone(clock));
    Ok((queue, Arc::new(files)))
}

/// Lets more come, so that a busy gate does not wake this thread for each decision.
#[expect(clippy::disallowed_methods, reason = "this thread is the journal's own")]
fn gather() {
    std::thread::sleep(GATHERING);
}

impl Scribe {
    /// Writes what comes.
    fn run(mut self, mut queue: mpsc::Receiver<Item>) {
        let mut items = Vec::with_capacity(BATCH);
        self.tend();
        while queue.blocking_recv_many(&mut items, 1) > 0 {
            gather();
            loop {
                while items.len() < BATCH
                    && let Ok(item) = queue.try_recv()
                {
                    items.push(item);
                }
                let more = items.len() == BATCH;
                if self.take(&mut items) {
                    return;
                }
                if !more {
                    break;
                }
            }
        }
    }

    /// Whether it is over.
    fn take(&mut self, items: &mut Vec<Item>) -> bool {
        // A reload counts from the next batch on.
        self.journal.set_limits(self.live.snapshot().journal);
        let (mut records, mut settled, mut tend, mut stop) = (Vec::new(), Vec::new(), false, false);
        for item in items.drain(..) {
            match item {
                Item::Decision(entry) => {
                    if let Some(tried) = entry.tried(&self.live) {
                        self.live.shadows.count(tried);
                    }
                    let record = entry.into_record(&self.live);
                    self.live.traffic.count(&record);
                    if self.journal.wants(&record) {
                        records.push(record);
                    }
                }
                Item::Settle(told) => settled.push(told),
                Item::Tend => tend = true,
                Item::Stop => stop = true,
            }
        }
        self.write(&records);
        for told in settled {
            // Whoever asked may have gone.
            let _ = told.send(());
        }
        if tend {
            self.tend();
        }
        stop
    }

    fn write(&mut self, records: &[Record]) {
        let now = self.clock.wall();
        if let Some((missing, since)) = self.live.journal.take_dropped() {
            self.admit(Gap { since, until: now, missing, why: Missing::Busy });
        }
        let Some(first) = records.first() else { return };
        let written = self.journal.append(records, now);
        self.live.journal.add(written.records, written.lost);
        if written.lost > 0 {
            if self.lost.is_none() {
                tracing::error!("the disk does not take the journal of decisions: `why` will not know them");
            }
            let (before, since) = self.lost.unwrap_or((0, first.at));
            self.lost = Some((before + written.lost, since));
        } else if let Some((missing, since)) = self.lost.take() {
            self.admit(Gap { since, until: now, missing, why: Missing::Disk });
        }
    }

    fn admit(&mut self, gap: Gap) {
        tracing::warn!(missing = gap.missing, why = ?gap.why, "decisions are missing from the journal");
        if self.journal.admit(gap).is_err() {
            let (before, since) = self.lost.unwrap_or((0, gap.since));
            self.lost = Some((before + gap.missing, since));
        }
    }

    fn tend(&mut self) {
        match self.journal.tend(self.clock.wall()) {
            Ok(tended) if tended.shortened > 0 || tended.expired > 0 => {
                let (shortened, expired) = (tended.shortened, tended.expired);
                tracing::debug!(shortened, expired, "the journal of decisions was tended");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "old parts of the journal could not be tended"),
        }
        self.live.journal.set_bytes(self.journal.bytes());
    }
}

/// Reminds the scribe of what is old, and tells it when it is over.
async fn remind(queue: mpsc::Sender<Item>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(TEND);
    loop {
        let item = tokio::select! {
            () = stop.cancelled() => Item::Stop,
            _ = ticks.tick() => Item::Tend,
        };
        let last = matches!(item, Item::Stop);
        if queue.send(item).await.is_err() || last {
            return;
        }
    }
}

/// The journal's files, for the gate.
struct Files {
    reader: Reader,
    queue: mpsc::Sender<Item>,
    clock: Arc<dyn Clock>,
}

impl Files {
    fn new(folder: &Path, queue: mpsc::Sender<Item>, clock: Arc<dyn Clock>) -> Self {
        Self { reader: Reader::new(folder), queue, clock }
    }

    /// Reads on a thread that may wait, once what was decided before is written.
    async fn read<T: Send + Default + 'static>(
        &self,
        question: impl FnOnce(&Reader, Wall) -> T + Send + 'static,
    ) -> T {
        self.settle().await;
        let (reader, now) = (self.reader.clone(), self.clock.wall());
        tokio::task::spawn_blocking(move || question(&reader, now)).await.unwrap_or_default()
    }
}

#[async_trait]
impl Archive for Files {
    async fn find(&self, id: DecisionId) -> Vec<Record> {
        self.read(move |reader, now| reader.find(id, now)).await
    }

    async fn latest(&self, wanted: Wanted) -> Vec<Record> {
        self.read(move |reader, now| reader.latest(wanted.most, now, |record| wanted.takes(record))).await
    }

    async fn since(&self, site: SiteId, since: Wall, most: usize) -> Vec<Record> {
        self.read(move |reader, now| {
            let mut found = std::collections::VecDeque::new();
            reader.since(since, now, |record| {
                if record.is_of(&site) {
                    if found.len() == most {
                        found.pop_front();
                    }
                    found.push_back(record);
                }
                ControlFlow::Continue(())
            });
            let mut found = Vec::from(found);
            found.sort_by_key(|record: &Record| record.at);
            found
        })
        .await
    }

    async fn span(&self) -> Span {
        self.read(|reader, _| reader.span()).await
    }

    async fn settle(&self) {
        let (told, settled) = oneshot::channel();
        let settling = async {
            if self.queue.send(Item::Settle(told)).await.is_ok() {
                let _ = settled.await;
            }
        };
        // A disk that does not answer must not keep what is written from being read.
        let _ = tokio::time::timeout(SETTLE, settling).await;
    }
}
