//! What is sent to a login endpoint: a text with places for the credentials, which are escaped for its format.

use url::form_urlencoded::byte_serialize;
use zeroize::{Zeroize, Zeroizing};

use crate::secret::{SecretBytes, SecretText};

/// A body with places for the credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Template {
    /// `application/x-www-form-urlencoded`: fields in order.
    Form(Vec<(String, Vec<Piece>)>),
    /// `application/json`.
    Json(Vec<Piece>),
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it is.
    Text(String),
    /// `{username}`
    Username,
    /// `{password}`
    Password,
    /// `{token}`: from the page that was fetched first.
    Token,
}

/// What goes into the places.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    /// The account name.
    pub username: &'a str,
    /// The password.
    pub password: &'a SecretText,
    /// The token of the form; may be empty.
    pub token: &'a str,
}

/// A filled template.
#[derive(Debug)]
pub struct Body {
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes.
    pub bytes: SecretBytes,
}

impl Piece {
    /// Splits a text at its places.
    pub fn split(text: &str) -> Vec<Self> {
        const PLACES: [(&str, Piece); 3] =
            [("{username}", Piece::Username), ("{password}", Piece::Password), ("{token}", Piece::Token)];
        let mut pieces = Vec::new();
        let mut rest = text;
        loop {
            let next = PLACES.iter().filter_map(|(name, piece)| {
                let (before, after) = rest.split_once(name)?;
                Some((before, after, piece))
            });
            let Some((before, after, piece)) = next.min_by_key(|(before, _, _)| before.len()) else { break };
            if !before.is_empty() {
                pieces.push(Self::Text(before.to_owned()));
            }
            pieces.push(piece.clone());
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Self::Text(rest.to_owned()));
        }
        pieces
    }
}

impl Template {
    /// Whether it has this place.
    pub fn has(&self, wanted: &Piece) -> bool {
        match self {
            Self::Form(fields) => fields.iter().any(|(_, pieces)| pieces.contains(wanted)),
            Self::Json(pieces) => pieces.contains(wanted),
        }
    }

    /// Whether what comes out is of its format, whatever goes in.
    pub fn is_sound(&self) -> bool {
        let Self::Json(_) = self else { return true };
        let awkward = SecretText::from("\"}\\ ,".to_owned());
        let body = self.fill(Filling { username: "\"}\\ ,", password: &awkward, token: "\"" });
        serde_json::from_slice::<serde_json::Value>(body.bytes.expose()).is_ok()
    }

    /// Fills the places; what goes in cannot leave its place.
    pub fn fill(&self, filling: Filling<'_>) -> Body {
        match self {
            Self::Form(fields) => {
                let mut text = Zeroizing::new(String::with_capacity(512));
                for (name, pieces) in fields {
                    if !text.is_empty() {
                        text.push('&');
                    }
                    text.extend(byte_serialize(name.as_bytes()));
                    text.push('=');
                    for piece in pieces {
                        text.extend(byte_serialize(value(piece, filling).as_bytes()));
                    }
                }
                Body { content_type: "application/x-www-form-urlencoded", bytes: bytes(&text) }
            }
            Self::Json(pieces) => {
                let mut text = Zeroizing::new(String::with_capacity(512));
                for piece in pieces {
                    match piece {
                        Piece::Text(plain) => text.push_str(plain),
                        Piece::Username | Piece::Password | Piece::Token => {
                            escape(value(piece, filling), &mut text);
                        }
                    }
                }
                Body { content_type: "application/json", bytes: bytes(&text) }
            }
        }
    }
}

fn value<'a>(piece: &'a Piece, filling: Filling<'a>) -> &'a str {
    match piece {
        Piece::Text(text) => text,
        Piece::Username => filling.username,
        Piece::Password => filling.password.expose(),
        Piece::Token => filling.token,
    }
}

/// As the inside of a JSON string.
fn escape(text: &str, into: &mut String) {
    let mut quoted = serde_json::to_string(text).unwrap_or_default();
    into.push_str(quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default());
    quoted.zeroize();
}

fn bytes(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes())
}
