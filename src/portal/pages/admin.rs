//! Tables of accounts and sessions.

use askama::Template;

use super::{AccountFrame, Fact, Frame};
use crate::portal::{
    sessions::{SessionRow, When},
    words::fill,
};

/// The way through a long list.
pub(crate) struct Pager {
    pub(crate) page: usize,
    pub(crate) pages: usize,
    pub(crate) total: usize,
    pub(crate) earlier: Option<String>,
    pub(crate) later: Option<String>,
}

impl Pager {
    pub(crate) fn total_text(&self, frame: &Frame) -> String {
        fill(frame.words.admin.total, &[("n", &self.total.to_string())])
    }
}

/// One account in a table.
pub(crate) struct UserRow {
    pub(crate) name: String,
    pub(crate) display: String,
    pub(crate) role: String,
    pub(crate) second_factor: bool,
    pub(crate) disabled: bool,
    pub(crate) sessions: usize,
    /// The list of them.
    pub(crate) sessions_href: String,
    pub(crate) last: Option<When>,
}

/// All accounts.
#[derive(Template)]
#[template(path = "portal/pages/admin_users.html")]
pub(crate) struct AdminUsers {
    pub(crate) frame: Frame,
    pub(crate) me: AccountFrame,
    pub(crate) filter: String,
    pub(crate) users: Vec<UserRow>,
    pub(crate) pager: Pager,
}

/// One account.
#[derive(Template)]
#[template(path = "portal/pages/admin_user.html")]
pub(crate) struct AdminUser {
    pub(crate) frame: Frame,
    pub(crate) me: AccountFrame,
    pub(crate) done: Option<&'static str>,
    pub(crate) user: UserRow,
    pub(crate) facts: Vec<Fact>,
    /// What can be done, as in the address, and the button.
    pub(crate) acts: Vec<(&'static str, &'static str)>,
    /// Whether it is the administrator's own.
    pub(crate) own: bool,
}

/// All sessions.
#[derive(Template)]
#[template(path = "portal/pages/admin_sessions.html")]
pub(crate) struct AdminSessions {
    pub(crate) frame: Frame,
    pub(crate) me: AccountFrame,
    pub(crate) done: Option<&'static str>,
    pub(crate) filter: String,
    /// Where the list is.
    pub(crate) list: &'static str,
    pub(crate) sessions: Vec<SessionRow>,
    pub(crate) pager: Pager,
}
