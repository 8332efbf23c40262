//! What signs requests to the panel in: its own cookies and token, kept sealed in the session.

use serde::{Deserialize, Serialize};

use super::SetCookie;
use crate::{
    rules::{identity::UserName, seal::Sealer, session::Sid},
    secret::SecretBytes,
};

/// The panel's own cookies and token of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jar {
    /// By name; at most one of each.
    pub cookies: Vec<(String, SecretBytes)>,
    /// A header field, lower case, with its whole value.
    pub header: Option<(String, SecretBytes)>,
    /// To sign in again; only where the configuration says `renew: true`.
    pub again: Option<Credentials>,
}

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The name.
    pub name: UserName,
    /// The password.
    pub password: SecretBytes,
}

impl Jar {
    /// Takes the cookies of these names out of an answer; whether anything is different now.
    pub fn take(&mut self, cookies: &[SetCookie], names: &[String]) -> bool {
        let before = self.cookies.clone();
        for cookie in cookies.iter().filter(|cookie| names.contains(&cookie.name)) {
            self.cookies.retain(|(name, _)| *name != cookie.name);
            if let Some(value) = &cookie.value {
                self.cookies.push((cookie.name.clone(), value.clone()));
            }
        }
        self.cookies.sort_by(|a, b| a.0.cmp(&b.0));
        self.cookies != before
    }

    /// Seals it for its session: in another session's record it does not open. The nonce must be fresh random bytes.
    pub fn seal(&self, sealer: &Sealer, sid: &Sid, nonce: [u8; 12]) -> SecretBytes {
        SecretBytes::new(sealer.seal(&purpose(sid), &self.bytes(), nonce))
    }

    /// Opens what [`Jar::seal`] made for this session.
    pub fn open(sealer: &Sealer, sid: &Sid, sealed: &SecretBytes) -> Option<Self> {
        let plain = SecretBytes::new(sealer.open(&purpose(sid), sealed.expose())?);
        Self::from_bytes(plain.expose())
    }

    /// For keeping it inside something that is sealed as a whole.
    pub fn bytes(&self) -> zeroize::Zeroizing<Vec<u8>> {
        zeroize::Zeroizing::new(postcard::to_stdvec(self).unwrap_or_default())
    }

    /// Reads [`Jar::bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}

/// What the sealed jar of a session is bound to.
pub(in crate::rules) fn purpose(sid: &Sid) -> String {
    format!("panel-login:{}", sid.public())
}
