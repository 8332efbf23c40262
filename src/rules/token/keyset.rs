//! Our own keys: Ed25519 for access tokens and assertions, HMAC for refresh tokens, the master key for sealing.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use aws_lc_rs::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair},
};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::json;

use super::{
    AccessClaims, AssertionClaims, BadToken, Pending, RefreshToken, access, assertion, pending, refresh,
};
use crate::{
    clock::Wall,
    rules::{
        identity::UserId,
        seal::Sealer,
        session::{Family, Sid},
    },
    secret::SecretBytes,
};

/// The keys that sign and verify our own tokens. Replaced as a whole on rotation; cheap to clone.
///
/// The default set has no keys: it signs nothing and accepts nothing.
#[derive(Clone, Default)]
pub struct KeySet {
    keys: Option<Arc<Keys>>,
    sealer: Sealer,
}

struct Keys {
    /// The first one signs.
    access: Vec<Signing>,
    /// The first one is given to new families.
    refresh: Vec<Refreshing>,
}

struct Signing {
    kid: String,
    private: EncodingKey,
    public: DecodingKey,
    /// The public key in base64url.
    x: String,
    until: Wall,
}

struct Refreshing {
    id: String,
    key: hmac::Key,
}

/// What an access token of one text says, with everything that this hangs on besides the text (R26).
#[derive(Clone)]
pub struct KeptAccess {
    claims: AccessClaims,
    /// When the key that signed it retires.
    until: Wall,
    /// What it was read with. Held weakly: private keys must not live on here, and an address is not used again as long
    /// as anybody holds it.
    keys: Weak<Keys>,
}

impl KeptAccess {
    /// The longest text that can be one, in bytes.
    pub const LONGEST: usize = access::LIMIT;

    /// What it says, whatever it is read for.
    pub fn claims(&self) -> &AccessClaims {
        &self.claims
    }

    /// What [`KeySet::read_access`] would answer to the same text; `None` if that has to be asked.
    pub fn again(&self, keys: &KeySet, site: &str, now: Wall) -> Option<&AccessClaims> {
        let same = keys.keys.as_ref().is_some_and(|keys| std::ptr::eq(self.keys.as_ptr(), Arc::as_ptr(keys)));
        (same && *self.claims.aud == *site && now < self.until).then_some(&self.claims)
    }
}

/// The material of a [`KeySet`], as it is read from files.
#[derive(Clone, Debug)]
pub struct KeyMaterial {
    /// At least one; the first signs, the others only verify.
    pub access: Vec<AccessKey>,
    /// At least one; the first is given to new families, the others serve the families that have them.
    pub refresh: Vec<RefreshKey>,
    /// The master key that everything sealed hangs on: 32 bytes.
    pub master: SecretBytes,
}

/// One Ed25519 key.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// Its id: the `kid` of what it signs.
    pub kid: String,
    /// PKCS#8 in DER (RFC 8410).
    pub pkcs8: SecretBytes,
    /// Until when it verifies.
    pub until: Wall,
}

/// One refresh key.
#[derive(Clone, Debug)]
pub struct RefreshKey {
    /// Its id, which the families that use it name.
    pub id: String,
    /// 32 bytes.
    pub key: SecretBytes,
}

/// What is wrong with key material.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Not an Ed25519 key in PKCS#8.
    #[error("access key `{0}` is not an Ed25519 private key in PKCS#8")]
    Access(String),
    /// Not 32 bytes.
    #[error("refresh key `{0}` is not 32 bytes long")]
    Refresh(String),
    /// Not 32 bytes.
    #[error("the master key is not 32 bytes long")]
    Master,
    /// No key of a kind.
    #[error("there is no {0} key")]
    None(&'static str),
    /// Two keys have one id.
    #[error("two keys have the id `{0}`")]
    Twice(String),
}

/// What comes before the 32 bytes of a private key in PKCS#8 (RFC 8410 §7).
const PKCS8_HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

impl AccessKey {
    /// A new key out of fresh random bytes, with no end yet.
    pub fn from_seed(kid: String, seed: [u8; 32]) -> Self {
        Self { kid, pkcs8: SecretBytes::new([PKCS8_HEAD.as_slice(), &seed].concat()), until: Wall::NEVER }
    }
}

impl KeySet {
    /// Tries every key and puts them together.
    ///
    /// # Errors
    /// With the first key that is not usable.
    pub fn new(material: KeyMaterial) -> Result<Self, BadKey> {
        let master: [u8; 32] = material.master.expose().try_into().map_err(|_| BadKey::Master)?;
        unique(material.access.iter().map(|key| &key.kid), "access")?;
        unique(material.refresh.iter().map(|key| &key.id), "refresh")?;
        let access = material.access.into_iter().map(Signing::new).collect::<Result<_, _>>()?;
        let refresh = material.refresh.into_iter().map(Refreshing::new).collect::<Result<_, _>>()?;
        Ok(Self { keys: Some(Arc::new(Keys { access, refresh })), sealer: Sealer::new(master) })
    }

    /// The same set, and what an older master key sealed opens as well.
    ///
    /// # Errors
    /// When that key is not 32 bytes long.
    pub fn opening(self, older: &SecretBytes) -> Result<Self, BadKey> {
        let older: [u8; 32] = older.expose().try_into().map_err(|_| BadKey::Master)?;
        Ok(Self { sealer: self.sealer.opening(older), ..self })
    }

    /// Signs an access token. `jti` must be fresh random bytes.
    pub fn issue_access(&self, claims: &AccessClaims, jti: [u8; 16], user: &UserId) -> String {
        self.signing().map(|key| access::issue(claims, jti, user, &key.kid, &key.private)).unwrap_or_default()
    }

    /// Checks an access token for a site.
    ///
    /// # Errors
    /// [`BadToken::Expired`] if only the time is wrong, [`BadToken::Invalid`] for everything else.
    pub fn verify_access(&self, text: &str, site: &str, now: Wall) -> Result<AccessClaims, BadToken> {
        let claims = self.read_access(text, site, now)?;
        if now >= claims.exp { Err(BadToken::Expired) } else { Ok(claims) }
    }

    /// Reads an access token of ours for a site: signature and everything but the expiry, which the judge compares
    /// itself, since an expired token may still name a session that can be renewed or signed out.
    ///
    /// # Errors
    /// [`BadToken::Invalid`].
    pub fn read_access(&self, text: &str, site: &str, now: Wall) -> Result<AccessClaims, BadToken> {
        self.read_to_keep(text, site, now).map(|kept| kept.claims)
    }

    /// The same, to be kept: whoever meets the very same text again need not have its signature checked again.
    ///
    /// # Errors
    /// [`BadToken::Invalid`].
    pub fn read_to_keep(&self, text: &str, site: &str, now: Wall) -> Result<KeptAccess, BadToken> {
        let keys = self.keys.as_ref().ok_or(BadToken::Invalid)?;
        let mut until = Wall::default();
        let claims = access::read(text, site, |kid| {
            let key = keys.access.iter().find(|key| key.kid == kid && now < key.until)?;
            until = key.until;
            Some(&key.public)
        })?;
        Ok(KeptAccess { claims, until, keys: Arc::downgrade(keys) })
    }

    /// Signs an assertion for the panel.
    pub fn sign_assertion(&self, claims: &AssertionClaims) -> String {
        self.signing().map(|key| assertion::sign(claims, &key.kid, &key.private)).unwrap_or_default()
    }

    /// The public keys as a JWK set (RFC 7517, RFC 8037), for panels that check assertions.
    pub fn jwks(&self) -> serde_json::Value {
        let keys: Vec<_> = self.keys.iter().flat_map(|keys| &keys.access).map(Signing::jwk).collect();
        json!({ "keys": keys })
    }

    /// The id of the refresh key for new families.
    pub fn current_refresh_key(&self) -> &str {
        self.keys
            .as_ref()
            .and_then(|keys| keys.refresh.first())
            .map(|key| key.id.as_str())
            .unwrap_or_default()
    }

    /// The refresh token of the family's current generation; `None` if its key is gone.
    pub fn mint_refresh(&self, sid: &Sid, family: &Family) -> Option<String> {
        Some(refresh::mint(sid, family, self.refresh_key(&family.key)?))
    }

    /// Whether the token was minted for this family, whatever its generation.
    pub fn check_refresh(&self, token: &RefreshToken, family: &Family) -> bool {
        self.refresh_key(&family.key).is_some_and(|key| refresh::check(token, family, key))
    }

    /// Seals a pending sign-in. The nonce must be fresh random bytes.
    pub fn seal_pending(&self, pending: &Pending, nonce: [u8; 12]) -> String {
        pending::seal(pending, nonce, &self.sealer)
    }

    /// Opens a pending sign-in.
    ///
    /// # Errors
    /// [`BadToken::Expired`] if only the time is wrong, [`BadToken::Invalid`] for everything else.
    pub fn open_pending(&self, text: &str, now: Wall) -> Result<Pending, BadToken> {
        pending::open(text, now, &self.sealer)
    }

    /// Seals whatever else has to be sealed, by purpose.
    pub fn master(&self) -> &Sealer {
        &self.sealer
    }

    fn signing(&self) -> Option<&Signing> {
        self.keys.as_ref()?.access.first()
    }

    fn refresh_key(&self, id: &str) -> Option<&hmac::Key> {
        self.keys.as_ref()?.refresh.iter().find(|key| key.id == id).map(|key| &key.key)
    }
}

#[cfg(test)]
impl KeySet {
    /// A set that is the same for the same seed.
    pub(crate) fn of_seed(seed: u8) -> Self {
        let material = KeyMaterial {
            access: vec![AccessKey::from_seed(format!("a{seed}"), [seed; 32])],
            refresh: vec![RefreshKey { id: format!("r{seed}"), key: SecretBytes::new([seed; 32]) }],
            master: SecretBytes::new([seed; 32]),
        };
        Self::new(material).expect("the key material of tests is sound")
    }
}

impl Signing {
    fn new(key: AccessKey) -> Result<Self, BadKey> {
        let pair =
            Ed25519KeyPair::from_pkcs8(key.pkcs8.expose()).map_err(|_| BadKey::Access(key.kid.clone()))?;
        let public = pair.public_key().as_ref();
        Ok(Self {
            private: EncodingKey::from_ed_der(key.pkcs8.expose()),
            public: DecodingKey::from_ed_der(public),
            x: BASE64URL_NOPAD.encode(public),
            kid: key.kid,
            until: key.until,
        })
    }

    fn jwk(&self) -> serde_json::Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": self.x, "kid": self.kid, "use": "sig", "alg": "EdDSA" })
    }
}

impl Refreshing {
    fn new(key: RefreshKey) -> Result<Self, BadKey> {
        if key.key.expose().len() != 32 {
            return Err(BadKey::Refresh(key.id));
        }
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, key.key.expose()), id: key.id })
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.as_ref();
        f.debug_struct("KeySet")
            .field("access", &keys.map(|keys| keys.access.iter().map(|key| &key.kid).collect::<Vec<_>>()))
            .field("refresh", &keys.map(|keys| keys.refresh.iter().map(|key| &key.id).collect::<Vec<_>>()))
            .finish_non_exhaustive()
    }
}

fn unique<'a>(ids: impl Iterator<Item = &'a String>, kind: &'static str) -> Result<(), BadKey> {
    let mut ids: Vec<_> = ids.collect();
    if ids.is_empty() {
        return Err(BadKey::None(kind));
    }
    ids.sort();
    match ids.windows(2).find(|pair| pair.first() == pair.last()).and_then(<[_]>::first) {
        Some(id) => Err(BadKey::Twice((*id).clone())),
        None => Ok(()),
    }
}
