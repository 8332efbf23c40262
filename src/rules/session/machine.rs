//! The transitions of a session. Each takes the record and what happened, and says what the record becomes.

use std::time::Duration;

use super::{Elevation, EndReason, Session, Sid, Status};
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
pub fn rotate(session: &mut Session, presented: &Presented) -> Rotation {
    let _ = (session, presented);
    Rotation::Reused
}

/// Notes that a generation was seen in an access token; says whether the record changed.
pub fn mark_seen(session: &mut Session, generation: u64, at: Wall) -> bool {
    let _ = (session, generation, at);
    false
}

/// Writes a proof of the second factor down; `false` if the session is not alive.
pub fn elevate(session: &mut Session, elevation: Elevation) -> bool {
    let _ = (session, elevation);
    false
}

/// Ends the session; `false` if it was not alive.
pub fn end(session: &mut Session, why: EndReason, at: Wall) -> bool {
    let _ = (session, why, at);
    false
}

/// Notes a use; says whether the record changed.
pub fn touch(session: &mut Session, at: Wall) -> bool {
    let _ = (session, at);
    false
}

/// Whether the session can be used now. `last_seen` is the newest use known, at least `session.seen`.
pub fn status(session: &Session, last_seen: Wall, now: Wall) -> Status {
    let _ = (session, last_seen, now);
    Status::Expired
}
