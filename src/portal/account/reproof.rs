//! The password, asked for once more in a live session.

use std::time::Duration;

use super::refused::Refused;
use crate::{
    clock::Wall,
    gate::SignedIn,
    live::Class,
    portal::{attempt::Attempt, context::Cx, fault::Fault, identities},
    rules::{
        address::NetworkKey,
        failures::{Kind, Known, Subject},
        identity::{User, UserSource},
        session::Session,
    },
    secret::SecretText,
};

/// How long a sign-in counts as one that was made just now.
pub(super) const FRESH: Duration = Duration::from_secs(15 * 60);

/// What has to be shown before a second factor is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The account has an app: a code of it, or a backup code if the phone is lost.
    Code,
    /// The password.
    Password,
    /// Nothing: there is no password here to ask for, and the sign-in was made just now.
    Nothing,
    /// There is no password here to ask for, and the sign-in was made too long ago.
    FreshSignIn,
}

/// What this account has to show.
pub(super) fn need(cx: &Cx, me: &SignedIn) -> Need {
    let login = cx.site().login.is_some() && !matches!(me.user.source, UserSource::Issuer(_));
    needed(&me.user, login || me.user.password.is_some(), &me.session, cx.now())
}

/// `asks` is whether anybody can be asked about the account's password.
fn needed(user: &User, asks: bool, session: &Session, now: Wall) -> Need {
    match (&user.totp, asks) {
        (Some(_), _) => Need::Code,
        (None, true) => Need::Password,
        (None, false) if now.since(session.opened) <= FRESH => Need::Nothing,
        (None, false) => Need::FreshSignIn,
    }
}

/// Whether this is the account's password. Charged like a sign-in, before any work is done.
pub(super) async fn password(cx: &Cx, me: &SignedIn, password: SecretText) -> Result<(), Refused> {
    let client = cx.visit.facts.client.ip;
    let charged = cx.gate().live().counters.charge(NetworkKey::of(client), Class::SignIn, cx.visit.moment);
    charged.map_err(Fault::Throttled)?;
    let attempt = Attempt::begin(cx, Some(Subject::Account(me.user.id)), Kind::Password)?;
    if identities::confirms(cx, &me.user, password).await? {
        cx.gate().guess_succeeded(&cx.visit, me.user.id, Some(Known::NotYet), None).await?;
        return Ok(());
    }
    tracing::info!(target: "panelgate::audit", event = "password-failed", %client, user = %me.user.name, session = %me.public);
    attempt.failed().await?;
    Err(Refused::WrongPassword)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::{
        rules::{
            identity::{Totp, UserId, UserName, UserSource},
            session::{Family, Origin, Sid},
        },
        secret::SecretBytes,
    };

    fn user(password: bool, app: bool) -> User {
        User {
            id: UserId([1; 16]),
            name: UserName::parse("alice").unwrap(),
            display: String::new(),
            email: String::new(),
            role: "user".into(),
            source: UserSource::Embedded,
            password: password.then(|| "hash".into()),
            disabled: false,
            totp: app.then(|| Totp { sealed_secret: SecretBytes::default(), last_step: 0 }),
            backup_codes: Vec::new(),
            created: Wall::default(),
            password_changed: None,
            high_security: true,
            known: Vec::new(),
        }
    }

    #[test]
    fn an_app_asks_for_its_code_a_password_for_itself_and_neither_for_a_fresh_sign_in() {
        let session = Session {
            sid: Sid([1; 32]),
            user: UserId([1; 16]),
            site: "panel".into(),
            origin: Origin::Portal,
            opened: Wall::from_secs(1000),
            seen: Wall::from_secs(5000),
            idle_millis: 0,
            expires: Wall::NEVER,
            family: Family {
                seed: SecretBytes::default(),
                key: "".into(),
                generation: 0,
                current_seen: None,
            },
            elevation: None,
            device: String::new(),
            address: Ipv4Addr::LOCALHOST.into(),
            ended: None,
            impersonation: None,
            enrolment: None,
            panel: None,
        };
        let at = |user: &User, secs| needed(user, user.password.is_some(), &session, Wall::from_secs(secs));
        assert_eq!(at(&user(true, true), 5000), Need::Code);
        assert_eq!(at(&user(false, true), 1000), Need::Code, "never less than what there is");
        assert_eq!(at(&user(true, false), 1000), Need::Password);
        assert_eq!(at(&user(false, false), 1000 + 900), Need::Nothing);
        assert_eq!(at(&user(false, false), 1000 + 901), Need::FreshSignIn, "use does not make it fresh");
    }
}
