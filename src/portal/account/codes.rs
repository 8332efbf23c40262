//! Making backup codes and showing them, once.

use axum::response::Response;
use http::StatusCode;

use super::refused::Refused;
use crate::{
    gate::SignedIn,
    portal::{
        context::Cx,
        csrf::{self, Binding},
        fault::Fault,
        pages,
        words::fill,
    },
    rules::{factor::backup, identity::UserId},
    secret::SecretText,
};

/// Fresh codes with what is kept of them.
pub(super) struct Fresh {
    pub(super) codes: Vec<SecretText>,
    pub(super) hashes: Vec<[u8; 32]>,
}

impl Fresh {
    /// Ten new ones.
    pub(super) async fn make(cx: &Cx, user: UserId) -> Result<Self, Refused> {
        let entropy = cx.gate().entropy();
        let codes = backup::generate(std::array::from_fn(|_| entropy.array()));
        let slow = codes.clone();
        let work = move || slow.iter().map(|code| backup::hash(&user, code.expose())).collect();
        let hashes = cx.portal.hasher.run(work).await.map_err(Fault::from)?.ok_or(Fault::Unavailable)?;
        Ok(Self { codes, hashes })
    }

    /// For a script.
    pub(super) fn texts(&self) -> Vec<String> {
        self.codes.iter().map(|code| code.expose().to_owned()).collect()
    }

    /// The page that shows them.
    pub(super) fn page(&self, cx: &Cx, me: &SignedIn, set_up: bool, onward: &str) -> Response {
        let page = pages::BackupCodes {
            frame: cx.frame(),
            set_up,
            codes: self.texts(),
            form: csrf::token(cx, Binding::Session(&me.sid)),
            file_head: head(cx, me),
            onward: onward.to_owned(),
        };
        pages::html(StatusCode::OK, &page)
    }
}

/// Whose codes they are.
pub(super) fn head(cx: &Cx, me: &SignedIn) -> String {
    let values = [("title", cx.site().title.as_str()), ("account", me.user.name.as_str())];
    fill(cx.words.account.file_head, &values)
}
