//! Says in the audit trail how each impersonation ended: left, by its time, with its session, with the account or with
//! the right to it.

#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::StreamExt;
use tokio::{sync::oneshot, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::tasks::Acting;
use crate::{
    gate::Gate,
    rules::{
        judge::{Over, View},
        session::{EndReason, Impersonation, Session, Sid},
    },
    store::Change,
};

/// What ends by itself is noticed this soon.
const TICK: Duration = Duration::from_secs(1);
/// A failed change stream is opened again after this.
const RETRY: Duration = Duration::from_millis(500);

/// Follows the sessions for ever, from those on that act for somebody when the gate starts.
pub(super) async fn follow(gate: Arc<Gate>, acting: oneshot::Receiver<Acting>, stop: CancellationToken) {
    let mut journal = Journal::default();
    let acting = tokio::select! {
        () = stop.cancelled() => return,
        acting = acting => acting,
    };
    // Nobody says it when the process ends before all sessions were loaded.
    let Ok(Acting { at: mut cursor, sessions }) = acting else { return };
    for session in &sessions {
        journal.note(session, &gate);
    }
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.is_cancelled() {
        let Ok(mut changes) = gate.store().changes(cursor).await else {
            tokio::time::sleep(RETRY).await;
            continue;
        };
        loop {
            let change = tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => None,
                change = changes.next() => match change {
                    Some((at, change)) => { cursor = at; Some(change) }
                    None => break,
                },
            };
            if let Some(change) = change {
                journal.take(change, &gate);
            } else {
                journal.look(&gate);
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// The impersonations that have not been left.
#[derive(Default)]
struct Journal {
    open: HashMap<Sid, Open>,
}

struct Open {
    session: Arc<Session>,
    impersonation: Impersonation,
    /// Of the operator and of the account; an account that is gone by then has none any more.
    names: (String, String),
    /// Its end has been written down.
    told: bool,
}

impl Journal {
    fn take(&mut self, change: Change, gate: &Gate) {
        match change {
            Change::Session(session) => self.note(&session, gate),
            Change::SessionGone(sid) => drop(self.open.remove(&sid)),
            Change::Everything(everything) => {
                for session in &everything.sessions {
                    self.note(session, gate);
                }
            }
            Change::User(_)
            | Change::UserGone(_)
            | Change::Key(_)
            | Change::KeyGone(_)
            | Change::Ban(_)
            | Change::BanGone(_)
            | Change::Failures(..)
            | Change::HighSecurity(_) => {}
        }
    }

    /// A session as it is now.
    fn note(&mut self, session: &Arc<Session>, gate: &Gate) {
        let view = &gate.live().records;
        let Some(impersonation) = &session.impersonation else {
            if let Some(open) = self.open.remove(&session.sid) {
                match (session.ended, gate.acting_still(&open.session)) {
                    (Some(ended), _) => open.tell(with_session(ended.why)),
                    (None, Err(over)) => open.tell(by_itself(over)),
                    // Whoever left it has said so, before he was answered.
                    (None, Ok(_)) => {}
                }
            }
            return;
        };
        let told = self
            .open
            .get(&session.sid)
            .is_some_and(|open| open.told && open.impersonation.since == impersonation.since);
        let name = |id| view.user(id).map_or_else(|| id.to_string(), |user| user.name.to_string());
        let names = (name(&session.user), name(&impersonation.user));
        let open = Open {
            session: Arc::clone(session),
            impersonation: Impersonation::clone(impersonation),
            names,
            told,
        };
        self.open.insert(session.sid, open);
    }

    /// Looks which of them have ended by themselves.
    fn look(&mut self, gate: &Gate) {
        for open in self.open.values_mut().filter(|open| !open.told) {
            if let Err(over) = gate.acting_still(&open.session) {
                open.tell(by_itself(over));
                open.told = true;
            }
        }
    }
}

impl Open {
    fn tell(&self, why: &'static str) {
        if self.told {
            return;
        }
        let (operator, user) = (self.names.0.as_str(), self.names.1.as_str());
        let session = self.session.sid.public();
        tracing::info!(target: "panelgate::audit", event = "impersonation-ended", operator, user, why, %session);
    }
}

const fn by_itself(over: Over) -> &'static str {
    match over {
        Over::Time => "time",
        Over::Account => "account",
        Over::Right => "right",
    }
}

fn with_session(why: EndReason) -> &'static str {
    match why {
        EndReason::SignedOut => "signed-out",
        EndReason::Revoked => "revoked",
        EndReason::RefreshReuse => "refresh-reuse",
        EndReason::PasswordChanged => "password-changed",
        EndReason::AccountDisabled => "operator-disabled",
    }
}
