//! What signs requests to the panel in: its own cookies and token, kept sealed in the session.

use serde::{Deserialize, Serialize};

use super::SetCookie;
use crate::{
    rules::{
        identity::UserName,
        seal::{Resealed, Sealer},
        session::Sid,
    },
    secret::SecretBytes,
};

/// The panel's own cookies and token of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jar {
    /// By name; at most one of each.
    pub cookies: Vec<Cookie>,
    /// A header field, lower case, with its whole value.
    pub header: Option<(String, SecretBytes)>,
    /// To sign in again; only where the configuration says `renew: true`.
    pub again: Option<Credentials>,
}

/// A cookie of the panel's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: SecretBytes,
    /// The path that the panel gave it, if any.
    pub path: Option<String>,
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
            self.cookies.retain(|known| known.name != cookie.name);
            if let Some(value) = cookie.value.clone() {
                self.cookies.push(Cookie { name: cookie.name.clone(), value, path: cookie.path.clone() });
            }
        }
        self.cookies.sort_by(|a, b| a.name.cmp(&b.name));
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

    /// `name=value` pairs, for a `Cookie` field.
    pub fn pairs(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for cookie in &self.cookies {
            text.extend_from_slice(if text.is_empty() { b"" } else { b"; " });
            text.extend_from_slice(cookie.name.as_bytes());
            text.push(b'=');
            text.extend_from_slice(cookie.value.expose());
        }
        text
    }

    /// The same secret things for this session under the current master key, if they are not yet.
    pub fn reseal(sealer: &Sealer, sid: &Sid, sealed: &SecretBytes, nonce: [u8; 12]) -> Resealed {
        sealer.reseal(&purpose(sid), sealed.expose(), nonce)
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
fn purpose(sid: &Sid) -> String {
    format!("panel-login:{}", sid.public())
}
