//! A request that is only spoken of, with everything that the policy may look at: what is explained, tested, and shown
//! for an example where two policies differ.

use std::{fmt, net::IpAddr};

use serde::{Serialize, Serializer};

use super::{ActingAs, Case, Circumstances, Decided, Manner, RuleSet, Sitting, Who};
use crate::{
    clock::Wall,
    rules::{
        api_key::Scope,
        facts::Target,
        identity::Role,
        place::Country,
        session::{Elevation, Factor},
        written::spell_duration,
    },
};

/// A request that is only spoken of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What is asked for.
    pub target: Target,
    /// Case-sensitive.
    pub method: String,
    /// Whether it asks for an upgrade.
    pub upgrade: bool,
    /// Whether anything in it overrides the method.
    pub method_override: bool,
    /// The client's address; `None` when it is not certain.
    pub client: Option<IpAddr>,
    /// The country of that address; `None` when it is not known.
    pub country: Option<Country>,
    /// When.
    pub at: Wall,
    /// By whom.
    pub who: Asked,
}

/// Who makes such a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nobody who is known.
    Nobody,
    /// Somebody with a session.
    Session {
        /// His role.
        role: Role,
        /// Whether he has a second factor.
        enrolled: bool,
        /// His last proof of it.
        proof: Option<Elevation>,
        /// Whether High Security Mode is off for him.
        relaxed: bool,
        /// The role of the account he acts for, and whether changes are allowed.
        acting: Option<(Role, bool)>,
    },
    /// A program with an API key.
    Key {
        /// The role of the key's owner.
        role: Role,
        /// Whether the owner has a second factor.
        enrolled: bool,
        /// What the key may do.
        scopes: Vec<Scope>,
    },
}

impl Question {
    /// What a policy answers.
    pub fn put<'r>(&self, rules: &'r RuleSet) -> Decided<'r> {
        rules.decide(&self.case())
    }

    /// As a policy judges it.
    pub fn case(&self) -> Case<'_> {
        let who = match &self.who {
            Asked::Nobody => Who::Nobody,
            Asked::Key { role, enrolled, scopes } => Who::Key { role, enrolled: *enrolled, scopes },
            Asked::Session { role, enrolled, proof, relaxed, acting } => {
                let acting = acting.as_ref().map(|(role, write)| ActingAs::Account { role, write: *write });
                let (enrolled, proof, relaxed) = (*enrolled, *proof, *relaxed);
                Who::Session(Sitting { role, enrolled, proof, relaxed, acting })
            }
        };
        Case { target: &self.target, manner: self.manner(), circumstances: self.circumstances(), who }
    }

    /// From where and when.
    pub fn circumstances(&self) -> Circumstances {
        Circumstances { client: self.client, country: self.country, at: self.at }
    }

    /// How it is made.
    pub fn manner(&self) -> Manner<'_> {
        let (upgrade, method_override) = (self.upgrade, self.method_override);
        Manner { method: &self.method, upgrade, method_override }
    }
}

/// `POST /users/7 as admin, verified 5m ago, from 10.0.0.5 in DE at 2026-11-25T07:00:00Z`.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} as ", self.method_text(), self.target.raw)?;
        self.who.spell(self.at, f)?;
        if let Some(client) = self.client {
            write!(f, ", from {client}")?;
        }
        if let Some(country) = self.country {
            write!(f, ", in {country}")?;
        }
        write!(f, ", at {}", self.at_text())
    }
}

impl Question {
    /// The method, and what makes it more than that.
    pub(super) fn method_text(&self) -> String {
        let upgrade = if self.upgrade { " (upgrade)" } else { "" };
        let changed = if self.method_override { " (method override)" } else { "" };
        format!("{}{upgrade}{changed}", self.method)
    }

    pub(super) fn at_text(&self) -> String {
        let at = i64::try_from(self.at.secs()).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
        at.map_or_else(|| "never".to_owned(), |at| at.to_string())
    }
}

impl Asked {
    /// His own role; `None` for nobody.
    pub fn role(&self) -> Option<&Role> {
        match self {
            Self::Nobody => None,
            Self::Session { role, .. } | Self::Key { role, .. } => Some(role),
        }
    }

    /// The role whose access counts on the panel: that of the account he acts for, if he does.
    pub fn role_on_the_panel(&self) -> Option<&Role> {
        match self {
            Self::Session { acting: Some((role, _)), .. } => Some(role),
            Self::Nobody | Self::Session { .. } | Self::Key { .. } => self.role(),
        }
    }

    fn spell(&self, at: Wall, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("nobody"),
            Self::Key { role, enrolled, scopes } => {
                let scopes: Vec<&str> = scopes.iter().map(|scope| &**scope).collect();
                write!(f, "a key of {role} with [{}]", scopes.join(", "))?;
                f.write_str(if *enrolled { "" } else { ", without a second factor" })
            }
            Self::Session { role, enrolled, proof, relaxed, acting } => {
                write!(f, "{role}")?;
                if let Some((role, write)) = acting {
                    write!(f, " acting for {role}{}", if *write { "" } else { " (read-only)" })?;
                }
                f.write_str(if *enrolled { "" } else { ", without a second factor" })?;
                f.write_str(if *relaxed { ", with high security off" } else { "" })?;
                match proof {
                    Some(proof) if at == proof.at => {
                        write!(f, ", verified just now with {}", factor_word(proof.by))
                    }
                    Some(proof) => {
                        let ago = spell_duration(at.since(proof.at));
                        write!(f, ", verified {ago} ago with {}", factor_word(proof.by))
                    }
                    None => Ok(()),
                }
            }
        }
    }
}

/// In the same words.
impl Serialize for Question {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// As `elevation.methods` spells it.
pub(super) const fn factor_word(factor: Factor) -> &'static str {
    match factor {
        Factor::Totp => "totp",
        Factor::BackupCode => "backup-code",
    }
}
