//! What is shown of an app that is being set up. No I/O.

use data_encoding::BASE32_NOPAD;

use crate::{
    clock::Wall,
    rules::{
        factor::{qr, totp},
        identity::User,
        session::{Enrolment, Session},
    },
};

/// More of an issuer's name would make the picture finer than some cameras like.
const ISSUER: usize = 48;

/// What an app needs to know, in three forms.
pub(super) struct Material {
    /// Base32.
    pub(super) secret: String,
    /// `otpauth://…`, with issuer and account.
    pub(super) url: String,
    /// SVG, 256 by 256 pixels.
    pub(super) picture: String,
}

impl Material {
    /// For this secret. `None` if the picture cannot be drawn.
    pub(super) fn new(secret: &[u8], issuer: &str, user: &User, label: &str) -> Option<Self> {
        let issuer: String = issuer.chars().take(ISSUER).collect();
        let url = totp::url(secret, &issuer, user.name.as_str());
        let picture = qr::svg(&url, label)?;
        Some(Self { secret: BASE32_NOPAD.encode(secret), url, picture })
    }

    /// The secret in groups of four, for typing.
    pub(super) fn key(&self) -> String {
        let letters: Vec<char> = self.secret.chars().collect();
        letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
    }
}

/// The set-up that is under way, if its time is not over and the account still has the app that it takes the place of.
pub(super) fn under_way<'s>(session: &'s Session, user: &User, now: Wall) -> Option<&'s Enrolment> {
    let enrolment = session.enrolment.as_ref().filter(|enrolment| now < enrolment.until)?;
    let has = user.totp.as_ref().map(|totp| &totp.sealed_secret);
    (has == enrolment.replaces.as_ref()).then_some(enrolment)
}
