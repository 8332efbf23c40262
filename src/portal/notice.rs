//! A sign-in from somewhere new, in words: a letter for people, a document for programs. Sending is up to `app`.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{
    device, pages,
    words::{self, Words, fill},
};
use crate::{
    clock::Wall,
    rules::{
        identity::UserName,
        place::{Place, Places},
        session::{PublicId, SiteId},
    },
};

/// A sign-in from a device or a country that the account has not been signed in from before.
#[derive(Clone)]
pub struct NewSignIn {
    /// At which site.
    pub site: SiteId,
    /// What people call it.
    pub title: String,
    /// Whose account.
    pub user: UserName,
    /// Where letters for the account go; may be empty, and may be anything that an issuer says.
    pub email: String,
    /// The session that was opened.
    pub session: PublicId,
    /// Browser and system.
    pub device: String,
    /// The client.
    pub address: IpAddr,
    /// Knows where the address is.
    pub places: Places,
    /// When.
    pub at: Wall,
    /// The page that ends the session, and needs no sign-in.
    pub revoke: String,
    /// The page of the account's sessions.
    pub sessions: String,
}

/// A letter in plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// Lines that end with `\n`.
    pub text: String,
}

impl NewSignIn {
    /// For people, in `language` (`en`, `de`).
    pub fn letter(&self, language: &str) -> Letter {
        let words = words::by_language(language);
        let place = self.places.find(self.address, words.lang);
        let (device, time) = (device::shown(words, &self.device), pages::date_and_time(self.at));
        let (place, address) = (place_text(words, &place), self.address.to_string());
        let values = [
            ("title", &*self.title),
            ("user", self.user.as_str()),
            ("device", &*device),
            ("place", &*place),
            ("address", &*address),
            ("time", &*time),
            ("revoke", &*self.revoke),
            ("sessions", &*self.sessions),
        ];
        let values = values.map(|(name, value)| (name, one_line(value)));
        let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let devices = &words.devices;
        Letter { subject: fill(devices.letter_subject, &values), text: fill(devices.letter_text, &values) }
    }

    /// For programs. `id` is the same however often it is sent.
    pub fn document(&self) -> Value {
        let place = self.places.find(self.address, "en");
        json!({
            "event": "new-sign-in",
            "id": format!("{}-{}", self.session, self.at.millis()),
            "at": self.at.secs(),
            "site": &*self.site,
            "user": self.user.as_str(),
            "session": &*self.session.0,
            "device": self.device,
            "address": self.address.to_string(),
            "city": place.city,
            "country": place.country,
            "country_name": place.country_name,
            "sessions_url": self.sessions,
        })
    }
}

/// `Linköping, Sweden`, or that it is not known.
pub(crate) fn place_text(words: &Words, place: &Place) -> String {
    match (place.city.as_str(), place.country_name.as_str()) {
        ("", "") => place.short().unwrap_or_else(|| words.devices.unknown_place.to_owned()),
        ("", country) => country.to_owned(),
        (city, "") => city.to_owned(),
        (city, country) => format!("{city}, {country}"),
    }
}

/// Nothing that goes into a letter may begin a line of its own.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .collect()
}
