//! What a key may be given, and whether what was asked for can be one: values in, values out.

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use jiff::{civil::Date, tz::TimeZone};

use crate::{
    clock::Wall,
    portal::body::is_plain_line,
    rules::{api_key::Scope, identity::Role, outcome::Access, policy::RuleSet},
};

/// The longest name, in characters.
pub(super) const LONGEST_NAME: usize = 64;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A scope that an account can give to a key of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// As the policy spells it.
    pub(super) scope: Scope,
    /// The pages that it opens to this account, and what a key can do there: look, or change.
    pub(super) opens: Vec<(Arc<str>, Access)>,
    /// It opens more than the account has before its second factor, so that making such a key needs one.
    pub(super) beyond: bool,
}

/// The scopes that open something to a role. What needs the second factor needs it for a key as well while High Security
/// Mode is off: the key outlives that.
pub(super) fn offers(policy: &RuleSet, role: &Role) -> Vec<Offer> {
    let offer = |scope| offer(policy, role, scope);
    policy.scopes().into_iter().map(offer).filter(|offer| !offer.opens.is_empty()).collect()
}

fn offer(policy: &RuleSet, role: &Role, scope: Scope) -> Offer {
    let mut found = Offer { scope, opens: Vec::new(), beyond: false };
    for page in policy.pages() {
        let levels = policy.levels(Some(page), role);
        for (named, access) in [(&page.scope_read, Access::Read), (&page.scope_write, Access::Full)] {
            if named.as_ref() == Some(&found.scope) && levels.elevated >= access {
                found.opens.push((Arc::clone(&page.name), access));
                found.beyond |= access > levels.unelevated;
            }
        }
    }
    found
}

/// When a key should stop working, as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Expiry {
    /// Not by itself.
    Never,
    /// After 30 days.
    #[default]
    Month,
    /// After 60 days.
    TwoMonths,
    /// After 90 days.
    ThreeMonths,
    /// At the end of this day in UTC, as a date field sends it.
    On(String),
    /// At this time.
    At(Wall),
}

impl Expiry {
    /// The value of the form's field.
    pub(super) fn parse(choice: &str, date: &str) -> Option<Self> {
        Some(match choice {
            "never" => Self::Never,
            "30" => Self::Month,
            "60" => Self::TwoMonths,
            "90" => Self::ThreeMonths,
            "date" => Self::On(date.trim().to_owned()),
            _ => return None,
        })
    }

    /// [`Expiry::parse`], back; a time has no choice of its own.
    pub(super) fn choice(&self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Month => "30",
            Self::TwoMonths => "60",
            Self::ThreeMonths => "90",
            Self::On(_) | Self::At(_) => "date",
        }
    }

    /// The text of the date field.
    pub(super) fn date(&self) -> &str {
        if let Self::On(date) = self { date } else { "" }
    }

    fn wall(&self, now: Wall) -> Result<Option<Wall>, Mistake> {
        let end = match self {
            Self::Never => return Ok(None),
            Self::Month => now.plus(DAY * 30),
            Self::TwoMonths => now.plus(DAY * 60),
            Self::ThreeMonths => now.plus(DAY * 90),
            Self::On(date) => end_of(date).ok_or(Mistake::NoDate)?,
            Self::At(end) => *end,
        };
        if end > now { Ok(Some(end)) } else { Err(Mistake::DatePast) }
    }
}

/// What somebody wants a key to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) scopes: Vec<String>,
    pub(super) expiry: Expiry,
}

/// A draft that can become a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) scopes: Vec<Scope>,
    pub(super) expires: Option<Wall>,
    /// Making it needs the second factor.
    pub(super) beyond: bool,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    NoName,
    LongName,
    OddName,
    TakenName,
    NoScope,
    /// One that the policy does not name, or that opens nothing to this role.
    ForeignScope,
    NoDate,
    DatePast,
}

impl Mistake {
    /// The stable code.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::NoName => "name-missing",
            Self::LongName => "name-too-long",
            Self::OddName => "name-unprintable",
            Self::TakenName => "name-taken",
            Self::NoScope => "scope-missing",
            Self::ForeignScope => "scope-not-yours",
            Self::NoDate => "expiry-missing",
            Self::DatePast => "expiry-past",
        }
    }
}

/// What is wrong with a draft, by field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mistakes {
    pub(super) name: Option<Mistake>,
    pub(super) scopes: Option<Mistake>,
    pub(super) expiry: Option<Mistake>,
}

impl Mistakes {
    /// The first of them, in the order of the form.
    pub(super) fn first(self) -> Option<Mistake> {
        self.name.or(self.scopes).or(self.expiry)
    }
}

/// Checks a draft against what the account can give and the names that it uses already. A name of its own for each key
/// also keeps a form that is sent twice from making two.
pub(super) fn plan(draft: &Draft, offers: &[Offer], taken: &[String], now: Wall) -> Result<Plan, Mistakes> {
    let name = name(&draft.name, taken);
    let scopes = scopes(&draft.scopes, offers);
    let expires = draft.expiry.wall(now);
    match (name, scopes, expires) {
        (Ok(name), Ok((scopes, beyond)), Ok(expires)) => Ok(Plan { name, scopes, expires, beyond }),
        (name, scopes, expires) => {
            Err(Mistakes { name: name.err(), scopes: scopes.err(), expiry: expires.err() })
        }
    }
}

fn name(text: &str, taken: &[String]) -> Result<String, Mistake> {
    let name = text.trim();
    match () {
        () if name.is_empty() => Err(Mistake::NoName),
        () if name.chars().count() > LONGEST_NAME => Err(Mistake::LongName),
        () if !is_plain_line(name) => Err(Mistake::OddName),
        () if taken.iter().any(|other| other == name) => Err(Mistake::TakenName),
        () => Ok(name.to_owned()),
    }
}

fn scopes(wanted: &[String], offers: &[Offer]) -> Result<(Vec<Scope>, bool), Mistake> {
    if wanted.is_empty() {
        return Err(Mistake::NoScope);
    }
    let offered = |scope: &String| offers.iter().any(|offer| *offer.scope == **scope);
    if !wanted.iter().all(offered) {
        return Err(Mistake::ForeignScope);
    }
    let chosen = || offers.iter().filter(|offer| wanted.iter().any(|scope| **scope == *offer.scope));
    Ok((chosen().map(|offer| Arc::clone(&offer.scope)).collect(), chosen().any(|offer| offer.beyond)))
}

/// The end of a day in UTC.
fn end_of(date: &str) -> Option<Wall> {
    let day: Date = date.parse().ok()?;
    let next = day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
    u64::try_from(next.timestamp().as_second()).ok().map(Wall::from_secs)
}
