//! The log line of a failure: a contract with fail2ban's filter in `deploy/fail2ban/`, stated in docs/limits.md.
//!
//! Order and spelling of its fields never change. What an attacker chose comes last, in characters that can neither end
//! the line nor look like another field; whose failure it is was decided before.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use super::{Visit, failures::bannable};
use crate::rules::failures::Kind;

/// The longest text of an attacker, in bytes.
const LONGEST: usize = 200;

/// What failed, as the line names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A wrong password.
    Password,
    /// A wrong code of the second factor.
    Code,
    /// A refresh token that nobody was given.
    Refresh,
    /// An API key that nobody has.
    Key,
    /// A request for what only scanners ask for.
    Trap,
}

impl From<Kind> for What {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Password => Self::Password,
            Kind::Factor => Self::Code,
        }
    }
}

impl What {
    /// What the audit trail calls what was presented, unless it has another record of it.
    pub(super) const fn credential(self) -> Option<&'static str> {
        match self {
            Self::Refresh => Some("refresh-token"),
            Self::Key => Some("api-key"),
            Self::Password | Self::Code | Self::Trap => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code => "code",
            Self::Refresh => "refresh",
            Self::Key => "key",
            Self::Trap => "trap",
        }
    }
}

/// Writes the line. `text` is the account's name or the path of the trap.
pub(super) fn write(visit: &Visit, what: What, text: Option<&str>) {
    let client = visit.facts.client.ip.to_canonical();
    let (bannable, kind, site) = (bannable(&visit.facts, visit), what.as_str(), plain(&visit.site.id));
    let text = text.map(plain);
    let (user, path) = if what == What::Trap { (None, text) } else { (text, None) };
    tracing::warn!(target: "panelgate::failure", %client, bannable, kind = %kind, %site, user, path);
}

/// The text in characters of which neither quotes, spaces nor other fields can be made, and not much of it: others are
/// percent-encoded, byte by byte.
pub fn plain(text: &str) -> String {
    let mut plain = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-@+".contains(&byte) {
            plain.push(char::from(byte));
        } else {
            // A String takes everything.
            let _ = write!(plain, "%{byte:02X}");
        }
        if plain.len() >= LONGEST {
            break;
        }
    }
    plain
}
