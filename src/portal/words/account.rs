//! The frame of the account pages, the second factor and the password.

use super::catalogue;

catalogue! {
    /// The frame of the account pages, the second factor and the password.
    Words {}
    tab_security sections acting_title acting_refused
}

pub(super) const EN: Words = Words {
    tab_security: "Security",
    sections: "Sections",
    acting_title: "Not while impersonating",
    acting_refused: "You are impersonating somebody. End the impersonation, then try again.",
};

pub(super) const DE: Words = Words {
    tab_security: "Sicherheit",
    sections: "Bereiche",
    acting_title: "Nicht während einer Vertretung",
    acting_refused: "Sie vertreten gerade jemanden. Beenden Sie die Vertretung und versuchen Sie es dann noch einmal.",
};
