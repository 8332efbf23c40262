//! Impersonation, High Security Mode, and the bar in the pages of the panel.

use super::catalogue;

catalogue! {
    /// Impersonation, High Security Mode, and the bar in the pages of the panel.
    Words {}
    tab_impersonate tab_high_security
}

pub(super) const EN: Words = Words { tab_impersonate: "Impersonate", tab_high_security: "High Security" };

pub(super) const DE: Words = Words { tab_impersonate: "Vertreten", tab_high_security: "Hohe Sicherheit" };
