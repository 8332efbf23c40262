//! The session state machine. A session is one signed-in device; all its tokens hang on it.

mod machine;
#[cfg(test)]
mod tests;

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

pub use self::machine::{
    Presented, Rotation, SessionChange, change, elevate, end, mark_seen, rotate, status, touch,
};
use super::identity::{Role, UserId};
use crate::{clock::Wall, secret::SecretBytes};

/// The secret id of a session: 256 random bits (R35). Never shown to the panel; see [`Sid::public`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sid(pub [u8; 32]);

impl Sid {
    /// The text form: 43 characters of unpadded base64url.
    pub fn text(&self) -> String {
        data_encoding::BASE64URL_NOPAD.encode(&self.0)
    }

    /// Reads the text form back; `None` for anything but its exact spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// The public id: 16 base32 characters of a digest, safe to show, list and log.
    pub fn public(&self) -> PublicId {
        PublicId::spelling(self.short())
    }

    /// What the public id spells: the first 80 bits of a digest.
    pub fn short(&self) -> Short {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.0);
        digest.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

/// What a public id spells.
pub type Short = [u8; 10];

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sid({})", self.public())
    }
}

/// The id of a session that users, panels and logs may see.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PublicId(pub SmolStr);

impl PublicId {
    /// The first 80 bits of a digest as 16 base32 characters.
    pub(in crate::rules) fn of(digest: &[u8]) -> Self {
        Self::spelling(digest.first_chunk().copied().unwrap_or_default())
    }

    /// What it spells; `None` for anything but its exact spelling.
    pub fn short(&self) -> Option<Short> {
        let short = data_encoding::BASE32_NOPAD.decode(self.0.to_ascii_uppercase().as_bytes()).ok()?;
        let short = short.try_into().ok()?;
        (Self::spelling(short) == *self).then_some(short)
    }

    fn spelling(short: Short) -> Self {
        let mut text = [0; 16];
        data_encoding::BASE32_NOPAD.encode_mut(&short, &mut text);
        text.make_ascii_lowercase();
        Self(SmolStr::new(std::str::from_utf8(&text).unwrap_or_default()))
    }
}

impl fmt::Display for PublicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PublicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicId({})", self.0)
    }
}

/// The name of a site in the configuration; the `aud` of its tokens.
pub type SiteId = Arc<str>;

/// What is kept of a session. Durable; `live` holds the same record in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Secret id and key of the record.
    pub sid: Sid,
    /// Whose session.
    pub user: UserId,
    /// Which site it was opened for; its tokens are good nowhere else.
    pub site: SiteId,
    /// How it came to be.
    pub origin: Origin,
    /// When it was opened.
    pub opened: Wall,
    /// Last use that was written down; `live` knows better.
    pub seen: Wall,
    /// It dies when unused for this long, in milliseconds.
    pub idle_millis: u64,
    /// It dies at this time whatever happens.
    pub expires: Wall,
    /// The chain of refresh tokens.
    pub family: Family,
    /// The newest proof of a second factor.
    pub elevation: Option<Elevation>,
    /// Browser and system as the client named itself at sign-in, shortened.
    pub device: String,
    /// The client's address at sign-in.
    pub address: IpAddr,
    /// Whom its user acts for, if anybody; dies with the session. In a box, as everything that few sessions have: there
    /// can be a million of them in memory.
    pub impersonation: Option<Box<Impersonation>>,
    /// A second factor that is being set up.
    pub enrolment: Option<Box<Enrolment>>,
    /// What the panel's own login gave, for panels that sign people in themselves.
    pub panel: Option<Box<PanelLogin>>,
    /// Set once; a session that has ended stays as a tombstone until nothing can name it any more.
    pub ended: Option<Ended>,
}

/// An operator acting as another account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impersonation {
    /// The account that is acted for.
    pub user: UserId,
    /// Why, in the operator's words.
    pub reason: String,
    /// Whether changes are allowed; otherwise it is for looking only.
    pub write: bool,
    /// When it began.
    pub since: Wall,
    /// When it ends by itself.
    pub until: Wall,
}

/// An authenticator app that was shown to its user and has not given a code yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// The shared secret, sealed like an enrolled one.
    pub sealed_secret: SecretBytes,
    /// Until when a code counts.
    pub until: Wall,
    /// The sealed secret of the app that this one takes the place of, which a code was shown of; `None` for a first one.
    pub replaces: Option<SecretBytes>,
}

/// What the panel's own login gave: cookies and tokens, sealed with the master key and bound to the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PanelLogin {
    /// What only the gate can open.
    pub sealed: SecretBytes,
    /// When it was got.
    pub at: Wall,
}

/// How a session came to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// Signed in at the portal.
    Portal,
    /// First sight of a trusted issuer's token.
    External(Box<ExternalKey>),
}

/// What identifies an external session: one per issuer and session claim.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExternalKey {
    /// The configured name of the issuer.
    pub issuer: String,
    /// The value of the claim that stays the same across the issuer's own renewals.
    pub session: String,
}

/// The chain of refresh tokens of one session. The seed is here and the key in a file, so neither alone can forge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// Random, per session.
    pub seed: SecretBytes,
    /// Which refresh key signs this family's tokens; one of very few.
    pub key: Arc<str>,
    /// The generation that is current; the one before it may still be answered with the same successor.
    pub generation: u64,
    /// When the current generation was first seen, as a refresh or in an access token.
    pub current_seen: Option<Wall>,
}

/// A proof of the second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elevation {
    /// When the code was accepted. A page's own `lasts` counts from here.
    pub at: Wall,
    /// By what.
    pub by: Factor,
}

impl Elevation {
    /// The end of an elevation that lasts `lasts`.
    pub fn until(&self, lasts: Duration) -> Wall {
        self.at.plus(lasts)
    }
}

/// The second factors there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Factor {
    /// A code of an authenticator app.
    Totp,
    /// A single-use backup code.
    BackupCode,
}

/// When and why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Wall,
    /// Why.
    pub why: EndReason,
}

/// Why a session ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndReason {
    /// Its user signed out.
    SignedOut,
    /// Its user or an operator revoked it.
    Revoked,
    /// A refresh token was presented again after its grace (R13).
    RefreshReuse,
    /// The password was changed.
    PasswordChanged,
    /// The account was disabled or removed.
    AccountDisabled,
}

/// Whether a session can be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Yes.
    Alive,
    /// It was ended on purpose.
    Ended(EndReason),
    /// Unused for too long.
    Idle,
    /// At its absolute end.
    Expired,
}

/// What a trusted issuer's token says about its bearer, after verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalIdentity {
    /// Names the session.
    pub key: ExternalKey,
    /// The account name claim, canonical.
    pub name: super::identity::UserName,
    /// The mapped role; `None` leaves it to the account.
    pub role: Option<Role>,
    /// May be empty.
    pub email: String,
    /// Latest possible expiry of any token of this session: how long a tombstone must stay.
    pub expires: Wall,
}
