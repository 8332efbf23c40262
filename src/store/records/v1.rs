//! Records as the first version wrote them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{
    clock::Wall,
    rules::{
        identity::{self, Role, Totp, UserId, UserName, UserSource},
        session::{self, Elevation, Ended, Family, Origin, Sid, SiteId},
    },
};

/// A session with the latest expiry of any foreign token that names it.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) session: Session,
    pub(super) named_until: Wall,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) sid: Sid,
    pub(super) user: UserId,
    pub(super) site: SiteId,
    pub(super) origin: Origin,
    pub(super) opened: Wall,
    pub(super) seen: Wall,
    pub(super) idle_millis: u64,
    pub(super) expires: Wall,
    pub(super) family: Family,
    pub(super) elevation: Option<Elevation>,
    pub(super) device: String,
    pub(super) address: IpAddr,
    pub(super) ended: Option<Ended>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct User {
    pub(super) id: UserId,
    pub(super) name: UserName,
    pub(super) display: String,
    pub(super) email: String,
    pub(super) role: Role,
    pub(super) source: UserSource,
    pub(super) password: Option<String>,
    pub(super) disabled: bool,
    pub(super) totp: Option<Totp>,
    pub(super) backup_codes: Vec<[u8; 32]>,
    pub(super) created: Wall,
}

impl From<Kept> for super::Kept {
    fn from(old: Kept) -> Self {
        let Session { sid, user, site, origin, opened, seen, idle_millis, .. } = old.session;
        let Session { expires, family, elevation, device, address, ended, .. } = old.session;
        let (impersonation, enrolment, panel) = (None, None, None);
        let session = session::Session {
            sid,
            user,
            site,
            origin,
            opened,
            seen,
            idle_millis,
            expires,
            family,
            elevation,
            device,
            address,
            impersonation,
            enrolment,
            panel,
            ended,
        };
        Self::new(session, old.named_until)
    }
}

impl From<User> for identity::User {
    fn from(old: User) -> Self {
        let User { id, name, display, email, role, source, password, disabled, totp, backup_codes, created } =
            old;
        Self {
            id,
            name,
            display,
            email,
            role,
            source,
            password,
            disabled,
            totp,
            backup_codes,
            created,
            password_changed: None,
            high_security: true,
            known: Vec::new(),
        }
    }
}
