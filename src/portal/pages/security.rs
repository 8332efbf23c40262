//! The account's own security: overview, second factor, password.

use askama::Template;

use super::{AccountFrame, Action, Frame, When};
use crate::portal::words::fill;

/// What protects the account.
#[derive(Template)]
#[template(path = "portal/pages/security.html")]
pub(crate) struct Security {
    pub(crate) frame: Frame,
    pub(crate) me: AccountFrame,
    /// What was just done.
    pub(crate) done: Option<&'static str>,
    pub(crate) enrolled: bool,
    /// Whether the role may not do without.
    pub(crate) needed: bool,
    pub(crate) codes: CodesLeft,
    pub(crate) password: PasswordState,
}

/// The backup codes, as a sentence.
pub(crate) struct CodesLeft {
    pub(crate) text: String,
    pub(crate) few: bool,
}

/// Where the password is, and since when.
pub(crate) enum PasswordState {
    Changed(When),
    Never(When),
    Elsewhere(String),
}

/// Asks for a proof before something is done: a password, a code, or nothing but the wish.
#[derive(Template)]
#[template(path = "portal/pages/prove.html")]
pub(crate) struct Prove {
    pub(crate) frame: Frame,
    pub(crate) title: &'static str,
    /// Whether this is the way into a set-up, whose steps are shown.
    pub(crate) set_up: bool,
    pub(crate) texts: Vec<&'static str>,
    pub(crate) warning: Option<&'static str>,
    pub(crate) error: Option<String>,
    pub(crate) action: &'static str,
    pub(crate) form: String,
    pub(crate) rd: String,
    pub(crate) name: String,
    pub(crate) ask: Ask,
    pub(crate) submit: &'static str,
    pub(crate) danger: bool,
    pub(crate) others: Vec<Action>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Password,
    Code,
    Backup,
    Nothing,
}

/// The picture and the field for the first code.
#[derive(Template)]
#[template(path = "portal/pages/scan.html")]
pub(crate) struct Scan {
    pub(crate) frame: Frame,
    pub(crate) title: &'static str,
    pub(crate) error: Option<String>,
    pub(crate) form: String,
    pub(crate) rd: String,
    /// Ours, without anything that was sent.
    pub(crate) picture: String,
    pub(crate) key: String,
    pub(crate) key_hint: String,
    pub(crate) url: String,
    pub(crate) good_for: String,
    pub(crate) leave: Action,
}

/// The backup codes, this once.
#[derive(Template)]
#[template(path = "portal/pages/backup_codes.html")]
pub(crate) struct BackupCodes {
    pub(crate) frame: Frame,
    pub(crate) set_up: bool,
    pub(crate) codes: Vec<String>,
    pub(crate) form: String,
    pub(crate) file_head: String,
    pub(crate) onward: String,
}

/// The password, once more and anew.
#[derive(Template)]
#[template(path = "portal/pages/password.html")]
pub(crate) struct Password {
    pub(crate) frame: Frame,
    pub(crate) me: AccountFrame,
    pub(crate) form: String,
    pub(crate) name: String,
    pub(crate) shortest: usize,
    pub(crate) wrong: Option<String>,
    pub(crate) refused: Option<String>,
    pub(crate) fault: Option<String>,
}

impl Password {
    fn hint(&self) -> String {
        fill(self.frame.words.account.new_password_hint, &[("n", &self.shortest.to_string())])
    }
}
