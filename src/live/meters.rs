//! How long things take and what came of them, counted for the metrics.

use std::{
    array,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    clock::Wall,
    meter::{Counter, Histogram, LATENCY, Level},
    rules::{facts::Door, session::Factor},
};

/// A part of answering a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the description of the request to the decision, with what had to be read from the store.
    Decision,
    /// From the request's head to the answer that the door gives by itself; not what the panel answers.
    Answer,
    /// From being allowed to the head of the panel's answer.
    Panel,
    /// One of the gate's own pages or calls, with checks of passwords.
    Portal,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Decision, Self::Answer, Self::Panel, Self::Portal];

    /// As the metrics call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Answer => "answer",
            Self::Panel => "panel",
            Self::Portal => "portal",
        }
    }
}

/// What came of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// A new pair of tokens.
    Rotated,
    /// The same successor once more, as a lost answer or two tabs need it.
    Repeated,
    /// An old token came again: the session was ended.
    Reused,
    /// The session had ended, or its account cannot sign in.
    Dead,
    /// No token that we ever gave out, or none at all.
    Invalid,
    /// Too many from one network.
    Limited,
    /// The store or a key was not there.
    Failed,
}

impl Renewal {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Rotated, Self::Repeated, Self::Reused, Self::Dead, Self::Invalid, Self::Limited, Self::Failed];

    /// As the metrics call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rotated => "rotated",
            Self::Repeated => "repeated",
            Self::Reused => "reused",
            Self::Dead => "dead",
            Self::Invalid => "invalid",
            Self::Limited => "limited",
            Self::Failed => "failed",
        }
    }
}

/// Who opened a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opener {
    /// A sign-in at the portal.
    Portal,
    /// A token of a trusted issuer that was seen for the first time.
    Issuer,
}

/// Checks of passwords: they take their turn.
#[derive(Debug)]
pub struct PasswordMeter {
    /// Waiting for their turn.
    pub waiting: Level,
    /// Being worked on.
    pub running: Level,
    /// Turned away because too many were waiting.
    pub refused: Counter,
    /// How long they waited.
    pub wait: Histogram,
}

impl Default for PasswordMeter {
    fn default() -> Self {
        Self {
            waiting: Level::default(),
            running: Level::default(),
            refused: Counter::default(),
            wait: Histogram::new(LATENCY),
        }
    }
}

/// Spans on their way to the collector.
#[derive(Debug, Default)]
pub struct TraceMeter {
    /// The collector has taken them.
    pub sent: Counter,
    /// The collector could not be reached, or did not take them.
    pub failed: Counter,
    /// There was no room for them in the queue.
    pub dropped: Counter,
}

/// Whether panels answer, as far as the last request for one shows.
#[derive(Debug, Default)]
pub struct PanelState(AtomicU64);

impl PanelState {
    /// One answered.
    pub fn answered(&self) {
        // Nearly always it is so already, and what is only read is shared by all cores.
        if self.0.load(Ordering::Relaxed) > 0 {
            self.0.store(0, Ordering::Relaxed);
        }
    }

    /// One could not be reached, or did not answer.
    pub fn failed(&self, at: Wall) {
        let _ = self.0.compare_exchange(0, at.millis().max(1), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Since when none has answered; `None` if the last one did.
    pub fn failing_since(&self) -> Option<Wall> {
        Some(self.0.load(Ordering::Relaxed)).filter(|at| *at > 0).map(Wall::from_millis)
    }
}

/// What is counted besides decisions.
pub struct Meters {
    stages: [[Histogram; Stage::ALL.len()]; 2],
    renewals: [Counter; Renewal::ALL.len()],
    opened: [Counter; 2],
    elevations: [Counter; 2],
    /// Checks of passwords.
    pub passwords: Arc<PasswordMeter>,
    /// Spans of traces.
    pub traces: TraceMeter,
    /// Whether panels answer.
    pub panel: PanelState,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            stages: array::from_fn(|_| array::from_fn(|_| Histogram::new(LATENCY))),
            renewals: array::from_fn(|_| Counter::default()),
            opened: array::from_fn(|_| Counter::default()),
            elevations: array::from_fn(|_| Counter::default()),
            passwords: Arc::default(),
            traces: TraceMeter::default(),
            panel: PanelState::default(),
        }
    }
}

impl Meters {
    /// Notes how long a stage took.
    pub fn took(&self, door: Door, stage: Stage, time: Duration) {
        self.stage(door, stage).took(time);
    }

    /// How long a stage took.
    pub fn stage(&self, door: Door, stage: Stage) -> &Histogram {
        let [sidecar, edge] = &self.stages;
        let [decision, answer, panel, portal] = match door {
            Door::Sidecar => sidecar,
            Door::Edge => edge,
        };
        match stage {
            Stage::Decision => decision,
            Stage::Answer => answer,
            Stage::Panel => panel,
            Stage::Portal => portal,
        }
    }

    /// Renewals of one outcome.
    pub fn renewal(&self, outcome: Renewal) -> &Counter {
        let [rotated, repeated, reused, dead, invalid, limited, failed] = &self.renewals;
        match outcome {
            Renewal::Rotated => rotated,
            Renewal::Repeated => repeated,
            Renewal::Reused => reused,
            Renewal::Dead => dead,
            Renewal::Invalid => invalid,
            Renewal::Limited => limited,
            Renewal::Failed => failed,
        }
    }

    /// Sessions that were opened.
    pub fn opened(&self, by: Opener) -> &Counter {
        let [portal, issuer] = &self.opened;
        match by {
            Opener::Portal => portal,
            Opener::Issuer => issuer,
        }
    }

    /// Sessions that became elevated, by the factor that was proved.
    pub fn elevation(&self, by: Factor) -> &Counter {
        let [totp, backup] = &self.elevations;
        match by {
            Factor::Totp => totp,
            Factor::BackupCode => backup,
        }
    }
}
