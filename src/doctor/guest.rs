//! An account for the time of the examination: with the least role that sees the page, and a password that nobody could
//! guess.

use data_encoding::BASE32_NOPAD;

use super::{Inside, observed::Guest};
use crate::{
    app::admin::{AdminAnswer, AdminRequest, UserLine},
    clock::Wall,
    entropy::Entropy,
    rules::{
        factor::password,
        identity::{Role, UserName},
    },
    secret::SecretText,
};

/// Slow hashing is for passwords that can be guessed; this one has 160 random bits.
const COST: u32 = 4;
/// What the accounts have in common.
const PREFIX: &str = "doctor-";
const DISPLAY: &str = "Panelgate doctor";
const EMAIL: &str = "doctor@panelgate.invalid";
/// A younger account may be that of another examination, which goes on.
const LEFT_AFTER_SECS: u64 = 10 * 60;

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
        let name = format!("{PREFIX}{}", random(&entropy.array::<5>()));
        let name = UserName::parse(&name).map_err(|_| format!("{name} is no account name"))?;
        let password = random(&entropy.array::<20>());
        let hash =
            password::hash(&SecretText::from(password.clone()), COST, entropy.array(), password::no_pause);
        inside.ask(AdminRequest::AddUser {
            name: name.clone(),
            role: role.clone(),
            display: DISPLAY.to_owned(),
            email: EMAIL.to_owned(),
            password_hash: hash.map_err(|refused| refused.to_string())?,
        })?;
        Ok(Self { name, role, password })
    }

    /// Removes it with its sessions, and gives what is known of it.
    pub(super) fn remove(self, inside: &dyn Inside) -> Result<Guest, String> {
        let asked = inside.ask(AdminRequest::ListSessions { user: Some(self.name.clone()), ended: true });
        let addresses = match asked {
            Ok(AdminAnswer::Sessions { sessions, .. }) => {
                sessions.into_iter().map(|line| line.address).collect()
            }
            Ok(_) | Err(_) => Vec::new(),
        };
        let name = self.name.to_string();
        inside.ask(AdminRequest::RemoveUser { name: self.name }).map_err(|why| {
            format!("the account {name} could not be removed ({why}): `panelgate user remove {name} --yes` removes it")
        })?;
        Ok(Guest { name, role: self.role.to_string(), addresses })
    }
}

/// Removes what examinations have left that could not clean up, and says so if there was any.
pub(super) fn sweep(inside: &dyn Inside, now: Wall) -> Option<String> {
    let Ok(AdminAnswer::Users { users }) = inside.ask(AdminRequest::ListUsers) else { return None };
    let (mut removed, mut failed) = (0_usize, Vec::new());
    for line in users.into_iter().filter(|line| is_left(line, now)) {
        let Ok(name) = UserName::parse(&line.name) else { continue };
        match inside.ask(AdminRequest::RemoveUser { name }) {
            Ok(_) => removed += 1,
            Err(_) => failed.push(line.name),
        }
    }
    if !failed.is_empty() {
        let names = failed.join(", ");
        return Some(format!(
            "accounts that interrupted runs had left could not be removed: {names}: `panelgate user remove NAME --yes` \
             removes one"
        ));
    }
    match removed {
        0 => None,
        1 => Some("removed 1 account that an interrupted run had left".to_owned()),
        many => Some(format!("removed {many} accounts that interrupted runs had left")),
    }
}

/// Whether an account was made here, and long enough ago. People may be called `doctor-house`.
fn is_left(line: &UserLine, now: Wall) -> bool {
    line.name.starts_with(PREFIX)
        && (line.display.as_str(), line.email.as_str()) == (DISPLAY, EMAIL)
        && line.issuer.is_none()
        && line.login.is_none()
        && now.secs().saturating_sub(line.created) > LEFT_AFTER_SECS
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Accounts, of which those that are removed are noted.
    struct House(Vec<UserLine>, Mutex<Vec<String>>);

    impl Inside for House {
        fn ask(&self, request: AdminRequest) -> Result<AdminAnswer, String> {
            if let AdminRequest::RemoveUser { name } = request {
                self.1.lock().unwrap().push(name.to_string());
                return Ok(AdminAnswer::Done);
            }
            assert!(matches!(request, AdminRequest::ListUsers));
            Ok(AdminAnswer::Users { users: self.0.clone() })
        }
    }

    fn line(name: &str, email: &str, created: u64) -> UserLine {
        UserLine {
            name: name.to_owned(),
            display: DISPLAY.to_owned(),
            email: email.to_owned(),
            role: "root".to_owned(),
            role_known: true,
            issuer: None,
            login: None,
            password: true,
            disabled: false,
            second_factor: false,
            backup_codes: 0,
            created,
            locked_until: None,
            stopped: false,
        }
    }

    #[test]
    fn accounts_that_an_interrupted_run_left_live_are_removed_by_the_next_one_and_no_others() {
        let now = Wall::from_secs(10_000);
        let lines = vec![
            line("doctor-aaaaaaaa", EMAIL, 9_000),
            line("doctor-bbbbbbbb", EMAIL, 9_399),
            line("doctor-cccccccc", EMAIL, 9_400),
            line("doctor-house", "house@example.com", 1),
            line("somebody", EMAIL, 1),
        ];
        let house = House(lines, Mutex::default());
        let told = sweep(&house, now);
        assert_eq!(told.as_deref(), Some("removed 2 accounts that interrupted runs had left"));
        assert_eq!(*house.1.lock().unwrap(), ["doctor-aaaaaaaa", "doctor-bbbbbbbb"]);
        assert_eq!(sweep(&House(Vec::new(), Mutex::default()), now), None);
    }
}
