//! `Set-Cookie` as a panel writes it.

use crate::secret::SecretBytes;

/// The longest value that is kept, in bytes.
const LONGEST: usize = 4096;

/// A cookie that a panel sets or takes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCookie {
    /// Its name.
    pub name: String,
    /// Its value; `None` when the panel takes the cookie back.
    pub value: Option<SecretBytes>,
    /// The path that it is for, if it names one.
    pub path: Option<String>,
    /// How long it lives, in seconds, if it says so.
    pub max_age: Option<u64>,
    /// `Strict`, whatever the case; otherwise it is treated as Lax.
    pub strict: bool,
}

impl SetCookie {
    /// Reads the field's value (RFC 6265 §5.2); `None` for what no browser would take, and for values over 4 KB.
    pub fn parse(field: &[u8]) -> Option<Self> {
        let mut parts = field.split(|byte| *byte == b';');
        let pair = parts.next()?;
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at_checked(at)?;
        let value = value.get(1..)?.trim_ascii();
        let name = std::str::from_utf8(name.trim_ascii()).ok()?.to_owned();
        let sound = value.len() <= LONGEST && value.iter().all(|byte| (b' '..=b'~').contains(byte));
        if name.is_empty() || !sound {
            return None;
        }
        let mut cookie = Self { name, value: None, path: None, max_age: None, strict: false };
        let mut gone = value.is_empty();
        for part in parts {
            gone |= cookie.attribute(part);
        }
        cookie.value = (!gone).then(|| SecretBytes::new(value));
        Some(cookie)
    }

    /// Takes an attribute in; whether it ends the cookie.
    fn attribute(&mut self, part: &[u8]) -> bool {
        let text = String::from_utf8_lossy(part);
        let (key, value) = text.split_once('=').unwrap_or((&text, ""));
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "path" if value.starts_with('/') && value.bytes().all(is_path) => {
                self.path = Some(value.to_owned());
            }
            "samesite" => self.strict = value.eq_ignore_ascii_case("strict"),
            "max-age" => {
                self.max_age = value.parse().ok();
                return value.starts_with('-') || value == "0";
            }
            // What every framework writes to delete a cookie.
            "expires" => return value.contains("1970"),
            _ => {}
        }
        false
    }
}

fn is_path(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b';' && byte != b','
}
