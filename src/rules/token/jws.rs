//! Compact JSON Web Signatures (RFC 7515): taking them apart strictly, checking and making the signature.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use serde::Serialize;

use super::{
    BadToken,
    members::{Members, WrongType},
};

/// Header members that would let a token choose its own key, meaning or form (R10).
const REFUSED: [&str; 11] = ["jwk", "jku", "x5u", "x5c", "crit", "zip", "b64", "enc", "epk", "apu", "apv"];

/// A token taken apart; nothing in it is believed yet.
pub(super) struct Unverified<'a> {
    header: Members,
    /// What the signature is over: header and payload as they were sent.
    signed: &'a str,
    payload: Vec<u8>,
    signature: &'a str,
}

impl<'a> Unverified<'a> {
    /// Takes `text` apart: at most `limit` bytes, exactly three segments of canonical unpadded base64url, a header
    /// with no member twice and none of those that are refused.
    pub(super) fn parse(text: &'a str, limit: usize) -> Option<Self> {
        // The length comes first: splitting costs per dot (CVE-2025-30204).
        if text.len() > limit {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        // A fourth segment would leave a dot in the payload, which is no base64url.
        let header = Members::parse(&decode(header)?)?;
        let payload = decode(payload)?;
        decode(signature)?;
        let refused = header.names().any(|name| REFUSED.contains(&name));
        (!refused).then_some(Self { header, signed, payload, signature })
    }

    pub(super) fn header(&self) -> &Members {
        &self.header
    }

    /// Whether `key` signed this with `algorithm`; the header is not asked.
    pub(super) fn signed_by(&self, key: &DecodingKey, algorithm: Algorithm) -> bool {
        crypto::verify(self.signature, self.signed.as_bytes(), key, algorithm).unwrap_or(false)
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }
}

/// The header of the tokens that we sign.
#[derive(Serialize)]
struct OurHeader<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

/// Signs claims with EdDSA. Empty, which verifies for nobody, if the key cannot sign; keys are tried when they are read.
pub(super) fn sign(typ: &'static str, kid: &str, claims: &impl Serialize, key: &EncodingKey) -> String {
    try_sign(typ, kid, claims, key).unwrap_or_default()
}

fn try_sign(typ: &'static str, kid: &str, claims: &impl Serialize, key: &EncodingKey) -> Option<String> {
    let header = serde_json::to_vec(&OurHeader { alg: "EdDSA", typ, kid }).ok()?;
    let claims = serde_json::to_vec(claims).ok()?;
    let message = format!("{}.{}", BASE64URL_NOPAD.encode(&header), BASE64URL_NOPAD.encode(&claims));
    let signature = crypto::sign(message.as_bytes(), key, Algorithm::EdDSA).ok()?;
    Some(format!("{message}.{signature}"))
}

/// Canonical unpadded base64url: one spelling per value, trailing bits zero.
fn decode(segment: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(segment.as_bytes()).ok()
}

impl From<WrongType> for BadToken {
    fn from(_: WrongType) -> Self {
        Self::Invalid
    }
}
