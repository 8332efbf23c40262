//! The panel's own session on the way there and back: its cookies and token are ours to keep, and no browser's.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{self, COOKIE, SET_COOKIE},
};
use pingora_error::{Error, ErrorType, Result};
use pingora_http::ResponseHeader;

use super::gateway::{Gateway, Passage};
use crate::{
    clock::Wall,
    gate::panel::{Carried, Lapse},
    rules::login::SetCookie,
};

/// What the panel's answer comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on.
    Answer,
    /// The panel was signed in to again: the same request once more.
    Again,
}

/// Puts the panel's cookies and token into a request, in place of whatever the client sent under their names.
pub(super) fn carry(headers: &mut HeaderMap, passage: &Passage) {
    let Some(recipe) = &passage.visit.site.login else { return };
    let jar = match &passage.panel {
        Carried::ClientsOwn => return,
        Carried::Nothing | Carried::Missing { .. } => None,
        Carried::Panel { jar, .. } => Some(jar),
    };
    let names = &recipe.pass_on.cookies;
    let mut pairs = others(headers, names);
    let token = recipe.pass_on.token.as_ref().and_then(|token| HeaderName::try_from(&token.header).ok());
    if let Some(name) = &token {
        headers.remove(name);
    }
    if let Some(jar) = jar {
        let ours = jar.pairs();
        if !pairs.is_empty() && !ours.is_empty() {
            pairs.extend_from_slice(b"; ");
        }
        pairs.extend_from_slice(&ours);
        let value = jar.header.as_ref().and_then(|(_, value)| HeaderValue::from_bytes(value.expose()).ok());
        if let (Some(name), Some(mut value)) = (token, value) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
    headers.remove(COOKIE);
    if let Some(mut value) = HeaderValue::from_bytes(&pairs).ok().filter(|value| !value.is_empty()) {
        value.set_sensitive(true);
        headers.insert(COOKIE, value);
    }
}

/// The client's cookies, without those of these names.
fn others(headers: &HeaderMap, names: &[String]) -> Vec<u8> {
    let mut kept: Vec<u8> = Vec::new();
    for pair in headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';')) {
        let pair = pair.trim_ascii();
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        if !pair.is_empty() && !names.iter().any(|one| one.as_bytes() == name) {
            kept.extend_from_slice(if kept.is_empty() { b"" } else { b"; " });
            kept.extend_from_slice(pair);
        }
    }
    kept
}

/// Takes the panel's cookies out of an answer: the browser never has them.
pub(super) fn keep_back(head: &mut ResponseHeader, passage: &Passage) -> Result<Vec<SetCookie>> {
    let Some(recipe) = passage.visit.site.login.as_ref().filter(|_| passage.panel != Carried::ClientsOwn)
    else {
        return Ok(Vec::new());
    };
    let lines: Vec<HeaderValue> = head.headers.get_all(SET_COOKIE).iter().cloned().collect();
    let mut kept = Vec::new();
    let mut passed = Vec::new();
    for line in lines {
        let name = line.as_bytes().split(|byte| matches!(byte, b'=' | b';')).next().unwrap_or_default();
        if recipe.pass_on.cookies.iter().any(|one| one.as_bytes() == name.trim_ascii()) {
            kept.extend(SetCookie::parse(line.as_bytes()));
        } else {
            passed.push(line);
        }
    }
    head.remove_header(&SET_COOKIE);
    for line in passed {
        head.append_header(SET_COOKIE, line)?;
    }
    Ok(kept)
}

impl Gateway {
    /// Reads the panel's answer for what it says about the panel's own session.
    pub(super) async fn panel_session(
        &self,
        head: &mut ResponseHeader,
        passage: &Passage,
    ) -> Result<Verdict> {
        let cookies = keep_back(head, passage)?;
        let (sid, at) = match &passage.panel {
            Carried::ClientsOwn | Carried::Nothing => return Ok(Verdict::Answer),
            Carried::Missing { sid } => (sid, &Wall::default()),
            Carried::Panel { sid, at, .. } => (sid, at),
        };
        if says_signed_out(head, &cookies, passage) {
            let over = |status, what| Error::explain(ErrorType::HTTPStatus(status), what);
            match self.gate.panels().lapsed(&self.gate, &passage.visit, *sid, *at).await {
                Lapse::Renewed => return Ok(Verdict::Again),
                Lapse::SignIn => return Err(over(401, "the panel's own session is over")),
                Lapse::Unavailable => return Err(over(503, "the panel could not be signed in to again")),
                Lapse::Fresh => {}
            }
        }
        if !cookies.is_empty() {
            self.gate.panels().learn(&self.gate, &passage.visit, *sid, &cookies);
        }
        Ok(Verdict::Answer)
    }
}

fn says_signed_out(head: &ResponseHeader, cookies: &[SetCookie], passage: &Passage) -> bool {
    let visit = &passage.visit;
    let Some(signed_out) = visit.site.login.as_ref().and_then(|login| login.signed_out.as_ref()) else {
        return false;
    };
    let location = head.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let at = url::Url::parse(&visit.facts.url());
    at.is_ok_and(|at| signed_out.is(head.status.as_u16(), location, cookies, &at))
}
