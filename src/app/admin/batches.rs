//! What concerns many accounts and sessions at once.

use std::collections::BTreeMap;

use super::{
    AdminAnswer, Handler, NewUser,
    handler::{Outcome, Refusal, check_hash, no},
};
use crate::{
    rules::{
        factor::totp,
        identity::{Role, User, UserId, UserName, UserSource},
        login::Jar,
        seal::Resealed,
        token::KeySet,
    },
    secret::SecretBytes,
    store::{Everything, Import, Reseal, Sealed, UserChange},
    telemetry,
};

/// So many records are written at once, at most.
const PORTION: usize = 4_096;

impl Handler {
    /// All or none; the command line has said what is wrong with which line.
    pub(super) async fn import(&self, users: Vec<NewUser>, update: bool, by: u32) -> Outcome {
        let mut accounts = Vec::new();
        for user in &users {
            if let Some(hash) = &user.password_hash {
                check_hash(hash)?;
            }
            if let Some(role) = &user.role {
                self.check_role(role)?;
            }
            accounts.push(self.account(user).await?);
        }
        let count = accounts.len();
        let mut known: BTreeMap<UserName, Role> = BTreeMap::new();
        if update {
            let users = self.store.rest().await?.users;
            known.extend(users.into_iter().map(|user| (user.name, user.role)));
        }
        let written = self.store.import(accounts, update, self.clock.wall()).await?;
        if let Err(taken) = self.settled(written).await {
            let names: Vec<_> = taken.iter().map(|name| format!("`{name}`")).collect();
            return no(format!(
                "these accounts exist already, or are not the gate's own: {}; nothing is imported",
                names.join(", ")
            ));
        }
        for (at, user) in users.iter().enumerate() {
            note_imported(user, known.get(&user.name), by);
            // More than may wait come in portions; what the disk does not take is refused below.
            if at % PORTION == PORTION - 1 {
                let _ = tokio::task::spawn_blocking(telemetry::flush).await;
            }
        }
        tracing::info!(target: "panelgate::audit", event = "users-imported", count, update, by);
        Ok(AdminAnswer::Done)
    }

    async fn account(&self, user: &NewUser) -> Result<Import, Refusal> {
        let new = user.role.is_some() && user.password_hash.is_some();
        if !new && self.store.user_by_name(&user.name).await?.is_none() {
            return Err(Refusal::No(format!("`{}` is new and needs a role and a password hash", user.name)));
        }
        let fresh = User {
            id: UserId(self.entropy.array()),
            name: user.name.clone(),
            display: user.display.clone().unwrap_or_default(),
            email: user.email.clone().unwrap_or_default(),
            role: user.role.clone().unwrap_or_default(),
            source: UserSource::Embedded,
            password: user.password_hash.clone(),
            disabled: user.disabled.unwrap_or_default(),
            totp: None,
            backup_codes: vec![],
            created: self.clock.wall(),
            password_changed: None,
            high_security: true,
            known: vec![],
        };
        let change = UserChange {
            role: user.role.clone(),
            password: user.password_hash.clone(),
            disabled: user.disabled,
            email: user.email.clone(),
            display: user.display.clone(),
            ..UserChange::default()
        };
        Ok(Import { fresh, change })
    }

    /// Can be done again at any time: what is sealed under the current key already stays as it is.
    pub(super) async fn reseal(&self, by: u32) -> Outcome {
        let keys = self.keys()?;
        let found = self.survey(&self.store.everything().await?, &keys);
        let (sealed, renewed) = (found.current + found.renewed.len(), found.renewed.len());
        let written = self.store.reseal(found.renewed).await?;
        let renewed_now = self.settled(written).await;
        tracing::info!(target: "panelgate::audit", event = "resealed", renewed, by);
        if renewed_now < renewed {
            return no("some values changed meanwhile: run the command again");
        }
        Ok(AdminAnswer::Resealed { sealed, renewed, lost: found.lost })
    }

    fn survey(&self, everything: &Everything, keys: &KeySet) -> Survey {
        let mut survey = Survey::default();
        let master = keys.master();
        for user in &everything.users {
            if let Some(app) = &user.totp {
                let again = totp::reseal(master, &user.id, &app.sealed_secret, self.entropy.array());
                survey.note(Sealed::Totp(user.id), &app.sealed_secret, again, || user.name.to_string());
            }
        }
        survey.lost.extend(everything.unreadable.iter().cloned());
        for session in &everything.sessions {
            let id = || session.sid.public().to_string();
            if let Some(panel) = &session.panel {
                let again = Jar::reseal(master, &session.sid, &panel.sealed, self.entropy.array());
                survey.note(Sealed::Panel(session.sid), &panel.sealed, again, id);
            }
            if let Some(enrolment) = &session.enrolment {
                let old = &enrolment.sealed_secret;
                let again = totp::reseal(master, &session.user, old, self.entropy.array());
                survey.note(Sealed::Enrolment(session.sid), old, again, id);
            }
        }
        survey
    }
}

/// What an import did to one account, whose role was `before` if it was there.
fn note_imported(user: &NewUser, before: Option<&Role>, by: u32) {
    let (name, new) = (&user.name, before.is_none());
    let role = user.role.as_ref().map(ToString::to_string);
    let before = before.filter(|_| role.is_some()).map(ToString::to_string);
    let (password, disabled) = (user.password_hash.is_some(), user.disabled);
    tracing::info!(
        target: "panelgate::audit", event = "user-imported", user = %name, new, before, role, password, disabled, by
    );
}

/// What there is that is sealed.
#[derive(Default)]
struct Survey {
    current: usize,
    renewed: Vec<Reseal>,
    lost: Vec<String>,
}

impl Survey {
    fn note(&mut self, of: Sealed, old: &SecretBytes, again: Resealed, whose: impl Fn() -> String) {
        match again {
            Resealed::Current => self.current += 1,
            Resealed::New(new) => {
                self.renewed.push(Reseal { of, old: old.clone(), new: SecretBytes::new(new) });
            }
            Resealed::Lost => self.lost.push(whose()),
        }
    }
}
