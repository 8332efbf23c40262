//! View models of the pages.

use askama::Template;

use super::flow::{Draft, Mistake, Mistakes, Offer};
use crate::{
    clock::Wall,
    portal::{
        pages::{AccountFrame, Frame, page_title},
        sessions::When,
        words::{Words, fill},
    },
    rules::{api_key::ApiKey, outcome::Access},
    store::MOST_KEYS,
};

/// All keys.
#[derive(Template)]
#[template(path = "portal/pages/keys.html")]
pub(super) struct List {
    pub(super) frame: Frame,
    pub(super) me: AccountFrame,
    pub(super) keys: Vec<Line>,
    pub(super) empty: String,
    /// Keys can be made and deleted: there is something to open, and nobody is being impersonated.
    pub(super) may: bool,
    pub(super) deleted: bool,
}

/// One key, told.
pub(super) struct Line {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) scopes: Vec<String>,
    pub(super) created: When,
    pub(super) expires: Option<When>,
    pub(super) expired: bool,
    pub(super) used: Option<(When, String)>,
    /// The site, where it is another one.
    pub(super) elsewhere: Option<String>,
}

impl Line {
    pub(super) fn new(words: &Words, key: &ApiKey, here: &str, now: Wall) -> Self {
        let when = |at| When::new(words, at, now);
        Self {
            id: key.id.public().to_string(),
            name: key.name.clone(),
            scopes: key.scopes.iter().map(ToString::to_string).collect(),
            created: when(key.created),
            expires: key.expires.map(when),
            expired: key.has_expired(now),
            used: key.used.map(|used| (when(used.at), used.address.to_string())),
            elsewhere: (*key.site != *here).then(|| key.site.to_string()),
        }
    }
}

/// The form.
#[derive(Template)]
#[template(path = "portal/pages/keys_new.html")]
pub(super) struct New {
    pub(super) frame: Frame,
    pub(super) me: AccountFrame,
    pub(super) form: String,
    pub(super) name: String,
    pub(super) choices: Vec<Choice>,
    pub(super) expiry: &'static str,
    pub(super) date: String,
    /// Some choices need the second factor, which has not been proved.
    pub(super) verify: bool,
    pub(super) error: Option<String>,
    pub(super) name_error: Option<&'static str>,
    pub(super) scopes_error: Option<&'static str>,
    pub(super) expiry_error: Option<&'static str>,
}

/// A scope to be ticked.
pub(super) struct Choice {
    pub(super) field: String,
    pub(super) scope: String,
    pub(super) opens: String,
    pub(super) beyond: bool,
    pub(super) ticked: bool,
}

/// What stands around the form.
pub(super) struct Around {
    pub(super) frame: Frame,
    pub(super) me: AccountFrame,
    pub(super) form: String,
    pub(super) elevated: bool,
}

impl New {
    /// The form as it was filled in, with what is wrong with it.
    pub(super) fn of(around: Around, draft: Draft, offers: &[Offer], mistakes: Mistakes) -> Self {
        let words = around.frame.words;
        let told = |mistake: Option<Mistake>| mistake.map(|mistake| say(words, mistake));
        let choice = |offer: &Offer| Choice {
            field: field(&offer.scope),
            scope: offer.scope.to_string(),
            opens: opens(words, offer),
            beyond: offer.beyond && !around.elevated,
            ticked: draft.scopes.iter().any(|scope| **scope == *offer.scope),
        };
        let choices: Vec<Choice> = offers.iter().map(choice).collect();
        Self {
            verify: choices.iter().any(|choice| choice.beyond),
            choices,
            expiry: draft.expiry.choice(),
            date: draft.expiry.date().to_owned(),
            name: draft.name,
            error: None,
            name_error: told(mistakes.name),
            scopes_error: told(mistakes.scopes),
            expiry_error: told(mistakes.expiry),
            frame: around.frame,
            me: around.me,
            form: around.form,
        }
    }
}

/// The one time that a key is shown.
#[derive(Template)]
#[template(path = "portal/pages/keys_made.html")]
pub(super) struct Made {
    pub(super) frame: Frame,
    pub(super) me: AccountFrame,
    pub(super) text: String,
    pub(super) line: Line,
}

/// Whether to delete.
#[derive(Template)]
#[template(path = "portal/pages/keys_delete.html")]
pub(super) struct Delete {
    pub(super) frame: Frame,
    pub(super) me: AccountFrame,
    pub(super) form: String,
    pub(super) line: Line,
    pub(super) error: Option<String>,
}

/// The name of the field that ticks a scope.
pub(super) fn field(scope: &str) -> String {
    format!("scope.{scope}")
}

/// A mistake in words.
pub(super) fn say(words: &Words, mistake: Mistake) -> &'static str {
    match mistake {
        Mistake::NoName => words.keys.no_name,
        Mistake::LongName => words.keys.long_name,
        Mistake::OddName => words.keys.odd_name,
        Mistake::TakenName => words.keys.taken_name,
        Mistake::NoScope => words.keys.no_scope,
        Mistake::ForeignScope => words.keys.foreign_scope,
        Mistake::NoDate => words.keys.no_date,
        Mistake::DatePast => words.keys.date_past,
    }
}

/// There can be no more.
pub(super) fn too_many(words: &Words) -> String {
    fill(words.keys.too_many, &[("most", &MOST_KEYS.to_string())])
}

/// What a scope opens: `look at Domains · change Domains`.
fn opens(words: &Words, offer: &Offer) -> String {
    let told = offer.opens.iter().map(|(page, access)| {
        let pattern = if *access == Access::Full { words.keys.opens_change } else { words.keys.opens_look };
        fill(pattern, &[("page", &page_title(page))])
    });
    told.collect::<Vec<_>>().join(" · ")
}
