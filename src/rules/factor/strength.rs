//! How good a new password is: one verdict for the meter and for the change itself.
//!
//! zxcvbn estimates the guesses that an attacker needs who knows common passwords, words, names, dates and patterns.
//! (It looks up the year once, to know recent ones; that is all that is not in the arguments.)

mod likeness;

use zxcvbn::{
    Entropy, Score,
    feedback::{Feedback, Warning},
    matching::patterns::MatchPattern,
    zxcvbn,
};

use self::likeness::{is_mostly, mentions};
use super::password::LONGEST;
use crate::{
    rules::identity::{Role, User},
    secret::SecretText,
};

/// What a site asks of new passwords.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// In characters.
    pub min_length: usize,
    /// For some roles, instead of [`Rules::min_length`].
    pub min_length_by_role: Vec<(Role, usize)>,
    /// The lowest grade that is taken.
    pub min_strength: Strength,
}

/// Twelve characters, and strength that withstands guessing against a bcrypt hash for a while.
impl Default for Rules {
    fn default() -> Self {
        Self { min_length: 12, min_length_by_role: Vec::new(), min_strength: Strength::Medium }
    }
}

impl Rules {
    /// The least number of characters for a role.
    pub fn shortest(&self, role: &Role) -> usize {
        let own = self.min_length_by_role.iter().find(|(name, _)| name == role);
        own.map_or(self.min_length, |(_, length)| *length)
    }
}

/// The grades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Fewer than 10⁸ guesses.
    Weak,
    /// Fewer than 10¹⁰.
    Medium,
    /// More.
    Strong,
}

impl Strength {
    /// The word for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Weak => "weak",
            Self::Medium => "medium",
            Self::Strong => "strong",
        }
    }
}

/// What is to be said about a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// There is none.
    Empty,
    /// It has fewer characters than this.
    TooShort(usize),
    /// bcrypt looks at 72 bytes and no more.
    TooLong,
    /// bcrypt stops at a NUL character.
    Nul,
    /// It is one of those that are tried first, or a single word of a dictionary.
    Common,
    /// It is little more than the name of the account, its owner, or the panel.
    NameLike,
    /// It is the one that the account has now.
    Same,
    /// It contains the name of the account or its owner.
    ContainsName,
    /// It is close to a common password.
    LikeCommon,
    /// It is made of names that many people have.
    Names,
    /// Keys that lie beside each other.
    Keyboard,
    /// Something repeated.
    Repeats,
    /// Letters or digits in their order.
    Sequence,
    /// A date or a year.
    Date,
    /// Nothing in particular, but easy to guess.
    Guessable,
}

impl Remark {
    /// The word for machines.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooShort(_) => "too-short",
            Self::TooLong => "too-long",
            Self::Nul => "nul",
            Self::Common => "common",
            Self::NameLike => "name-like",
            Self::Same => "same",
            Self::ContainsName => "contains-name",
            Self::LikeCommon => "like-common",
            Self::Names => "names",
            Self::Keyboard => "keyboard",
            Self::Repeats => "repeats",
            Self::Sequence => "sequence",
            Self::Date => "date",
            Self::Guessable => "guessable",
        }
    }

    /// Whether no password of which this is true is taken, whatever its grade.
    fn refuses(self) -> bool {
        match self {
            Self::Empty
            | Self::TooShort(_)
            | Self::TooLong
            | Self::Nul
            | Self::Common
            | Self::NameLike
            | Self::Same => true,
            Self::ContainsName
            | Self::LikeCommon
            | Self::Names
            | Self::Keyboard
            | Self::Repeats
            | Self::Sequence
            | Self::Date
            | Self::Guessable => false,
        }
    }
}

/// What a password is worth, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The grade.
    pub strength: Strength,
    /// Whether it may be set.
    pub accepted: bool,
    /// The most important first; never empty for what is not accepted.
    pub remarks: Vec<Remark>,
}

/// Weighs a new password for an account of a site called `title`. Takes milliseconds; not for the request path.
pub fn weigh(password: &SecretText, rules: &Rules, user: &User, title: &str) -> Verdict {
    let text = password.expose();
    if let Some(remark) = unusable(text) {
        return Verdict { strength: Strength::Weak, accepted: false, remarks: vec![remark] };
    }
    let (own, place) = (names_of(user), words_of([title]));
    let known: Vec<&str> = own.iter().chain(&place).map(String::as_str).collect();
    let weighed = weighable(text);
    let estimate = zxcvbn(weighed, &known);
    let strength = grade(estimate.score());
    let mut remarks = Vec::new();
    if is_common(weighed, strength) {
        remarks.push(Remark::Common);
    }
    if known.iter().any(|name| is_mostly(text, name)) {
        remarks.push(Remark::NameLike);
    }
    let shortest = rules.shortest(&user.role);
    if text.chars().count() < shortest {
        remarks.push(Remark::TooShort(shortest));
    }
    if strength < Strength::Strong {
        explain(&estimate, text, &own, &mut remarks);
    }
    if strength < rules.min_strength && remarks.is_empty() {
        remarks.push(Remark::Guessable);
    }
    if remarks.iter().any(|remark| remark.refuses()) {
        return Verdict { strength: Strength::Weak, accepted: false, remarks };
    }
    Verdict { strength, accepted: strength >= rules.min_strength, remarks }
}

/// The part that is estimated: what follows only adds to it. The estimator tries every reading of signs that can stand
/// for letters, so that the time it takes grows steeply with their number.
fn weighable(text: &str) -> &str {
    let ends = |(at, letter): (usize, char)| at + letter.len_utf8();
    let first = |count| text.char_indices().take(count).last().map_or(0, ends);
    let whole = text.get(..first(32)).unwrap_or_default();
    let signs = whole.chars().filter(|letter| "4@8({[<369&#!1/|0$5+7%2".contains(*letter)).count();
    if signs > 8 { text.get(..first(12)).unwrap_or_default() } else { whole }
}

/// What bcrypt would not look at as a whole.
fn unusable(text: &str) -> Option<Remark> {
    match text.as_bytes() {
        [] => Some(Remark::Empty),
        bytes if bytes.len() > LONGEST => Some(Remark::TooLong),
        bytes if bytes.contains(&0) => Some(Remark::Nul),
        _ => None,
    }
}

fn grade(score: Score) -> Strength {
    if score >= Score::Four {
        Strength::Strong
    } else if score >= Score::Three {
        Strength::Medium
    } else {
        Strength::Weak
    }
}

/// One word of any dictionary, as it is or with digits and signs around it that do not make it any better.
fn is_common(text: &str, strength: Strength) -> bool {
    let is_word = |text: &str| {
        let estimate = zxcvbn(text, &[]);
        matches!(estimate.sequence(), [only] if matches!(only.pattern, MatchPattern::Dictionary(_)))
    };
    let core = text.trim_matches(|c: char| !c.is_alphabetic());
    is_word(text) || (strength == Strength::Weak && core.chars().count() >= 4 && is_word(core))
}

/// Adds what makes it easy to guess, each once.
fn explain(estimate: &Entropy, text: &str, names: &[String], remarks: &mut Vec<Remark>) {
    let named = names.iter().any(|name| mentions(text, name)).then_some(Remark::ContainsName);
    let warned = estimate.feedback().and_then(Feedback::warning).and_then(translate);
    let patterns = estimate.sequence().iter().filter(|part| part.token.chars().count() >= 3);
    let patterns = patterns.filter_map(|part| pattern(&part.pattern));
    for remark in named.into_iter().chain(warned).chain(patterns) {
        // The worse one of each pair says it all.
        let worse = [(Remark::ContainsName, Remark::NameLike), (Remark::LikeCommon, Remark::Common)];
        let is_said = remarks.contains(&remark)
            || worse.iter().any(|(lesser, worse)| *lesser == remark && remarks.contains(worse));
        if !is_said {
            remarks.push(remark);
        }
    }
}

fn translate(warning: Warning) -> Option<Remark> {
    match warning {
        Warning::ThisIsATop10Password
        | Warning::ThisIsATop100Password
        | Warning::ThisIsACommonPassword
        | Warning::AWordByItselfIsEasyToGuess => None,
        Warning::ThisIsSimilarToACommonlyUsedPassword => Some(Remark::LikeCommon),
        Warning::NamesAndSurnamesByThemselvesAreEasyToGuess
        | Warning::CommonNamesAndSurnamesAreEasyToGuess => Some(Remark::Names),
        Warning::StraightRowsOfKeysAreEasyToGuess | Warning::ShortKeyboardPatternsAreEasyToGuess => {
            Some(Remark::Keyboard)
        }
        Warning::RepeatsLikeAaaAreEasyToGuess | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => {
            Some(Remark::Repeats)
        }
        Warning::SequencesLikeAbcAreEasyToGuess => Some(Remark::Sequence),
        Warning::RecentYearsAreEasyToGuess | Warning::DatesAreOftenEasyToGuess => Some(Remark::Date),
    }
}

fn pattern(pattern: &MatchPattern) -> Option<Remark> {
    match pattern {
        MatchPattern::Spatial(_) => Some(Remark::Keyboard),
        MatchPattern::Repeat(_) => Some(Remark::Repeats),
        MatchPattern::Sequence(_) => Some(Remark::Sequence),
        MatchPattern::Date(_) => Some(Remark::Date),
        MatchPattern::Regex(found) if found.regex_name == "recent_year" => Some(Remark::Date),
        MatchPattern::Regex(_) | MatchPattern::Dictionary(_) | MatchPattern::BruteForce => None,
    }
}

/// What somebody who knows the account would try. Of an address only what stands before the `@`: the rest is not theirs.
fn names_of(user: &User) -> Vec<String> {
    let before = |text: &str| text.split('@').next().unwrap_or_default().to_owned();
    words_of([user.name.as_str(), &before(user.name.as_str()), &user.display, &before(&user.email)])
}

/// Each as a whole and its words, in lower case.
fn words_of<const N: usize>(texts: [&str; N]) -> Vec<String> {
    let mut words = Vec::new();
    for text in texts {
        words.push(text.to_lowercase());
        words.extend(text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase));
    }
    words.retain(|word| word.chars().count() >= 3);
    words.sort();
    words.dedup();
    words
}

#[cfg(test)]
mod tests;
