//! Where an account has signed in from before, and what a sign-in from elsewhere means. Devices and countries are looked
//! at apart: a known device in a new country is news, and so is a new device at home.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{
    identity::{Known, Standing},
    session::PublicId,
};
use crate::clock::Wall;

/// More news than this within [`FLOOD`] is told by the account's page alone: whoever has the password can sign in under
/// any number of names, and must not fill its owner's mailbox.
const MANY: usize = 5;
const FLOOD: Duration = Duration::from_secs(3600);

/// What a sign-in means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// It has been there before.
    Familiar,
    /// To be remembered, without a word: the first sign-in of all, or the first whose country is known.
    Learned(Known),
    /// To be remembered, and told.
    News(Known),
}

/// What a sign-in from this device and country means to an account that knows those in `known`. `country` is empty when
/// it is not known, which is never news.
pub fn sighting(known: &[Known], device: &str, country: &str, session: &PublicId, at: Wall) -> Sighting {
    let seen =
        |standing| Known { device: device.to_owned(), country: country.to_owned(), first: at, standing };
    if known.is_empty() {
        return Sighting::Learned(seen(Standing::Familiar));
    }
    let counting = || known.iter().filter(|one| one.standing != Standing::Disowned);
    let no_country_yet = counting().all(|one| one.country.is_empty());
    let same_device = counting().any(|one| one.device == device);
    let same_country = country.is_empty() || no_country_yet || counting().any(|one| one.country == country);
    match (same_device && same_country, no_country_yet && !country.is_empty()) {
        (false, _) => Sighting::News(seen(Standing::Asked(session.clone()))),
        (true, true) => Sighting::Learned(seen(Standing::Familiar)),
        (true, false) => Sighting::Familiar,
    }
}

/// Whether there has been so much news lately that no more letters are sent.
pub fn is_flood(known: &[Known], now: Wall) -> bool {
    let lately = |one: &&Known| one.standing != Standing::Familiar && now.since(one.first) < FLOOD;
    known.iter().filter(lately).count() >= MANY
}

/// The news that its owner has not answered yet, newest first.
pub fn unanswered(known: &[Known]) -> impl Iterator<Item = (&Known, &PublicId)> {
    known.iter().rev().filter_map(|one| match &one.standing {
        Standing::Asked(session) => Some((one, session)),
        Standing::Familiar | Standing::Disowned => None,
    })
}

/// What is remembered once the owner has said whether the sign-in of this session was theirs. One that was not is news
/// again the next time. `None` if there is no such question.
pub fn answered(known: &[Known], session: &PublicId, mine: bool) -> Option<Known> {
    let (one, _) = unanswered(known).find(|(_, asked)| *asked == session)?;
    let standing = if mine { Standing::Familiar } else { Standing::Disowned };
    Some(Known { standing, ..one.clone() })
}
