//! The mark of a session's state in the panel's pages, for the edge: markup that needs neither script nor style, since
//! the page's own content security policy may forbid both. What `bgcolor` and `<font>` say is no style to it.

use askama::Template;
use http::HeaderMap;

use super::END;
use crate::{
    clock::Wall,
    gate::Visit,
    portal::{
        pages,
        redirect::portal_page,
        words::{self, fill},
    },
    rules::outcome::{Bearer, Grant},
};

/// What is put into a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The markup, in ASCII.
    pub html: String,
    /// Whether it stands there until the script has taken its place, or only where no script will.
    pub always: bool,
}

#[derive(Template)]
#[template(path = "portal/pages/mark.html")]
struct Page<'a> {
    acting: bool,
    text: &'a str,
    label: &'a str,
    href: &'a str,
    ground: &'static str,
    ink: &'static str,
}

/// What a protected page says about itself.
enum State {
    /// It is open until then.
    Until(Wall),
    /// A second factor opens it.
    ReadOnly,
}

/// The mark of a page that was let through: of an impersonation always, of a protected page where its policy wants it.
pub fn mark(headers: &HeaderMap, visit: &Visit, grant: &Grant) -> Option<Mark> {
    let bearer = grant.bearer()?;
    if bearer.actor.is_none() {
        // First, as most pages have none, and the words are looked for in vain.
        let state = page_state(visit, grant, bearer)?;
        return of_page(&state, words::choose(headers), visit);
    }
    let words = words::choose(headers);
    let text = fill(words.acting.bar_acting, &[("name", bearer.user.name.as_str())]);
    let href = portal_page(&visit.site, END, &visit.facts.return_url());
    let page = Page {
        acting: true,
        text: &text,
        label: words.acting.end,
        href: &href,
        ground: "#ff8a1f",
        ink: "#000000",
    };
    render(&page, true)
}

fn of_page(state: &State, words: &words::Words, visit: &Visit) -> Option<Mark> {
    let (text, label) = match state {
        State::Until(until) => (fill(words.acting.bar_until, &[("time", &pages::clock(*until))]), ""),
        State::ReadOnly => (words.bar_read_only.to_owned(), words.bar_verify),
    };
    let href = portal_page(&visit.site, "step-up", &visit.facts.return_url());
    let page = Page { acting: false, text: &text, label, href: &href, ground: "#22272e", ink: "#ffffff" };
    render(&page, false)
}

fn page_state(visit: &Visit, grant: &Grant, bearer: &Bearer) -> Option<State> {
    let policy = &visit.site.policy;
    let page = policy.page_for(&visit.facts.target).filter(|page| page.bar)?;
    let levels = policy.levels(Some(page), &bearer.role);
    if levels.unelevated == levels.elevated {
        return None;
    }
    match bearer.elevated_until {
        Some(until) => Some(State::Until(until)),
        None if grant.access() < levels.elevated && bearer.user.totp.is_some() => Some(State::ReadOnly),
        None => None,
    }
}

fn render(page: &Page<'_>, always: bool) -> Option<Mark> {
    let html = page.render().ok()?;
    Some(Mark { html: ascii(html.trim_end()), always })
}

/// Letters that the page's encoding may not have, as references.
fn ascii(html: &str) -> String {
    html.chars()
        .map(
            |letter| if letter.is_ascii() { letter.to_string() } else { format!("&#{};", u32::from(letter)) },
        )
        .collect()
}
