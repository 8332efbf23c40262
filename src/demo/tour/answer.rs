//! What came back, and what a step may ask of it.

use http::HeaderMap;
use serde_json::Value;

use super::{Broken, Held};

/// A whole answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    /// The first value of a header field; empty if there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; null if it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// A text member of the JSON body; empty if there is none.
    pub(super) fn member(&self, name: &str) -> String {
        self.json().get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// One of these statuses.
    pub(super) fn is(&self, wanted: &[u16]) -> Held {
        ensure(wanted.contains(&self.status), || {
            format!("status {} where {wanted:?} was promised: {}", self.status, self.short())
        })
    }

    /// 401 or 403 with a problem document whose member `link` leads to `page` of the portal.
    pub(super) fn refuses_with(&self, link: &str, page: &str) -> Held {
        self.is(&[401, 403])?;
        let kind = self.header("content-type");
        ensure(kind.starts_with("application/problem+json"), || format!("content type {kind:?}"))?;
        let target = self.member(link);
        ensure(target.contains(&format!("/_gate/{page}")), || format!("{link} is {target:?}"))
    }

    /// A redirect to a page of the portal that will lead back to `back`.
    pub(super) fn redirects_to(&self, page: &str, back: &str) -> Held {
        self.is(&[302, 303])?;
        let to = self.header("location");
        let query: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
        ensure(to.contains(&format!("/_gate/{page}?rd=")) && to.ends_with(&query), || format!("goes to {to}"))
    }

    /// The headers that the panel saw, from an answer of `/echo`: every value under a name.
    pub(super) fn seen(&self, name: &str) -> Vec<String> {
        let json = self.json();
        let headers = json.get("headers").and_then(Value::as_array).cloned().unwrap_or_default();
        let pairs = headers.iter().filter_map(|pair| Some((pair.get(0)?.as_str()?, pair.get(1)?.as_str()?)));
        pairs.filter(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).collect()
    }

    /// The answer on one line.
    pub(super) fn short(&self) -> String {
        let to = self.header("location");
        if !to.is_empty() {
            return format!("{} to {to}", self.status);
        }
        let kind = self.header("content-type").split(';').next().unwrap_or_default();
        match kind {
            "application/problem+json" => {
                format!("{} {}{}", self.status, self.member("reason"), self.links())
            }
            "application/json" => format!("{} {}", self.status, cut(&self.body, 100)),
            _ => format!("{} {kind}", self.status).trim_end().to_owned(),
        }
    }

    /// Where a problem document points to.
    fn links(&self) -> String {
        let links = ["sign_in_url", "refresh_url", "step_up_url"];
        let told = links.iter().filter(|name| !self.member(name).is_empty());
        told.flat_map(|name| {
            [", ".to_owned(), (*name).to_owned(), " ".to_owned(), cut(&self.member(name), 60)]
        })
        .collect()
    }
}

/// The first characters of a text, on one line.
fn cut(text: &str, length: usize) -> String {
    let mut characters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let start: String = characters.by_ref().take(length).collect();
    if characters.next().is_some() { format!("{start}…") } else { start }
}

/// Holds if `held` does; says what was found otherwise.
pub(super) fn ensure(held: bool, found: impl FnOnce() -> String) -> Held {
    if held { Ok(()) } else { Err(Broken(found())) }
}
