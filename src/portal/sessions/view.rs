//! Sessions as people see them: device, place, address, times.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    clock::Wall,
    portal::{
        context::Cx,
        device,
        fault::Fault,
        notice::place_text,
        pages::{self, Fact},
        words::{Words, fill},
    },
    rules::{
        identity::UserId,
        session::{Session, Sid, Status, status},
    },
};

/// A session that was used this lately is in use.
const ACTIVE: Duration = Duration::from_secs(60);

/// A time: for machines, for a glance, and in full.
pub(crate) struct When {
    pub(crate) iso: String,
    pub(crate) ago: String,
    pub(crate) full: String,
}

impl When {
    /// As seen from `now`.
    pub(crate) fn new(words: &Words, at: Wall, now: Wall) -> Self {
        Self { iso: pages::iso(at), ago: ago(words, now.since(at)), full: pages::date_and_time(at) }
    }
}

/// One session.
pub(crate) struct SessionRow {
    pub(crate) id: String,
    /// Whose it is, where that is not clear.
    pub(crate) user: String,
    pub(crate) device: String,
    pub(crate) place: String,
    pub(crate) address: String,
    pub(crate) current: bool,
    pub(crate) active: bool,
    pub(crate) seen: When,
    pub(crate) opened: When,
}

impl SessionRow {
    /// `here` is the session of this browser.
    pub(crate) fn new(cx: &Cx, session: &Session, here: &Sid) -> Self {
        let seen = cx.gate().live().records.last_seen(session);
        Self {
            id: session.sid.public().to_string(),
            user: String::new(),
            device: device::shown(cx.words, &session.device),
            place: place(cx, session),
            address: session.address.to_string(),
            current: session.sid == *here,
            active: cx.now().since(seen) < ACTIVE,
            seen: When::new(cx.words, seen, cx.now()),
            opened: When::new(cx.words, session.opened, cx.now()),
        }
    }

    /// The row for the account that it belongs to.
    pub(crate) fn of(self, user: &str) -> Self {
        Self { user: user.to_owned(), ..self }
    }

    /// What a confirmation repeats.
    pub(crate) fn facts(self, words: &Words) -> Vec<Fact> {
        let devices = &words.devices;
        [
            (words.user_name, self.user),
            (devices.device, self.device),
            (devices.place, self.place),
            (devices.address, self.address),
            (devices.opened, self.opened.full),
            (devices.last_active, self.seen.full),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(label, value)| Fact { label, value })
        .collect()
    }
}

/// The city and country that a session was opened from.
pub(crate) fn place(cx: &Cx, session: &Session) -> String {
    place_text(cx.words, &cx.visit.snapshot.places.find(session.address, cx.words.lang))
}

/// The sessions of an account that can be used now, this one first, then the newest.
pub(crate) async fn living(cx: &Cx, user: &UserId, here: &Sid) -> Result<Vec<Arc<Session>>, Fault> {
    let mut sessions = cx.whole().await?.sessions_of(user);
    sessions.retain(|session| is_living(cx, session));
    sessions.sort_by_key(|session| session.sid != *here);
    Ok(sessions)
}

/// Whether a session can be used now.
pub(crate) fn is_living(cx: &Cx, session: &Session) -> bool {
    status(session, cx.gate().live().records.last_seen(session), cx.now()) == Status::Alive
}

/// A session for programs.
pub(crate) fn document(cx: &Cx, session: &Session, here: &Sid) -> Value {
    let place = cx.visit.snapshot.places.find(session.address, cx.words.lang);
    json!({
        "id": &*session.sid.public().0,
        "current": session.sid == *here,
        "site": &*session.site,
        "device": session.device,
        "address": session.address.to_string(),
        "city": place.city,
        "country": place.country,
        "country_name": place.country_name,
        "opened": session.opened.secs(),
        "seen": cx.gate().live().records.last_seen(session).secs(),
        "expires": session.expires.secs(),
    })
}

/// `just now`, `5 min ago`, `2 h ago`, `3 days ago`: rounded down, since that much has passed.
fn ago(words: &Words, passed: Duration) -> String {
    let (devices, seconds) = (&words.devices, passed.as_secs());
    let (pattern, n) = match seconds {
        0..60 => return devices.just_now.to_owned(),
        60..3600 => (devices.minutes_ago, seconds / 60),
        3600..172_800 => (devices.hours_ago, seconds / 3600),
        _ => (devices.days_ago, seconds / 86_400),
    };
    fill(pattern, &[("n", &n.to_string())])
}
