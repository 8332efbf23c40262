//! An account for the time of the examination: with the least role that sees the page, and a password that nobody could
//! guess.

use data_encoding::BASE32_NOPAD;

use super::{Inside, observed::Guest};
use crate::{
    app::admin::{AdminAnswer, AdminRequest},
    entropy::Entropy,
    rules::{
        factor::password,
        identity::{Role, UserName},
    },
    secret::SecretText,
};

/// Slow hashing is for passwords that can be guessed; this one has 160 random bits.
const COST: u32 = 4;

/// The account, with its password.
pub(super) struct Account {
    pub(super) name: UserName,
    pub(super) role: Role,
    pub(super) password: String,
}

impl Account {
    /// Makes one.
    pub(super) fn make(inside: &dyn Inside, role: Role, entropy: &dyn Entropy) -> Result<Self, String> {
        let random = |bytes: &[u8]| BASE32_NOPAD.encode(bytes).to_ascii_lowercase();
        let name = format!("doctor-{}", random(&entropy.array::<5>()));
        let name = UserName::parse(&name).map_err(|_| format!("{name} is no account name"))?;
        let password = random(&entropy.array::<20>());
        let hash = password::hash(&SecretText::from(password.clone()), COST, entropy.array());
        inside.ask(AdminRequest::AddUser {
            name: name.clone(),
            role: role.clone(),
            display: "Panelgate doctor".to_owned(),
            email: "doctor@panelgate.invalid".to_owned(),
            password_hash: hash.map_err(|refused| refused.to_string())?,
        })?;
        Ok(Self { name, role, password })
    }

    /// Removes it with its sessions, and gives what is known of it.
    pub(super) fn remove(self, inside: &dyn Inside) -> Result<Guest, String> {
        let asked = inside.ask(AdminRequest::ListSessions { user: Some(self.name.clone()), ended: true });
        let addresses = match asked {
            Ok(AdminAnswer::Sessions { sessions }) => sessions.into_iter().map(|line| line.address).collect(),
            Ok(_) | Err(_) => Vec::new(),
        };
        let name = self.name.to_string();
        inside.ask(AdminRequest::RemoveUser { name: self.name }).map_err(|why| {
            format!("the account {name} could not be removed ({why}): `panelgate user remove {name} --yes` removes it")
        })?;
        Ok(Guest { name, role: self.role.to_string(), addresses })
    }
}
