//! Refresh tokens: `sid.generation.mac`. They can be recomputed from the record and the key, so that a repeated request
//! gets the same successor (R13).

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;

use crate::{
    rules::session::{Family, Sid},
    secret,
};

/// The longest text that is looked at, in bytes; what we write has at most 108.
const LIMIT: usize = 200;

/// A refresh token as presented: `sid . generation . mac`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The session.
    pub sid: Sid,
    /// The generation it belongs to.
    pub generation: u64,
    /// HMAC-SHA256 under the refresh key over the family's seed, sid and generation.
    pub mac: [u8; 32],
}

impl RefreshToken {
    /// Takes the text apart; `None` for anything but the one spelling that we write.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LIMIT {
            return None;
        }
        let (sid, rest) = text.split_once('.')?;
        let (generation, mac) = rest.split_once('.')?;
        let token = Self {
            sid: Sid::parse(sid)?,
            generation: generation.parse().ok()?,
            mac: BASE64URL_NOPAD.decode(mac.as_bytes()).ok()?.try_into().ok()?,
        };
        // `parse` also takes `+1` and `01`.
        (token.generation.to_string() == generation).then_some(token)
    }
}

pub(super) fn mint(sid: &Sid, family: &Family, key: &hmac::Key) -> String {
    let mac = mac(sid, family, family.generation, key);
    format!("{}.{}.{}", sid.text(), family.generation, BASE64URL_NOPAD.encode(mac.as_ref()))
}

pub(super) fn check(token: &RefreshToken, family: &Family, key: &hmac::Key) -> bool {
    secret::same(mac(&token.sid, family, token.generation, key).as_ref(), &token.mac)
}

fn mac(sid: &Sid, family: &Family, generation: u64, key: &hmac::Key) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    // Everything before the seed has a fixed length, so no two inputs share one text.
    context.update(b"panelgate/refresh/1");
    context.update(&sid.0);
    context.update(&generation.to_be_bytes());
    context.update(family.seed.expose());
    context.sign()
}
