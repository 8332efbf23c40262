//! The transitions of a session. Each takes the record and what happened, and says what the record becomes.

use std::time::Duration;

use super::{Elevation, EndReason, Ended, Enrolment, Impersonation, PanelLogin, Session, Sid, Status};
use crate::clock::Wall;

/// A refresh token that verified, being presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The session it names.
    pub sid: Sid,
    /// The generation it belongs to.
    pub generation: u64,
    /// When it was presented.
    pub at: Wall,
    /// How long the generation before the current one is still answered after its successor was first seen.
    pub grace: Duration,
}

/// What came of presenting a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// A new generation is current; hand it out.
    Rotated {
        /// The new current generation.
        generation: u64,
    },
    /// The same successor as before is handed out again (a lost answer, racing tabs).
    Repeated {
        /// The current generation.
        generation: u64,
    },
    /// An older token was presented again: the family is dead now.
    Reused,
    /// The session was not alive.
    Dead(Status),
}

/// Presents a refresh token (R13, design §5).
///
/// The generation before the current one gets the same successor again as long as that successor was not seen, and
/// for `grace` after it was: a lost answer or ten racing tabs sign nobody out. Anything else that is not current is
/// reuse. A generation that is newer than the record can only come from a store that lost writes (an old backup); it
/// cannot be told from a forgery, so it ends the family as well.
pub fn rotate(session: &mut Session, presented: &Presented) -> Rotation {
    match status(session, session.seen, presented.at) {
        Status::Alive => {}
        dead @ (Status::Ended(_) | Status::Idle | Status::Expired) => return Rotation::Dead(dead),
    }
    let current = session.family.generation;
    if presented.generation == current {
        return advance(session, presented.at);
    }
    if is_previous(presented.generation, current) && still_answered(session, presented) {
        touch(session, presented.at);
        return Rotation::Repeated { generation: current };
    }
    end(session, EndReason::RefreshReuse, presented.at);
    Rotation::Reused
}

/// Notes that a generation was seen in an access token; says whether the record changed.
pub fn mark_seen(session: &mut Session, generation: u64, at: Wall) -> bool {
    let news = generation == session.family.generation && session.family.current_seen.is_none();
    if news {
        session.family.current_seen = Some(at);
    }
    news
}

/// Writes a proof of the second factor down; `false` if the session is not alive.
pub fn elevate(session: &mut Session, elevation: Elevation) -> bool {
    let alive = status(session, session.seen, elevation.at) == Status::Alive;
    if alive {
        session.elevation = Some(elevation);
        touch(session, elevation.at);
    }
    alive
}

/// A change to what a live session carries; only what is `Some` changes.
#[derive(Clone, Debug, Default)]
pub struct SessionChange {
    /// Begins or ends an impersonation.
    pub impersonation: Option<Option<Impersonation>>,
    /// Begins or ends the set-up of a second factor.
    pub enrolment: Option<Option<Enrolment>>,
    /// Keeps or forgets what the panel's own login gave.
    pub panel: Option<Option<PanelLogin>>,
}

/// Changes what a live session carries; `false` if the session is not alive, or somebody is impersonated already
/// (one level and no more).
pub fn change(session: &mut Session, change: SessionChange, at: Wall) -> bool {
    let begins = matches!(change.impersonation, Some(Some(_)));
    let acting = session.impersonation.as_ref().is_some_and(|now| at < now.until);
    if status(session, session.seen, at) != Status::Alive || (begins && acting) {
        return false;
    }
    if let Some(impersonation) = change.impersonation {
        session.impersonation = impersonation.map(Box::new);
    }
    if let Some(enrolment) = change.enrolment {
        session.enrolment = enrolment.map(Box::new);
    }
    if let Some(panel) = change.panel {
        session.panel = panel.map(Box::new);
    }
    true
}

/// Ends the session; `false` if it was not alive.
///
/// A session that is idle or expired is marked as well, so that no clock that goes backwards can revive it.
pub fn end(session: &mut Session, why: EndReason, at: Wall) -> bool {
    let alive = status(session, session.seen, at) == Status::Alive;
    if session.ended.is_none() {
        session.ended = Some(Ended { at, why });
        // A tombstone answers why it ended, and holds nothing that could be of use to anybody.
        (session.impersonation, session.enrolment, session.panel) = (None, None, None);
    }
    alive
}

/// Notes a use; says whether the record changed.
pub fn touch(session: &mut Session, at: Wall) -> bool {
    let news = session.ended.is_none() && at > session.seen;
    if news {
        session.seen = at;
    }
    news
}

/// Whether the session can be used now. `last_seen` is the newest use known, at least `session.seen`.
pub fn status(session: &Session, last_seen: Wall, now: Wall) -> Status {
    let idle_end = last_seen.max(session.seen).plus(Duration::from_millis(session.idle_millis));
    if let Some(ended) = session.ended {
        Status::Ended(ended.why)
    } else if now >= session.expires {
        Status::Expired
    } else if now >= idle_end {
        Status::Idle
    } else {
        Status::Alive
    }
}

fn advance(session: &mut Session, at: Wall) -> Rotation {
    let generation = session.family.generation.saturating_add(1);
    session.family.generation = generation;
    session.family.current_seen = None;
    touch(session, at);
    Rotation::Rotated { generation }
}

fn is_previous(generation: u64, current: u64) -> bool {
    generation.checked_add(1) == Some(current)
}

fn still_answered(session: &Session, presented: &Presented) -> bool {
    session.family.current_seen.is_none_or(|seen| presented.at <= seen.plus(presented.grace))
}
