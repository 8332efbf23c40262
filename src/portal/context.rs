//! What every handler has: the portal, the visit, the reader's language, and the query.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, request::Parts};
use url::form_urlencoded;

use super::{
    Portal,
    fault::Fault,
    pages::Frame,
    words::{self, Words},
};
use crate::{
    clock::Wall,
    gate::{Gate, Visit},
    live::Whole,
    rules::{site::Site, token::KeySet},
};

/// The context of one request.
pub(crate) struct Cx {
    pub(crate) portal: Arc<Portal>,
    pub(crate) visit: Arc<Visit>,
    pub(crate) words: &'static Words,
    pub(crate) headers: HeaderMap,
    query: Vec<(String, String)>,
}

impl Cx {
    /// The gate.
    pub(crate) fn gate(&self) -> &Gate {
        &self.portal.gate
    }

    /// The site.
    pub(crate) fn site(&self) -> &Site {
        &self.visit.site
    }

    /// Our keys, of the generation that this request belongs to.
    pub(crate) fn keys(&self) -> &KeySet {
        &self.visit.snapshot.keys
    }

    /// When the request arrived.
    pub(crate) fn now(&self) -> Wall {
        self.visit.moment.wall
    }

    /// All sessions, for whoever looks at more than his own; waits while they are still being loaded after a start.
    pub(crate) async fn whole(&self) -> Result<Whole<'_>, Fault> {
        self.gate().whole().await.map_err(|_| Fault::Unavailable)
    }

    /// Whether this is a call of the API, which is answered with documents, and not a page.
    pub(crate) fn is_call(&self) -> bool {
        self.visit.facts.target.path().starts_with("/_gate/api/")
    }

    /// What surrounds a page.
    pub(crate) fn frame(&self) -> Frame {
        Frame::new(self.words, Some(self.site()))
    }

    /// The value of a query parameter; `None` when it is absent or there twice.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let mut values = self.query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.next().is_some() { None } else { first }
    }
}

impl FromRequestParts<Arc<Portal>> for Cx {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Response> {
        // A door that forgets the visit has not described the request, so nothing can be decided about it.
        let visit = parts.extensions.get::<Arc<Visit>>().cloned();
        let visit = visit.ok_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())?;
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self {
            portal: Arc::clone(portal),
            visit,
            words: words::choose(&parts.headers),
            headers: parts.headers.clone(),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        })
    }
}
