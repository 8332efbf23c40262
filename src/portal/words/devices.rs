//! Sessions and devices.

use super::catalogue;

catalogue! {
    /// Sessions and devices.
    Words {}
    tab_sessions
}

pub(super) const EN: Words = Words { tab_sessions: "Sessions" };

pub(super) const DE: Words = Words { tab_sessions: "Sitzungen" };
