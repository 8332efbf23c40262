//! The pending sign-in: what is known between password and second factor, sealed into a cookie. It opens nothing (R11).

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::BadToken;
use crate::{
    clock::Wall,
    rules::{identity::UserId, seal::Sealer, session::SiteId},
    secret::SecretBytes,
};

const PURPOSE: &str = "pending";
/// The longest text that is looked at, in bytes.
const LIMIT: usize = 4096;
/// The longest way back that is kept, in bytes, so that the cookie stays under 4 KB.
const LONGEST_RD: usize = 2048;

/// A sign-in that has proved the password and not yet the second factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Whose password it was.
    pub user: UserId,
    /// At which site.
    pub site: SiteId,
    /// When it was proved.
    pub issued: Wall,
    /// Until when the second factor must follow.
    pub expires: Wall,
    /// Where to go afterwards. One that would make the cookie too long is not kept.
    pub rd: Option<String>,
    /// What the panel's own login gave, as `rules::login::Jar` writes itself.
    pub panel: Option<SecretBytes>,
}

pub(super) fn seal(pending: &Pending, nonce: [u8; 12], sealer: &Sealer) -> String {
    let rest = pending.panel.as_ref().map_or(0, |panel| panel.expose().len());
    let rd = pending.rd.clone().filter(|rd| rd.len().saturating_add(rest) <= LONGEST_RD);
    let plain = postcard::to_stdvec(&Pending { rd, ..pending.clone() }).unwrap_or_default();
    BASE64URL_NOPAD.encode(&sealer.seal(PURPOSE, &plain, nonce))
}

pub(super) fn open(text: &str, now: Wall, sealer: &Sealer) -> Result<Pending, BadToken> {
    let pending = unseal(text, sealer).ok_or(BadToken::Invalid)?;
    if now >= pending.expires { Err(BadToken::Expired) } else { Ok(pending) }
}

fn unseal(text: &str, sealer: &Sealer) -> Option<Pending> {
    if text.len() > LIMIT {
        return None;
    }
    let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    postcard::from_bytes(&sealer.open(PURPOSE, &sealed)?).ok()
}
