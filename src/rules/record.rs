//! What is kept of a decision: enough to explain it, and to judge the same request again under another policy.
//!
//! No query string, no token and no key is in it, whatever the request had (R29).

mod covers;
mod document;
mod keep;
mod replay;
mod report;
mod route;
mod sentence;
mod spelling;
#[cfg(test)]
pub(crate) mod tests;
mod ways;

use std::{net::IpAddr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

pub use self::{
    covers::{Allowed, Gap, Limits, Missing, Span},
    document::{end, found},
    keep::{Kept, shorten},
    replay::{Chosen, Control, Flip, Replay, Replayed, Unjudged},
    report::{Now, Report},
    route::{Step, Taken},
    ways::{Change, Way, ways},
};
use super::{
    address::AddrSource,
    api_key::Scope,
    facts::{Door, Scheme, Target},
    identity::Role,
    outcome::{Access, DecisionId, Outcome},
    place::Country,
    policy::{ActingAs, Answer, Case, Circumstances, Manner, Sitting, Who},
    reason::Reason,
    session::{Elevation, Ended, PublicId, SiteId},
};
use crate::clock::Wall;

/// Addresses are shortened after so long.
pub const WHOLE_ADDRESSES: Duration = Duration::from_secs(24 * 3600);

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its name.
    pub decision: DecisionId,
    /// When it was taken.
    pub at: Wall,
    /// For which site; `None` where the host belongs to none.
    pub site: Option<SiteId>,
    /// The version of the policy that decided; empty where none did.
    pub policy: Arc<str>,
    /// The generation of the configuration.
    pub generation: u64,
    /// What was asked for.
    pub asked: Asked,
    /// By which machine.
    pub client: Client,
    /// Which credentials came with it.
    pub shown: Vec<Shown>,
    /// Whose they are, as far as that is known.
    pub who: Option<Person>,
    /// What was answered.
    pub reply: Reply,
    /// When its addresses were shortened, if they were.
    pub shortened: Option<Wall>,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Where it arrived.
    pub door: Door,
    /// The name of the dialect.
    pub dialect: SmolStr,
    /// As the client used it, if that could be told.
    pub scheme: Option<Scheme>,
    /// The host, canonical if it is one.
    pub host: SmolStr,
    /// The method as sent.
    pub method: SmolStr,
    /// The path, without a query.
    pub path: Kept,
    /// Whether it asked for an upgrade.
    pub upgrade: bool,
    /// Whether anything in it overrides the method.
    pub method_override: bool,
}

/// Where a request came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Who was connected; a loopback address for a Unix socket.
    pub peer: IpAddr,
    /// What was forwarded, the nearest hop last, whether it was believed or not.
    pub hops: Vec<SmolStr>,
    /// The client's address.
    pub ip: IpAddr,
    /// How it was found.
    pub from: AddrSource,
    /// Its country, if the policy asked or the database knows.
    pub country: Option<Country>,
}

/// A credential as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shown {
    /// The gate's own access cookie.
    Cookie,
    /// A bearer token, the gate's or the panel's.
    Bearer,
    /// A token of this trusted issuer.
    Issuer(String),
    /// An API key, with its public id if it can be one.
    ApiKey(Option<PublicId>),
}

/// Somebody, as he was at the time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The account name.
    pub user: SmolStr,
    /// The role that counted.
    pub role: Role,
    /// Whether a second factor was enrolled.
    pub enrolled: bool,
    /// Whether High Security Mode was off for him.
    pub relaxed: bool,
    /// What the credential stands for.
    pub held: Held,
    /// Whom he acted for.
    pub acting: Option<Acted>,
    /// Whether the credential was good; otherwise it only says who it was.
    pub accepted: bool,
}

/// What a credential stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Held {
    /// A session.
    Session {
        /// Its public id.
        id: PublicId,
        /// When it was opened.
        opened: Wall,
        /// The newest proof of a second factor.
        proof: Option<Elevation>,
        /// When and why it had ended.
        ended: Option<Ended>,
    },
    /// An API key.
    Key {
        /// Its public id.
        id: PublicId,
        /// What it may do.
        scopes: Vec<Scope>,
    },
}

/// An impersonation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Acted {
    /// Of an account.
    For {
        /// Its name.
        user: String,
        /// Its role.
        role: Role,
        /// Whether changes were allowed.
        write: bool,
        /// When it was to end.
        until: Wall,
    },
    /// That was over and had not been left.
    Over,
}

/// An answer with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// What kind.
    pub said: Said,
    /// Why.
    pub reason: Reason,
    /// What exactly was wrong, in a fixed phrase.
    pub detail: Option<String>,
    /// The page of the policy.
    pub page: Option<Place>,
    /// What the request needed there.
    pub needs: Option<Access>,
    /// What could be done with the page, if it was allowed.
    pub have: Option<Access>,
    /// What the role has there before and after the second factor.
    pub levels: Option<(Access, Access)>,
    /// The end of the elevation that counted.
    pub until: Option<Wall>,
    /// What would have allowed it, if it was refused to somebody who is known.
    pub ways: Vec<Way>,
}

/// Where a page stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its name.
    pub name: Arc<str>,
    /// The policy's file.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
}

/// The kinds of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// Go on.
    Allow,
    /// Sign in, or renew.
    SignIn,
    /// Prove the second factor.
    StepUp {
        /// Whether the page can be looked at before.
        readable: bool,
    },
    /// No.
    Deny,
    /// Too many.
    Throttle {
        /// After how many milliseconds it was worth trying again.
        millis: u64,
    },
    /// A fault on our side.
    Unavailable,
    /// It could not be judged.
    BadRequest,
    /// It was allowed, and the panel could not be reached.
    BadGateway,
    /// It was allowed, and the panel did not answer.
    GatewayTimeout,
}

/// How records compete for room: none of the three can push the others out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// What was allowed.
    Allowed,
    /// What was refused to somebody who is known.
    Refused,
    /// What was refused to strangers.
    Strangers,
}

impl Said {
    /// What an outcome comes to.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Allow(_) => Self::Allow,
            Outcome::SignIn(_) => Self::SignIn,
            Outcome::StepUp { readable } => Self::StepUp { readable: *readable },
            Outcome::Deny(_) => Self::Deny,
            Outcome::Throttle { retry_after } => {
                Self::Throttle { millis: u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX) }
            }
            Outcome::Unavailable(_) => Self::Unavailable,
            Outcome::BadRequest(_) => Self::BadRequest,
        }
    }

    /// `allow`, `sign-in`, `step-up`, `deny`, `throttle`, `unavailable`, `bad-request`, `bad-gateway` or
    /// `gateway-timeout`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::SignIn => "sign-in",
            Self::StepUp { .. } => "step-up",
            Self::Deny => "deny",
            Self::Throttle { .. } => "throttle",
            Self::Unavailable => "unavailable",
            Self::BadRequest => "bad-request",
            Self::BadGateway => "bad-gateway",
            Self::GatewayTimeout => "gateway-timeout",
        }
    }
}

impl Record {
    /// The same request for a policy to judge; `None` if none could have: it could not be described, was turned away
    /// before, or was one of the gate's own pages.
    ///
    /// Where the addresses have been shortened, the client is the first address of its network: conditions on smaller
    /// networks cannot be judged again.
    pub fn case(&self) -> Option<Case<'_>> {
        let target = self.asked.path.target()?;
        if target.is_ours() {
            return None;
        }
        self.answered()?;
        let who = self.who.as_ref().filter(|person| person.accepted).map_or(Who::Nobody, Person::as_who);
        let who = match who {
            // It can be over for more reasons than its time: the record has only what the session said.
            Who::Session(sitting) if self.reply.reason == Reason::ImpersonationOver => {
                Who::Session(Sitting { acting: Some(ActingAs::Over), ..sitting })
            }
            who @ (Who::Nobody | Who::Session(_) | Who::Key { .. }) => who,
        };
        let client = self.client.certain();
        let circumstances = Circumstances { client, country: self.client.country, at: self.at };
        Some(Case { target, manner: self.asked.manner(), circumstances, who })
    }

    /// What a policy answered; `None` as with [`Record::case`]. That a session was no longer good is told apart only by
    /// [`Reply::reason`].
    pub fn answered(&self) -> Option<Answer> {
        let reason = self.reply.reason;
        if [Reason::Banned, Reason::Portal, Reason::PageLimit].contains(&reason) {
            return None;
        }
        match self.reply.said {
            Said::Allow => Some(Answer::Allow { have: self.reply.have?, reason }),
            Said::SignIn => Some(Answer::SignIn),
            Said::StepUp { readable } => Some(Answer::StepUp { readable }),
            Said::Deny => Some(Answer::Deny(reason)),
            Said::BadRequest => self.reply.needs.map(|_| Answer::BadRequest),
            Said::Throttle { .. } | Said::Unavailable | Said::BadGateway | Said::GatewayTimeout => None,
        }
    }

    /// Whether it was allowed.
    pub fn is_allowed(&self) -> bool {
        self.reply.said == Said::Allow
    }

    /// Whether its path can be read in two ways, so that no credential was looked at.
    pub fn is_unread(&self) -> bool {
        self.reply.said == Said::BadRequest && self.reply.reason == Reason::AmbiguousTarget
    }

    /// Whether it was refused for want of a second factor that counts.
    pub fn lacks_proof(&self) -> bool {
        self.reply.reason == Reason::NeedsElevation
    }

    /// Whether the request changed something, or could have.
    pub fn is_write(&self) -> bool {
        self.reply.needs == Some(Access::Full)
    }

    /// With what it competes for room.
    pub fn class(&self) -> Class {
        if self.is_allowed() {
            Class::Allowed
        } else if self.who.as_ref().is_some_and(|person| person.accepted) {
            Class::Refused
        } else {
            Class::Strangers
        }
    }

    /// Whether it is so old that its addresses are to be shortened.
    pub fn is_due(&self, now: Wall) -> bool {
        self.shortened.is_none() && now.since(self.at) >= WHOLE_ADDRESSES
    }
}

impl Asked {
    /// How it was asked, as far as a policy cares.
    pub fn manner(&self) -> Manner<'_> {
        Manner { method: &self.method, upgrade: self.upgrade, method_override: self.method_override }
    }
}

impl Client {
    /// The address, if it is certainly the client's.
    fn certain(&self) -> Option<IpAddr> {
        super::address::ClientAddr { ip: self.ip, from: self.from }.certain()
    }
}

impl Person {
    fn as_who(&self) -> Who<'_> {
        match &self.held {
            Held::Key { scopes, .. } => Who::Key { role: &self.role, enrolled: self.enrolled, scopes },
            Held::Session { proof, .. } => Who::Session(Sitting {
                role: &self.role,
                enrolled: self.enrolled,
                proof: *proof,
                relaxed: self.relaxed,
                acting: self.acting.as_ref().map(Acted::as_acting),
            }),
        }
    }
}

impl Acted {
    fn as_acting(&self) -> ActingAs<'_> {
        match self {
            Self::For { role, write, .. } => ActingAs::Account { role, write: *write },
            Self::Over => ActingAs::Over,
        }
    }
}
