//! The pages of administrators.

use super::catalogue;

catalogue! {
    /// The pages of administrators.
    Words {}
    tab_users tab_all_sessions not_yours_title not_yours factor_first elevation_first
}

pub(super) const EN: Words = Words {
    tab_users: "Users",
    tab_all_sessions: "All sessions",
    not_yours_title: "Not for your role",
    not_yours: "Only {roles} can use this page.",
    factor_first: "To administer, set up your own second factor first.",
    elevation_first: "Verify it is you, then do it again.",
};

pub(super) const DE: Words = Words {
    tab_users: "Benutzer",
    tab_all_sessions: "Alle Sitzungen",
    not_yours_title: "Nicht für Ihre Rolle",
    not_yours: "Diese Seite ist nur für {roles}.",
    factor_first: "Richten Sie zuerst Ihren eigenen zweiten Faktor ein, um zu verwalten.",
    elevation_first: "Bestätigen Sie, dass Sie es sind, und versuchen Sie es dann noch einmal.",
};
