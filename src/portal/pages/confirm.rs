//! What cannot be undone is asked about first, with the facts repeated.

use askama::Template;

use super::{AccountFrame, Frame, Tab};
use crate::{
    gate::SignedIn,
    portal::{
        context::Cx,
        csrf::{self, Binding},
        sessions::SessionRow,
    },
};

/// A name and a value.
pub(crate) struct Fact {
    pub(crate) label: &'static str,
    pub(crate) value: String,
}

/// One question, with the facts and the effect.
#[derive(Template)]
#[template(path = "portal/pages/confirm.html")]
pub(crate) struct Confirm {
    pub(crate) frame: Frame,
    pub(crate) me: AccountFrame,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) facts: Vec<Fact>,
    pub(crate) sessions: Vec<SessionRow>,
    pub(crate) effects: Vec<String>,
    pub(crate) warning: Option<String>,
    pub(crate) error: Option<String>,
    /// Where the form goes; empty where there is nothing to do.
    pub(crate) action: String,
    pub(crate) form: String,
    pub(crate) button: &'static str,
    pub(crate) danger: bool,
    /// Values of the field `choice`, if one has to be chosen.
    pub(crate) choices: Vec<String>,
    pub(crate) choice_label: &'static str,
    pub(crate) back: String,
    pub(crate) leave: &'static str,
}

impl Confirm {
    /// An empty question, with a form of this session and the way out.
    pub(crate) fn new(cx: &Cx, member: &SignedIn, tab: Tab, back: &str, leave: &'static str) -> Self {
        Self {
            frame: cx.frame(),
            // One question at a time.
            me: AccountFrame { news: Vec::new(), ..AccountFrame::new(cx, member, tab) },
            title: String::new(),
            text: String::new(),
            facts: Vec::new(),
            sessions: Vec::new(),
            effects: Vec::new(),
            warning: None,
            error: None,
            action: String::new(),
            form: csrf::token(cx, Binding::Session(&member.sid)),
            button: "",
            danger: true,
            choices: Vec::new(),
            choice_label: "",
            back: back.to_owned(),
            leave,
        }
    }
}

/// The sessions of an account.
#[derive(Template)]
#[template(path = "portal/pages/sessions.html")]
pub(crate) struct SignedInAt {
    pub(crate) frame: Frame,
    pub(crate) me: AccountFrame,
    pub(crate) done: Option<&'static str>,
    /// Where the list is.
    pub(crate) list: &'static str,
    pub(crate) sessions: Vec<SessionRow>,
}

/// The link of a letter: whether to end that one session.
#[derive(Template)]
#[template(path = "portal/pages/not_me.html")]
pub(crate) struct NotMe {
    pub(crate) frame: Frame,
    pub(crate) text: String,
    pub(crate) facts: Vec<Fact>,
    pub(crate) form: String,
    pub(crate) link: String,
    pub(crate) error: Option<&'static str>,
}
