//! The order of the questions, from credential to grant.

use std::sync::Arc;

use super::{
    facts::Facts,
    identity::{User, UserId},
    outcome::{DecisionId, Grant, Judgement},
    session::{ExternalIdentity, ExternalKey, Session, Sid},
    site::Site,
    token::{Issuers, KeySet},
};
use crate::clock::Wall;

/// What judging may look at. `live` implements it over its maps.
pub trait View {
    /// The session, if it is in memory.
    fn session(&self, sid: &Sid) -> Option<Arc<Session>>;
    /// The session opened for an issuer's session claim, if it is in memory.
    fn external(&self, key: &ExternalKey) -> Option<Arc<Session>>;
    /// The account.
    fn user(&self, id: &UserId) -> Option<Arc<User>>;
    /// When the session was last used; memory may know of uses that the record does not.
    fn last_seen(&self, session: &Session) -> Wall;
}

/// The constant part of a judgement.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// The site the request is for.
    pub site: &'a Site,
    /// Our own keys.
    pub keys: &'a KeySet,
    /// Other people's keys.
    pub issuers: &'a Issuers,
    /// What is in memory.
    pub view: &'a dyn View,
    /// Now.
    pub at: Wall,
    /// The name this decision will have.
    pub decision: DecisionId,
}

/// The judgement, or what must be fetched first.
#[derive(Debug)]
pub enum Step {
    /// Done.
    Done(Judgement),
    /// A session is named that is not in memory.
    NeedSession(Sid),
    /// A trusted issuer's session is seen for the first time.
    NeedExternal(Box<ExternalIdentity>),
}

/// Judges one request.
pub fn judge(facts: &Facts, bench: Bench<'_>) -> Step {
    let _ = facts;
    Step::NeedSession(Sid([bench.decision.0[0]; 32]))
}

/// Whether a grant that was given earlier would be given again now (R12, R23): for connections that stay open.
pub fn still_holds(grant: &Grant, facts: &Facts, bench: Bench<'_>) -> bool {
    let _ = (grant, facts, bench);
    false
}
