//! The background tasks: what feeds `live`, and what writes down what the request path noticed.

mod load;

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::BoxStream};
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

pub(super) use self::load::{Acting, Load};
use super::Reloader;
use crate::{
    clock::{Clock, Wall},
    gate::{Note, failures::tell_ban},
    live::Live,
    rules::{address::NetworkKey, failures::Failure, session::Sid},
    store::{Beginning, Change, Cursor, Store, StoreError},
};

/// Uses of sessions are written down this often; a crash forgets at most so much of "last active".
const TOUCHES: Duration = Duration::from_secs(15);
/// Sessions that nothing can name any more are removed this often, so many at a time.
const PURGE: Duration = Duration::from_secs(60);
const PURGE_BATCH: usize = 1_000;
/// So many notes of the request path are taken at a time.
const NOTED: usize = 256;
/// A refused configuration is tried again after this.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// A failed change stream is opened again after this.
const RETRY: Duration = Duration::from_millis(500);

/// What follows the change stream: positions with what changed.
type Changes = BoxStream<'static, (Cursor, Change)>;

/// Loads everything but the sessions, which `load` brings, and follows the change stream from there, for ever. While it
/// cannot be followed the gate is closed.
pub(super) async fn begin(
    live: &Arc<Live>,
    store: &Arc<dyn Store>,
    stop: &CancellationToken,
) -> Result<(impl Future<Output = ()> + use<>, Load), StoreError> {
    let Beginning { rest, sessions } = store.begin().await?;
    let cursor = rest.cursor;
    live.records.begin(rest);
    let changes = store.changes(cursor).await?;
    let following = follow(Arc::clone(live), Arc::clone(store), cursor, changes, stop.clone());
    let load = Load { live: Arc::clone(live), store: Arc::clone(store), at: cursor, sessions };
    Ok((following, load))
}

async fn follow(
    live: Arc<Live>,
    store: Arc<dyn Store>,
    mut cursor: Cursor,
    mut changes: Changes,
    stop: CancellationToken,
) {
    loop {
        let change = tokio::select! {
            () = stop.cancelled() => return,
            change = changes.next() => change,
        };
        if let Some((at, change)) = change {
            live.records.apply(at, change);
            cursor = at;
        } else {
            live.records.set_lost(!stop.is_cancelled());
            changes = reopen(&*store, cursor, &stop).await;
            live.records.set_lost(false);
        }
    }
}

async fn reopen(store: &dyn Store, cursor: Cursor, stop: &CancellationToken) -> Changes {
    loop {
        tokio::select! {
            () = stop.cancelled() => return futures_util::stream::pending().boxed(),
            () = tokio::time::sleep(RETRY) => {}
        }
        match store.changes(cursor).await {
            Ok(changes) => return changes,
            Err(error) => tracing::error!(%error, "the change stream cannot be followed"),
        }
    }
}

/// Writes notes of the request path down.
pub(super) async fn write_notes(
    live: Arc<Live>,
    store: Arc<dyn Store>,
    mut notes: mpsc::Receiver<Note>,
    stop: CancellationToken,
) {
    loop {
        let mut noted = Vec::new();
        let received = tokio::select! {
            () = stop.cancelled() => return,
            received = notes.recv_many(&mut noted, NOTED) => received,
        };
        if received == 0 {
            return;
        }
        let mut failures: HashMap<NetworkKey, Failure> = HashMap::new();
        for note in noted {
            match note {
                Note::Seen { sid, generation, at } => mark_seen(&*store, sid, generation, at).await,
                // Many of one network are one write.
                Note::Failed(failure) => {
                    let known = failures.entry(failure.network).or_insert(Failure { count: 0, ..failure });
                    known.count = known.count.saturating_add(failure.count);
                }
            }
        }
        for failure in failures.into_values() {
            count_failure(&live, &*store, failure).await;
        }
    }
}

async fn mark_seen(store: &dyn Store, sid: Sid, generation: u64, at: Wall) {
    match store.mark_seen(sid, generation, at).await {
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "a refresh generation was seen but could not be noted"),
    }
}

async fn count_failure(live: &Live, store: &dyn Store, failure: Failure) {
    let rules = Arc::clone(&live.snapshot().lockout);
    match store.fail(failure, rules).await {
        Ok(written) => written.value.banned.iter().for_each(tell_ban),
        Err(error) => tracing::warn!(%error, "guesses could not be counted"),
    }
}

/// Writes uses of sessions down now and then; once more at the end.
pub(super) async fn write_touches(live: Arc<Live>, store: Arc<dyn Store>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(TOUCHES);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let last = tokio::select! {
            () = stop.cancelled() => true,
            _ = ticks.tick() => false,
        };
        let written = async {
            let uses = live.records.take_touched();
            if !uses.is_empty() {
                store.touch(uses).await?;
            }
            let uses = live.records.take_touched_keys();
            if !uses.is_empty() {
                store.touch_keys(uses).await?;
            }
            Ok(())
        };
        match written.await {
            Ok(()) => {}
            // The process that has taken over cannot be asked any more.
            Err(StoreError::HandedOver) => return,
            Err(error) => tracing::warn!(%error, "uses of sessions and API keys could not be written down"),
        }
        if last {
            return;
        }
    }
}

/// Removes sessions that nothing can name any more.
pub(super) async fn purge(store: Arc<dyn Store>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(PURGE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        while let Ok(written) = store.purge(clock.wall(), PURGE_BATCH).await {
            if written.value < PURGE_BATCH {
                break;
            }
        }
    }
}

/// Reloads whenever a watched file has changed. A configuration that was refused is tried again now and then: what is
/// wrong may have been outside of every file, such as a name that could not be resolved.
pub(super) async fn reload_on_change(
    reloader: Arc<Reloader>,
    mut changes: mpsc::Receiver<()>,
    stop: CancellationToken,
) {
    let mut refused = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = changes.recv() => if changed.is_none() {
                return;
            },
            () = tokio::time::sleep(TRY_AGAIN), if refused => {}
        }
        // What came of it is in the log, in the metrics and at `/readyz`.
        refused = reloader.look_again().await.is_err();
    }
}

#[cfg(test)]
mod tests;
