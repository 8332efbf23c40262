//! Panelgate's own pages and API, under `/_gate/`: one axum router, served by both doors.
//!
//! Each feature folder has a pure `flow` (what happens) and a thin `handler` (who asks, what is written, what is
//! answered); words are in [`words`], templates in `pages/`. Every answer gets the headers of [`headers`], every unsafe
//! request passes [`csrf`].

mod account;
mod accounting;
mod acting;
mod admin;
mod assets;
mod attempt;
mod body;
mod charge;
mod context;
mod cookies;
mod csrf;
mod device;
mod fault;
mod guard;
mod hasher;
mod headers;
mod high_security;
mod identities;
mod issue;
mod keys;
mod notice;
mod openapi;
mod pages;
mod problem;
mod redirect;
mod refresh;
mod refusal;
mod routes;
mod second_factor;
mod sessions;
mod sign_in;
mod sign_out;
#[cfg(test)]
pub(crate) mod tests;
mod words;

use std::sync::Arc;

use axum::{Router, middleware};
use tokio::sync::mpsc;

pub use self::{
    acting::{Mark, mark},
    admin::ReadTrail,
    hasher::Hasher,
    notice::{Letter, NewSignIn},
};
use crate::gate::Gate;

/// What the portal stands on.
pub struct Portal {
    /// Decides, remembers and writes.
    pub gate: Arc<Gate>,
    /// Checks passwords.
    pub hasher: Hasher,
    /// Reads the audit trail.
    pub trail: Arc<dyn ReadTrail>,
    /// Where news of sign-ins waits to be sent; closed if it is sent nowhere.
    pub notices: mpsc::Sender<NewSignIn>,
}

/// The portal. Every request must carry an `Arc<Visit>` extension, except `/_gate/refused` for a host of no site.
pub fn router(portal: Portal) -> Router {
    serve(Arc::new(portal))
}

fn serve(portal: Arc<Portal>) -> Router {
    let guarded = routes::guarded().into_iter().fold(Router::new(), |router, route| {
        router.route(
            route.path,
            route
                .handler
                .layer(middleware::from_fn_with_state(Arc::clone(&portal), csrf::guard))
                .layer(middleware::from_fn_with_state(
                    accounting::Place { portal: Arc::clone(&portal), path: route.path },
                    accounting::account,
                ))
                .layer(middleware::from_fn_with_state(Arc::clone(&portal), charge::charge)),
        )
    });
    let refused = routes::refused();
    guarded
        .route(refused.path, refused.handler)
        .fallback(refusal::unknown)
        .method_not_allowed_fallback(refusal::wrong_method)
        .layer(middleware::from_fn(headers::apply))
        .with_state(portal)
}
