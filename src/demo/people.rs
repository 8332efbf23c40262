//! The demo's accounts: made once for a directory, kept in it, and put into the store.

use std::fmt::Write as _;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};

use super::{
    DemoError,
    panel::sign_in::Member,
    place::{self, Place},
};
use crate::{
    clock::Wall,
    entropy::Entropy,
    gate::Gate,
    rules::{
        factor::{backup, password, totp},
        identity::{Totp, User, UserId, UserName, UserSource},
    },
    secret::SecretText,
};

const FILE: &str = "demo.json";

/// bcrypt's cost. Lower than the gate's own: the passwords are random, and a demo should start at once.
const COST: u32 = 8;

/// Name, role, name for people, and whether an authenticator app is enrolled.
const CAST: [(&str, &str, &str, bool); 4] = [
    ("root", "root", "Rosa Root", true),
    ("admin", "admin", "Adam Admin", true),
    ("reseller", "reseller", "Rebecca Reseller", false),
    ("alice", "user", "Alice Andersson", false),
];

/// One account, with its secrets in the clear: printing them is what the demo is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) password: String,
    pub(super) role: String,
    /// Base32, as authenticator apps take it.
    pub(super) totp_secret: Option<String>,
}

impl Person {
    /// The same person as the sample panel knows it.
    pub(super) fn member(&self) -> Member {
        let (name, role) = (self.name.clone(), self.role.clone());
        Member { name, password: SecretText::from(self.password.clone()), role }
    }

    /// The code that this person's app shows.
    pub(super) fn code(&self, at: Wall) -> Option<String> {
        let secret = BASE32_NOPAD.decode(self.totp_secret.as_ref()?.as_bytes()).ok()?;
        Some(totp::code(&secret, at))
    }
}

/// The accounts of the directory, new ones if it has none.
pub(super) fn load_or_make(place: &Place, entropy: &dyn Entropy) -> Result<Vec<Person>, DemoError> {
    if let Some(text) = place.read(FILE)? {
        return serde_json::from_str(&text).map_err(|error| {
            DemoError::Other(format!("{}: {error}; remove it", place.path(FILE).display()))
        });
    }
    let people: Vec<_> =
        CAST.iter().map(|(name, role, _, enrolled)| make(name, role, *enrolled, entropy)).collect();
    place.write(FILE, &serde_json::to_string_pretty(&people).unwrap_or_default())?;
    Ok(people)
}

/// Puts the accounts into the store; those that are there already stay as they are.
/// Where the panel keeps its users it keeps their passwords, too; the second factors are the gate's own in any case.
pub(super) async fn seed(
    gate: &Gate,
    people: &[Person],
    panel_login: bool,
    now: Wall,
) -> Result<(), DemoError> {
    for person in people {
        let mut user = account(gate, person, now)?;
        if panel_login {
            (user.source, user.password) = (UserSource::Login(place::LOGIN.to_owned()), None);
        }
        let added = gate.store().add_user(user).await;
        let added = added.map_err(|error| DemoError::Other(error.to_string()))?;
        gate.settled(added).await;
    }
    Ok(())
}

fn make(name: &str, role: &str, enrolled: bool, entropy: &dyn Entropy) -> Person {
    let secret = enrolled.then(|| BASE32_NOPAD.encode(&entropy.array::<{ totp::SECRET_LENGTH }>()));
    Person {
        name: name.to_owned(),
        password: new_password(entropy),
        role: role.to_owned(),
        totp_secret: secret,
    }
}

/// Three groups of four letters and digits: 60 bits, and still possible to type.
fn new_password(entropy: &dyn Entropy) -> String {
    let letters = BASE32_NOPAD.encode(&entropy.array::<8>()).to_ascii_lowercase();
    let mut password = String::new();
    for (at, letter) in letters.chars().take(12).enumerate() {
        let dash = if at > 0 && at % 4 == 0 { "-" } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(password, "{dash}{letter}");
    }
    password
}

fn account(gate: &Gate, person: &Person, now: Wall) -> Result<User, DemoError> {
    let wrong = |what: &dyn std::fmt::Display| DemoError::Other(format!("account {}: {what}", person.name));
    let entropy = gate.entropy();
    let id = UserId(entropy.array());
    let secret = person.totp_secret.as_ref().map(|text| BASE32_NOPAD.decode(text.as_bytes())).transpose();
    let keys = gate.live().snapshot().keys.clone();
    let totp = secret.map_err(|error| wrong(&error))?.map(|secret| Totp {
        sealed_secret: totp::seal(keys.master(), &id, &secret, entropy.array()),
        last_step: 0,
    });
    // Nobody knows these codes; they are there so that the pages have a number to show.
    let codes = totp.as_ref().map(|_| backup::generate(std::array::from_fn(|_| entropy.array())));
    let hash =
        password::hash(&SecretText::from(person.password.clone()), COST, entropy.array(), password::no_pause);
    let display =
        CAST.iter().find(|(name, ..)| *name == person.name).map_or("", |(_, _, display, _)| display);
    Ok(User {
        id,
        name: UserName::parse(&person.name).map_err(|error| wrong(&error))?,
        display: display.to_owned(),
        email: format!("{}@harbor.example", person.name),
        role: person.role.as_str().into(),
        source: UserSource::Embedded,
        password: Some(hash.map_err(|error| wrong(&error))?),
        disabled: false,
        totp,
        backup_codes: codes.iter().flatten().map(|code| backup::hash(&id, code.expose())).collect(),
        created: now,
        password_changed: None,
        high_security: true,
        known: Vec::new(),
    })
}
