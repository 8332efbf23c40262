//! API keys.

use super::catalogue;

catalogue! {
    /// API keys.
    Words {}
    tab_keys
}

pub(super) const EN: Words = Words { tab_keys: "API keys" };

pub(super) const DE: Words = Words { tab_keys: "API-Schlüssel" };
