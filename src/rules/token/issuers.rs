//! Trusted issuers: the panel's own tokens, checked with the issuer's keys and read through a claim mapping.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jsonwebtoken::DecodingKey;

use super::{
    BadToken,
    jwk::{Alg, Found, PublicKeys},
    jws::Unverified,
    members::{Members, WrongType},
};
use crate::{
    clock::Wall,
    rules::{
        identity::{Role, UserName},
        session::{ExternalIdentity, ExternalKey},
    },
    secret::SecretBytes,
};

/// The longest text that is looked at, in bytes. Twice our own limit: issuers put groups into their tokens.
const LIMIT: usize = 8192;
/// How far two machines' clocks may be apart (R10).
const LEEWAY: Duration = Duration::from_secs(5);
/// The longest session claim that is taken, in bytes.
const LONGEST_SESSION: usize = 256;
/// The shortest shared secret, in bytes (RFC 7518 §3.2).
const SHORTEST_SECRET: usize = 32;

/// One trusted issuer as it is configured.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Its name in the configuration.
    pub name: String,
    /// The exact `iss`.
    pub iss: String,
    /// What `aud` must be or contain.
    pub aud: String,
    /// What its tokens may be signed with.
    pub algorithms: Vec<Alg>,
    /// Which claim says what.
    pub claims: ClaimNames,
    /// The issuer's role → ours; the first that the token has counts. Empty: taken as it is.
    pub roles: Vec<(String, Role)>,
    /// The longest life of one of its tokens; longer ones are refused, since a revocation has to outlive them.
    pub max_lifetime: Duration,
    /// What its signatures are checked with.
    pub keys: IssuerKeys,
}

/// Which claim says what. A name with dots that is not itself a claim leads into nested objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// The account name.
    pub user: String,
    /// What identifies the session across renewals: `sid`, or `jti` where every token is a session of its own.
    pub session: String,
    /// The role or roles; `None` leaves the role to the account.
    pub role: Option<String>,
    /// The mail address.
    pub email: Option<String>,
}

/// What an issuer's signatures are checked with.
#[derive(Clone, Debug)]
pub enum IssuerKeys {
    /// Public keys by id. Empty until a feed brings some; nothing verifies before.
    Public(PublicKeys),
    /// One secret shared with the issuer, for `HS256` alone.
    Shared(SecretBytes),
}

/// Why an issuer cannot be trusted as configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIssuer {
    /// No algorithm is allowed.
    #[error("issuer `{0}` allows no algorithm")]
    NoAlgorithm(String),
    /// Key confusion (CVE-2016-10555) begins where both kinds are allowed.
    #[error(
        "issuer `{0}`: `HS256` goes with a shared secret and nothing else, every other algorithm with public keys"
    )]
    Mixed(String),
    /// A secret that can be guessed.
    #[error("issuer `{0}`: the shared secret has fewer than 32 bytes")]
    ShortSecret(String),
    /// Two issuers have one name.
    #[error("two issuers have the name `{0}`")]
    Twice(String),
}

/// The trusted issuers with their current keys. Replaced as a whole when a key feed brings news; cheap to clone.
#[derive(Clone, Default)]
pub struct Issuers(Arc<BTreeMap<String, Trusted>>);

#[derive(Clone)]
struct Trusted {
    issuer: Issuer,
    shared: Option<DecodingKey>,
    /// Tokens that named a key which is not there. Shared by all copies; no decision depends on it.
    unknown_keys: Arc<AtomicU64>,
}

impl Issuers {
    /// Checks what can be checked before the first token comes.
    ///
    /// # Errors
    /// With the first issuer whose algorithms, keys or name do not go together.
    pub fn new(issuers: Vec<Issuer>) -> Result<Self, BadIssuer> {
        let mut trusted = BTreeMap::new();
        for issuer in issuers {
            let name = issuer.name.clone();
            if trusted.insert(name.clone(), Trusted::new(issuer)?).is_some() {
                return Err(BadIssuer::Twice(name));
            }
        }
        Ok(Self(Arc::new(trusted)))
    }

    /// The same issuers, one of them with newer public keys. An issuer with a shared secret keeps it.
    pub fn with_keys(&self, issuer: &str, keys: PublicKeys) -> Self {
        let mut next = BTreeMap::clone(&self.0);
        if let Some(trusted) = next.get_mut(issuer)
            && trusted.shared.is_none()
        {
            trusted.issuer.keys = IssuerKeys::Public(keys);
        }
        Self(Arc::new(next))
    }

    /// The same issuers, one of them with the public keys that it has in `others`, if it has any there.
    pub fn with_keys_of(&self, issuer: &str, others: &Self) -> Self {
        match others.0.get(issuer).map(|trusted| &trusted.issuer.keys) {
            Some(IssuerKeys::Public(keys)) => self.with_keys(issuer, keys.clone()),
            Some(IssuerKeys::Shared(_)) | None => self.clone(),
        }
    }

    /// Checks a token that claims to be of the issuer with this configured name.
    ///
    /// # Errors
    /// [`BadToken::Expired`] if only the time is wrong, [`BadToken::Invalid`] for everything else.
    pub fn verify(&self, issuer: &str, text: &str, now: Wall) -> Result<ExternalIdentity, BadToken> {
        let payload = self.payload(issuer, text).ok_or(BadToken::Invalid)?;
        let claims = Members::parse(&payload).ok_or(BadToken::Invalid)?;
        self.0.get(issuer).ok_or(BadToken::Invalid)?.issuer.read(&claims, now)
    }

    /// What this issuer signed, whatever it says.
    pub(super) fn payload(&self, issuer: &str, text: &str) -> Option<Vec<u8>> {
        self.0.get(issuer)?.payload(text)
    }

    /// How many tokens of this issuer named a key that its set does not have: a reason to fetch the set again.
    pub fn unknown_keys(&self, issuer: &str) -> u64 {
        self.0.get(issuer).map_or(0, |trusted| trusted.unknown_keys.load(Ordering::Relaxed))
    }
}

impl Trusted {
    fn new(issuer: Issuer) -> Result<Self, BadIssuer> {
        let name = || issuer.name.clone();
        if issuer.algorithms.is_empty() {
            return Err(BadIssuer::NoAlgorithm(name()));
        }
        let shared = match &issuer.keys {
            IssuerKeys::Public(_) if issuer.algorithms.contains(&Alg::Hs256) => {
                return Err(BadIssuer::Mixed(name()));
            }
            IssuerKeys::Public(_) => None,
            IssuerKeys::Shared(_) if issuer.algorithms.iter().any(|alg| *alg != Alg::Hs256) => {
                return Err(BadIssuer::Mixed(name()));
            }
            IssuerKeys::Shared(secret) if secret.expose().len() < SHORTEST_SECRET => {
                return Err(BadIssuer::ShortSecret(name()));
            }
            IssuerKeys::Shared(secret) => Some(DecodingKey::from_secret(secret.expose())),
        };
        Ok(Self { issuer, shared, unknown_keys: Arc::default() })
    }

    fn payload(&self, text: &str) -> Option<Vec<u8>> {
        let token = Unverified::parse(text, LIMIT)?;
        let header = token.header();
        let alg = Alg::parse(header.text("alg").ok()??).filter(|alg| self.issuer.algorithms.contains(alg))?;
        let kid = header.text("kid").ok()?;
        if !fits(header.text("typ").ok()?) {
            return None;
        }
        let key = self.key(kid, alg)?;
        token.signed_by(key, alg.algorithm()).then(|| token.payload().to_vec())
    }

    fn key(&self, kid: Option<&str>, alg: Alg) -> Option<&DecodingKey> {
        match &self.issuer.keys {
            IssuerKeys::Shared(_) => self.shared.as_ref(),
            IssuerKeys::Public(keys) => match keys.find(kid, alg) {
                Found::Key(key) => Some(key),
                Found::Unfit => None,
                Found::Unknown => {
                    self.unknown_keys.fetch_add(1, Ordering::Relaxed);
                    None
                }
            },
        }
    }
}

/// Plain or RFC 9068 access tokens, or no type at all; never one of our own kinds (R11), nor a logout token.
fn fits(typ: Option<&str>) -> bool {
    typ.is_none_or(|typ| {
        let typ = typ.to_ascii_lowercase();
        matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
    })
}

impl Issuer {
    /// What verified claims say, once they are complete, of the right types, for us, and in time.
    fn read(&self, claims: &Members, now: Wall) -> Result<ExternalIdentity, BadToken> {
        let audiences = claims.texts("aud")?;
        if claims.text("iss")? != Some(&self.iss) || !audiences.contains(&self.aud.as_str()) {
            return Err(BadToken::Invalid);
        }
        let exp = self.lifetime(claims, now)?;
        let identity = ExternalIdentity {
            key: ExternalKey { issuer: self.name.clone(), session: self.session(claims)? },
            name: UserName::parse(claims.text(&self.claims.user)?.ok_or(BadToken::Invalid)?)
                .map_err(|_| BadToken::Invalid)?,
            role: self.role(claims)?,
            email: self.email(claims)?,
            // Whatever the issuer has signed for this session by now ends before this.
            expires: now.plus(self.max_lifetime).plus(LEEWAY * 2),
        };
        if now >= exp.plus(LEEWAY) { Err(BadToken::Expired) } else { Ok(identity) }
    }

    /// The expiry, if it is not too far away and nothing lies in the future.
    fn lifetime(&self, claims: &Members, now: Wall) -> Result<Wall, BadToken> {
        let exp = claims.time("exp")?.ok_or(BadToken::Invalid)?;
        let iat = claims.time("iat")?;
        let begun = [iat, claims.time("nbf")?].into_iter().flatten().all(|start| start <= now.plus(LEEWAY));
        let short = exp <= iat.unwrap_or(now).plus(self.max_lifetime);
        if begun && short { Ok(exp) } else { Err(BadToken::Invalid) }
    }

    fn session(&self, claims: &Members) -> Result<String, BadToken> {
        let session = claims.text(&self.claims.session)?.ok_or(BadToken::Invalid)?;
        let fits = (1..=LONGEST_SESSION).contains(&session.len());
        if fits { Ok(session.to_owned()) } else { Err(BadToken::Invalid) }
    }

    /// Our role. Where a role claim is configured, a token without a role that we know gets the empty role, which no
    /// policy knows: whoever lost a role at the issuer must not keep it here.
    fn role(&self, claims: &Members) -> Result<Option<Role>, WrongType> {
        let Some(claim) = &self.claims.role else { return Ok(None) };
        let theirs = claims.texts(claim)?;
        let ours = if self.roles.is_empty() {
            match theirs.as_slice() {
                [one] => Some(Role::from(*one)),
                _ => None,
            }
        } else {
            self.roles
                .iter()
                .find(|(name, _)| theirs.contains(&name.as_str()))
                .map(|(_, role)| Role::clone(role))
        };
        Ok(Some(ours.unwrap_or_default()))
    }

    fn email(&self, claims: &Members) -> Result<String, WrongType> {
        let email = match &self.claims.email {
            Some(claim) => claims.text(claim)?,
            None => None,
        };
        Ok(email.unwrap_or_default().to_owned())
    }
}

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.values().map(|trusted| &trusted.issuer)).finish()
    }
}
