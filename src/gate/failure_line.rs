//! The log line of a failure: a contract with fail2ban's filter in `deploy/fail2ban/`, stated in docs/limits.md.
//!
//! Order and spelling of its fields never change. What an attacker chose comes last, in characters that can neither end
//! the line nor look like another field; whose failure it is was decided before.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use super::{Visit, failures::bannable};
use crate::rules::failures::What;

/// The longest text of an attacker, in bytes.
const LONGEST: usize = 200;

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
