//! `reads` and `writes`: requests of a page that need less or more than their method says.

use std::sync::Arc;

use super::{Manner, pattern::Pattern};
use crate::rules::{
    facts::Target,
    outcome::Access,
    written::{At, Findings, Written, hint},
};

/// The method that stands for a WebSocket handshake in `reads`.
pub(super) const WEBSOCKET: &str = "WEBSOCKET";

/// Methods that only look, unless a page's `writes` says otherwise (R36).
const SAFE: [&str; 3] = ["GET", "HEAD", "OPTIONS"];

/// The methods that a policy may be expected to name.
pub(super) const METHODS: [&str; 8] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", WEBSOCKET];

/// Methods of WebDAV and its like, which panels of files speak.
const OTHERS: [&str; 13] = [
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "REPORT",
    "SEARCH",
    "MKCALENDAR",
    "ACL",
    "QUERY",
    "TRACE",
];

const EXAMPLE: &str = "write a method and a path: `POST /api/users/search`, or `WEBSOCKET /live/ws`";

/// One line of a page's `reads` or `writes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Amendment {
    pub(super) method: Arc<str>,
    pub(super) pattern: Pattern,
    pub(super) needs: Access,
}

impl Amendment {
    /// Reads a line. `needs` is [`Access::Read`] for one of `reads`, [`Access::Full`] for one of `writes`.
    pub(super) fn parse(line: &Written<&str>, needs: Access, found: &mut Findings) -> Option<Self> {
        let Some((method, path)) = line.value.split_once(' ') else {
            found.error("P018", &line.at, format!("`{}` is not a method and a path", line.value), EXAMPLE);
            return None;
        };
        if method.starts_with('/') {
            found.error("P018", &line.at, format!("`{}` begins with its path", line.value), EXAMPLE);
            return None;
        }
        check_method(method, needs, &line.at, found)?;
        unusual(method, &line.at, found);
        match Pattern::parse(path.trim()) {
            Ok(pattern) => Some(Self { method: method.into(), pattern, needs }),
            Err((what, help)) => {
                found.error("P013", &line.at, format!("`{}`: {what}", path.trim()), help);
                None
            }
        }
    }

    fn covers(&self, needs: Access, method: &str, target: &Target) -> bool {
        self.needs == needs && *self.method == *method && self.pattern.covers(&target.segments)
    }
}

/// What a request needs on a page with these amendments.
///
/// A method override is a write whatever the policy says: what the panel will see is not what we see (R36). So is an
/// upgrade, unless `reads` names it as `WEBSOCKET`. A field of a handshake is as easily sent as any other, and what
/// reaches the panel may be a plain request: such a line speaks of a GET only, and never gives more than that GET has.
pub(super) fn needs(target: &Target, manner: Manner<'_>, amendments: &[Amendment]) -> Access {
    let amended = |needs, method: &str| amendments.iter().any(|line| line.covers(needs, method, target));
    // A panel answers HEAD by doing what GET does and leaving out the body.
    let written =
        amended(Access::Full, manner.method) || manner.method == "HEAD" && amended(Access::Full, "GET");
    let looks = match manner {
        Manner { method_override: true, .. } => false,
        Manner { upgrade: true, method, .. } => method == "GET" && amended(Access::Read, WEBSOCKET),
        // The word stands for a handshake in the policy; on the wire it is nobody's method.
        Manner { method: WEBSOCKET, .. } => false,
        Manner { method, .. } => SAFE.contains(&method) || amended(Access::Read, method),
    };
    if looks && !written { Access::Read } else { Access::Full }
}

/// A method that nobody sends is a line that does nothing.
pub(super) fn unusual(method: &str, at: &At, found: &mut Findings) {
    if METHODS.contains(&method) || OTHERS.contains(&method) {
        return;
    }
    let what = format!("`{method}` is not a method that browsers or usual clients send");
    let help = match method {
        "WS" | "WSS" | "SOCKET" | "UPGRADE" => "did you mean `WEBSOCKET`?".to_owned(),
        _ => hint(method, &METHODS),
    };
    found.warning("P034", at, what, help);
}

fn check_method(method: &str, needs: Access, at: &At, found: &mut Findings) -> Option<()> {
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
        let help = hint(&method.to_ascii_uppercase(), &METHODS);
        found.error("P018", at, format!("`{method}` is not a method"), help);
        return None;
    }
    let what = match (needs, SAFE.contains(&method)) {
        (Access::Full, false) => format!("`{method}` needs `full` anyway"),
        (Access::Read, true) => format!("`{method}` needs no more than `read` anyway"),
        (Access::None | Access::Read | Access::Full, _) => return Some(()),
    };
    let help = if needs == Access::Read {
        "remove the line; for a WebSocket write `WEBSOCKET` and the path"
    } else {
        "remove the line"
    };
    found.error("P020", at, what, help);
    None
}
