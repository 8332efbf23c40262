//! Harbor, a sample hosting panel: the thing that Panelgate is put in front of.
//!
//! It believes the identity headers, shows them, and keeps everything in memory. It authenticates nobody itself, unless
//! it is to show what a panel with users of its own looks like behind a gate ([`sign_in`]).

mod book;
mod charts;
mod echo;
mod flash;
mod live;
mod pages;
pub mod sign_in;
mod users;
mod visitor;

#[cfg(test)]
mod tests;

use std::{io, sync::Arc};

use axum::{
    Router,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use http::{HeaderValue, header};
use tokio::net::TcpListener;

use self::{book::Harbor, sign_in::Member};
use crate::clock::Clock;

/// Everything from here, nothing inline; the gate's own script is same-origin.
const CONTENT_POLICY: &str =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Serves the panel for ever, with a sign-in of its own if it has members.
///
/// # Errors
/// If the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    clock: Arc<dyn Clock>,
    members: Option<Vec<Member>>,
) -> io::Result<()> {
    let router = match members {
        Some(members) => sign_in::router(members, clock),
        None => router(clock),
    };
    axum::serve(listener, router).await
}

/// The panel as a service.
pub fn router(clock: Arc<dyn Clock>) -> Router {
    let pages = Router::new()
        .route("/", get(pages::dashboard))
        .route("/identity", get(pages::identity))
        .route("/domains", get(pages::domains).post(pages::add_domain))
        .route("/domains/{name}", get(pages::domain))
        .route("/domains/{name}/delete", post(pages::delete_domain))
        .route("/users", get(users::list).post(users::add))
        .route("/users/{id}", get(users::show).post(users::change))
        .route("/users/{id}/suspend", post(users::suspend))
        .route("/users/{id}/delete", post(users::delete))
        .route("/settings", get(pages::settings).post(pages::save_settings))
        .route("/system", get(pages::system))
        .route("/system/services/{name}/restart", post(pages::restart));
    Router::new()
        .merge(pages)
        .route("/live/ws", any(live::socket))
        .route("/live/events", get(live::events))
        .route("/echo/slow", any(echo::slow))
        .route("/echo", any(echo::echo))
        .route("/echo/{*rest}", any(echo::echo))
        .route("/assets/harbor.css", get(async || asset("text/css", include_str!("assets/harbor.css"))))
        .route("/assets/harbor.js", get(async || asset("text/javascript", include_str!("assets/harbor.js"))))
        .route("/assets/harbor.svg", get(async || asset("image/svg+xml", include_str!("assets/harbor.svg"))))
        .fallback(pages::not_found)
        .layer(axum::middleware::from_fn(protect))
        .with_state(Arc::new(Harbor::new(clock)))
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let caching = "public, max-age=300";
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, caching)], text).into_response()
}

async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
