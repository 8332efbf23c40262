//! Panelgate's own pages and API, under `/_gate/`: one axum router, served by both doors.
//!
//! Each feature folder has a pure `flow` (what happens) and a thin `handler` (who asks, what is written, what is
//! answered); words are in [`words`], templates in `pages/`. Every answer gets the headers of [`headers`], every unsafe
//! request passes [`csrf`].

mod assets;
mod context;
mod cookies;
mod hasher;
mod headers;
mod pages;
mod problem;
mod redirect;
mod refusal;
mod words;

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{any, get},
};

pub use self::hasher::Hasher;
use crate::gate::Gate;

/// What the portal stands on.
pub struct Portal {
    /// Decides, remembers and writes.
    pub gate: Arc<Gate>,
    /// Checks passwords.
    pub hasher: Hasher,
}

/// The portal. Every request must carry an `Arc<Visit>` extension, except `/_gate/refused` for a host of no site.
pub fn router(portal: Portal) -> Router {
    Router::new()
        .route("/_gate/refused", any(refusal::refused))
        .route("/_gate/client.js", get(assets::script))
        .route("/_gate/style.css", get(assets::style_sheet))
        .fallback(refusal::unknown)
        .method_not_allowed_fallback(refusal::wrong_method)
        .layer(middleware::from_fn(headers::apply))
        .with_state(Arc::new(portal))
}
