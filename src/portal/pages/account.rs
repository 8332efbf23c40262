//! What surrounds the pages of accounts and administrators.

use crate::{
    gate::SignedIn,
    portal::{context::Cx, words::Words},
};

/// The top bar and the tabs. A template that extends `account_layout.html` has `frame: Frame` and `me: AccountFrame`.
pub(crate) struct AccountFrame {
    pub(crate) name: String,
    pub(crate) tabs: Vec<TabLink>,
}

/// One section.
pub(crate) struct TabLink {
    pub(crate) label: &'static str,
    pub(crate) href: &'static str,
    pub(crate) current: bool,
}

/// The sections there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tab {
    Security,
    Sessions,
    Keys,
    Users,
    AllSessions,
    Impersonate,
    HighSecurity,
}

impl Tab {
    /// Those that are wired into the router.
    const OWN: [Self; 0] = [];
    const ADMINISTRATORS: [Self; 0] = [];
    const ROOT: [Self; 0] = [];

    fn link(self, words: &Words, current: Self) -> TabLink {
        let (label, href) = match self {
            Self::Security => (words.account.tab_security, "/_gate/account/security"),
            Self::Sessions => (words.devices.tab_sessions, "/_gate/account/sessions"),
            Self::Keys => (words.keys.tab_keys, "/_gate/account/keys"),
            Self::Users => (words.admin.tab_users, "/_gate/admin/users"),
            Self::AllSessions => (words.admin.tab_all_sessions, "/_gate/admin/sessions"),
            Self::Impersonate => (words.acting.tab_impersonate, "/_gate/admin/impersonate"),
            Self::HighSecurity => (words.acting.tab_high_security, "/_gate/admin/high-security"),
        };
        TabLink { label, href, current: self == current }
    }
}

impl AccountFrame {
    /// For a page of this section.
    pub(crate) fn new(cx: &Cx, member: &SignedIn, current: Tab) -> Self {
        let policy = &cx.site().policy;
        let administers =
            policy.administers(&member.role).then_some(Tab::ADMINISTRATORS).into_iter().flatten();
        let root = policy.is_first(&member.role).then_some(Tab::ROOT).into_iter().flatten();
        let tabs = Tab::OWN.into_iter().chain(administers).chain(root);
        Self {
            name: member.user.name.to_string(),
            tabs: tabs.map(|tab| tab.link(cx.words, current)).collect(),
        }
    }
}
