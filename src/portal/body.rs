//! Bodies: small, of the right type, and with no field that is not asked for (R28, rows 58 and 84).

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use url::form_urlencoded;

use super::fault::Fault;
use crate::secret::SecretText;

/// More than any of our forms can fill.
const LARGEST: usize = 8 * 1024;
/// For a whole body: proxies pass slow ones on to the sidecar as they come (R25).
const PATIENCE: Duration = Duration::from_secs(15);

/// The fields of a form, each at most once.
pub(crate) struct Form(Vec<(String, SecretText)>);

impl Form {
    /// Reads a form that has no other fields than these.
    pub(crate) async fn read(headers: &HeaderMap, body: Body, known: &[&str]) -> Result<Self, Fault> {
        if media_type(headers) != "application/x-www-form-urlencoded" {
            return Err(Fault::WrongType);
        }
        let bytes = read(body).await?;
        let mut fields: Vec<(String, SecretText)> = Vec::new();
        for (name, value) in form_urlencoded::parse(&bytes) {
            if !known.contains(&&*name) || fields.iter().any(|(other, _)| *other == name) {
                return Err(Fault::BadBody("the form has a field that is unknown or there twice"));
            }
            fields.push((name.into_owned(), value.into_owned().into()));
        }
        Ok(Self(fields))
    }

    /// The text of a field; empty if it was not sent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.expose())
    }

    /// Whether a field was sent, empty or not.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// A field that holds a secret; `None` if it was not sent or is empty.
    pub(crate) fn secret(&self, name: &str) -> Option<SecretText> {
        let found = self.0.iter().find(|(key, value)| key == name && !value.expose().is_empty());
        found.map(|(_, value)| value.clone())
    }
}

/// Whether a text shows as it is: no control characters, no marks that turn or hide what stands around them, no line
/// of its own.
pub(crate) fn is_plain_line(text: &str) -> bool {
    text.chars().all(|letter| {
        let hidden = matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
        !letter.is_control() && !hidden
    })
}

/// Reads a JSON object. An array would fill a struct's fields in order, so the first character must open an object.
pub(crate) async fn json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    wanted: &'static str,
) -> Result<T, Fault> {
    is_json(headers)?;
    let bytes = read(body).await?;
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Fault::BadBody(wanted));
    }
    serde_json::from_slice(&bytes).map_err(|_| Fault::BadBody(wanted))
}

/// Whether the request says that it sends JSON: what a foreign form cannot (R20).
pub(crate) fn is_json(headers: &HeaderMap) -> Result<(), Fault> {
    if media_type(headers) == "application/json" { Ok(()) } else { Err(Fault::WrongType) }
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

async fn read(body: Body) -> Result<Vec<u8>, Fault> {
    match timeout(PATIENCE, Limited::new(body, LARGEST).collect()).await {
        Err(_) => Err(Fault::BadBody("the body took too long")),
        Ok(Ok(whole)) => Ok(whole.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Fault::TooLarge),
        Ok(Err(_)) => Err(Fault::BadBody("the body ended before it was complete")),
    }
}
