//! What surrounds the pages of accounts and administrators.

use crate::{
    gate::SignedIn,
    portal::{
        context::Cx,
        csrf::{self, Binding},
        device,
        sessions::{When, place},
        words::{Words, fill},
    },
    rules::{identity::Known, known, session::PublicId},
};

/// So much news at once; more comes up when that is answered.
const NEWS: usize = 3;

/// The top bar and the tabs. A template that extends `account_layout.html` has `frame: Frame` and `me: AccountFrame`.
pub(crate) struct AccountFrame {
    pub(crate) name: String,
    pub(crate) tabs: Vec<TabLink>,
    /// Sign-ins from somewhere new that nobody has answered for.
    pub(crate) news: Vec<NewsItem>,
    /// The token of the forms that answer.
    pub(crate) form: String,
}

/// A sign-in from somewhere new.
pub(crate) struct NewsItem {
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) at: When,
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
    Overview,
    Users,
    AllSessions,
    Impersonate,
    Failures,
    Bans,
    Audit,
    HighSecurity,
    Decisions,
    Policy,
}

impl Tab {
    /// Those that are wired into the router.
    const OWN: [Self; 3] = [Self::Security, Self::Sessions, Self::Keys];
    const ADMINISTRATORS: [Self; 9] = [
        Self::Overview,
        Self::Users,
        Self::AllSessions,
        Self::Decisions,
        Self::Policy,
        Self::Impersonate,
        Self::Failures,
        Self::Bans,
        Self::Audit,
    ];
    const ROOT: [Self; 1] = [Self::HighSecurity];

    fn link(self, words: &Words, current: Self) -> TabLink {
        let (label, href) = match self {
            Self::Security => (words.account.tab_security, "/_gate/account/security"),
            Self::Sessions => (words.devices.tab_sessions, "/_gate/account/sessions"),
            Self::Keys => (words.keys.tab_keys, "/_gate/account/keys"),
            Self::Overview => (words.overview.tab, "/_gate/admin/overview"),
            Self::Decisions => (words.overview.tab_decisions, "/_gate/admin/decisions"),
            Self::Policy => (words.policy.tab, "/_gate/admin/policy"),
            Self::Users => (words.admin.tab_users, "/_gate/admin/users"),
            Self::AllSessions => (words.admin.tab_all_sessions, "/_gate/admin/sessions"),
            Self::Impersonate => (words.acting.tab_impersonate, "/_gate/admin/impersonate"),
            Self::Failures => (words.failures.tab, "/_gate/admin/failures"),
            Self::Bans => (words.bans.tab, "/_gate/admin/bans"),
            Self::Audit => (words.audit.tab, "/_gate/admin/audit"),
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
            news: known::unanswered(&member.user.known)
                .take(NEWS)
                .map(|(one, id)| NewsItem::new(cx, one, id))
                .collect(),
            form: csrf::token(cx, Binding::Session(&member.sid)),
        }
    }
}

impl NewsItem {
    fn new(cx: &Cx, known: &Known, id: &PublicId) -> Self {
        // The record of the session knows the city; what is remembered is the country.
        let session = cx.gate().live().records.whole().and_then(|whole| whole.session_by_public(id));
        let place = session.map_or_else(|| known.country.clone(), |session| place(cx, &session));
        let place = if place.is_empty() { cx.words.devices.unknown_place.to_owned() } else { place };
        let device = device::shown(cx.words, &known.device);
        Self {
            id: id.to_string(),
            text: fill(cx.words.devices.news_text, &[("device", &device), ("place", &place)]),
            at: When::new(cx.words, known.first, cx.now()),
        }
    }
}
