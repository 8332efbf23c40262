//! Other people's public keys: reading a JWK set (RFC 7517, RFC 8037), keeping the keys that may check signatures.

use std::{collections::BTreeSet, fmt, sync::Arc};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ParsedPublicKey};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey};

use super::members::{Json, Members, WrongType};

/// A signature algorithm that trusted issuers may use; a closed list, `none` is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alg {
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// RSA PKCS#1 v1.5 with SHA-384.
    Rs384,
    /// RSA PKCS#1 v1.5 with SHA-512.
    Rs512,
    /// RSA PSS with SHA-256.
    Ps256,
    /// RSA PSS with SHA-384.
    Ps384,
    /// RSA PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256.
    Es256,
    /// ECDSA on P-384.
    Es384,
    /// Ed25519; RFC 9864 writes it `Ed25519`.
    EdDsa,
    /// HMAC with SHA-256: only with a shared secret, never with a key set.
    Hs256,
}

impl Alg {
    /// The algorithm with this exact name, if it is one that can be allowed.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" | "Ed25519" => Self::EdDsa,
            "HS256" => Self::Hs256,
            _ => return None,
        })
    }

    pub(super) fn algorithm(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Rs384 => Algorithm::RS384,
            Self::Rs512 => Algorithm::RS512,
            Self::Ps256 => Algorithm::PS256,
            Self::Ps384 => Algorithm::PS384,
            Self::Ps512 => Algorithm::PS512,
            Self::Es256 => Algorithm::ES256,
            Self::Es384 => Algorithm::ES384,
            Self::EdDsa => Algorithm::EdDSA,
            Self::Hs256 => Algorithm::HS256,
        }
    }

    fn kind(self) -> Option<Kind> {
        match self {
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => {
                Some(Kind::Rsa)
            }
            Self::Es256 => Some(Kind::P256),
            Self::Es384 => Some(Kind::P384),
            Self::EdDsa => Some(Kind::Ed25519),
            Self::Hs256 => None,
        }
    }
}

/// The keys of one set that may check signatures. Cheap to clone; the default is empty and checks nothing.
#[derive(Clone, Default)]
pub struct PublicKeys(Arc<[PublicKey]>);

struct PublicKey {
    kid: Option<String>,
    kind: Kind,
    /// What the key says it is for; `None` when it leaves that open.
    alg: Option<Alg>,
    key: DecodingKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// Why a key set is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeySet {
    /// Not what RFC 7517 §5 describes.
    #[error(
        "this is not a JWK set: expected a JSON object with a list of objects as `keys`, no member twice"
    )]
    Form,
    /// Somebody published what must stay secret.
    #[error("the key set contains a private or shared key{0}: it must be replaced, whoever read it can sign")]
    Secret(String),
    /// `kid` must choose one key.
    #[error("two keys of the set have the key id `{0}`")]
    Twice(String),
    /// Nothing to check signatures with.
    #[error("the key set has no key that can check signatures (RSA from 2048 bits, P-256, P-384 or Ed25519)")]
    Empty,
}

impl PublicKeys {
    /// Reads a key set. Keys that cannot check signatures, are too weak or of an unknown kind are left out, as
    /// RFC 7517 §5 wants it.
    ///
    /// # Errors
    /// When it is no key set, gives away a secret, has a key id twice, or no usable key at all.
    pub fn parse(text: &[u8]) -> Result<Self, BadKeySet> {
        let set = Members::parse(text).ok_or(BadKeySet::Form)?;
        let mut keys = Vec::new();
        for jwk in set.objects("keys").map_err(|WrongType| BadKeySet::Form)? {
            // `d` is private in every kind, `k` is the shared key itself.
            if jwk.find("d").is_some() || jwk.find("k").is_some() {
                return Err(BadKeySet::Secret(named(jwk)));
            }
            keys.extend(PublicKey::read(jwk));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = keys.iter().filter_map(|key| key.kid.as_deref()).find(|kid| !seen.insert(*kid)) {
            return Err(BadKeySet::Twice(twice.to_owned()));
        }
        if keys.is_empty() { Err(BadKeySet::Empty) } else { Ok(Self(keys.into())) }
    }

    /// The key for a token: the one with its key id; without a key id the only one there is. It must fit `alg`.
    pub(super) fn find(&self, kid: Option<&str>, alg: Alg) -> Found<'_> {
        let chosen = match (kid, &*self.0) {
            (Some(kid), keys) => keys.iter().find(|key| key.kid.as_deref() == Some(kid)),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        match chosen {
            None => Found::Unknown,
            Some(key) if alg.kind() == Some(key.kind) && key.alg.is_none_or(|its| its == alg) => {
                Found::Key(&key.key)
            }
            Some(_) => Found::Unfit,
        }
    }
}

/// What looking for a key gave.
pub(super) enum Found<'a> {
    Key(&'a DecodingKey),
    /// No key has this id; a newer set may.
    Unknown,
    /// The key is for another algorithm.
    Unfit,
}

impl PublicKey {
    /// `None` for a key that is not for us.
    fn read(jwk: &Members) -> Option<Self> {
        let (kind, key) = match (jwk.text("kty").ok()??, jwk.text("crv").ok()?) {
            ("RSA", None) => (Kind::Rsa, rsa(jwk)?),
            ("EC", Some("P-256")) => (Kind::P256, point(jwk, 32)?),
            ("EC", Some("P-384")) => (Kind::P384, point(jwk, 48)?),
            ("OKP", Some("Ed25519")) => (Kind::Ed25519, ed25519(jwk)?),
            _ => return None,
        };
        let alg = match jwk.text("alg").ok()? {
            Some(name) => Some(Alg::parse(name).filter(|alg| alg.kind() == Some(kind))?),
            None => None,
        };
        let for_signatures = matches!(jwk.text("use"), Ok(None | Some("sig")));
        let may_verify = jwk.find("key_ops").is_none() || jwk.texts("key_ops").ok()?.contains(&"verify");
        let kid = jwk.text("kid").ok()?.map(str::to_owned);
        (for_signatures && may_verify).then_some(Self { kid, kind, alg, key })
    }
}

/// 2048 to 8192 bits, an odd exponent from 3 on.
fn rsa(jwk: &Members) -> Option<DecodingKey> {
    let (n, e) = (number(jwk, "n")?, number(jwk, "e")?);
    let bits = n.len() * 8 - usize::try_from(n.first()?.leading_zeros()).ok()?;
    let odd = e.last()? & 1 == 1 && n.last()? & 1 == 1;
    let sound = (2048..=8192).contains(&bits) && odd && e.len() <= 8 && e != [1];
    sound.then(|| DecodingKey::from_rsa_raw_components(&n, &e))
}

/// A point that is really on its curve.
fn point(jwk: &Members, size: usize) -> Option<DecodingKey> {
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != size || y.len() != size {
        return None;
    }
    let point = [&[4], x.as_slice(), &y].concat();
    let on_curve = if size == 32 {
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).is_ok()
    } else {
        ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &point).is_ok()
    };
    on_curve.then(|| DecodingKey::from_ec_der(&point))
}

fn ed25519(jwk: &Members) -> Option<DecodingKey> {
    let x = bytes(jwk, "x")?;
    (x.len() == 32).then(|| DecodingKey::from_ed_der(&x))
}

/// A big-endian number; some issuers write leading zeros, which RFC 7518 §6.3.1.1 does not want.
fn number(jwk: &Members, name: &str) -> Option<Vec<u8>> {
    let mut bytes = bytes(jwk, name)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    Some(bytes)
}

fn bytes(jwk: &Members, name: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(jwk.text(name).ok()??.as_bytes()).ok()
}

fn named(jwk: &Members) -> String {
    jwk.text("kid").ok().flatten().map(|kid| format!(" (`{kid}`)")).unwrap_or_default()
}

impl Members {
    /// A list of objects; anything else, absence included, is a fault.
    fn objects(&self, name: &str) -> Result<Vec<&Self>, WrongType> {
        match self.find(name) {
            Some(Json::List(list)) => list.iter().map(Json::as_object).collect(),
            None
            | Some(
                Json::Null
                | Json::Bool
                | Json::Whole(_)
                | Json::OtherNumber
                | Json::Text(_)
                | Json::Object(_),
            ) => Err(WrongType),
        }
    }
}

impl fmt::Debug for PublicKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| (&key.kid, key.kind))).finish()
    }
}
