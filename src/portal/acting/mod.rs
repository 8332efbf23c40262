//! Impersonation: an administrator sees the panel as somebody of a lower role does. It is a state of the
//! administrator's own session and dies with it.

mod begin;
mod flow;
mod leave;
mod mark;
mod state;

use axum::routing::{get, post};

pub use self::mark::{Mark, mark};
pub(crate) use self::state::{Standing, state};
use super::routes::{Route, route};

/// The page that ends an impersonation, under `/_gate/`.
pub(crate) const END: &str = "acting/end";

/// What this feature answers to.
pub(crate) fn routes() -> Vec<Route> {
    let forms = &["GET", "POST"];
    vec![
        route("/_gate/admin/impersonate", forms, get(begin::show).post(begin::post)),
        route("/_gate/acting/end", forms, get(leave::show).post(leave::post)),
        route("/_gate/api/v1/impersonation", &["POST", "DELETE"], post(begin::call).delete(leave::call)),
    ]
}
