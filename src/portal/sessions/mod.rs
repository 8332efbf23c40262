//! The session of this browser, and the list of all of its account; news of sign-ins from somewhere new.

mod change;
mod handler;
mod here;
mod link;
mod news;
mod page;
mod view;

use axum::routing::{delete, get, post};

pub(crate) use self::{
    news::look,
    view::{SessionRow, When, document, is_living, place},
};
use super::routes::{Route, route};

/// Sessions, as pages and as calls.
pub(crate) fn routes() -> Vec<Route> {
    let forms = &["GET", "POST"];
    vec![
        route("/_gate/account/sessions", &["GET"], get(page::show)),
        route("/_gate/account/sessions/others", forms, get(page::ask_others).post(page::revoke_others)),
        route("/_gate/account/sessions/{id}/revoke", forms, get(page::ask).post(page::revoke)),
        route("/_gate/account/sessions/{id}/known", &["POST"], post(page::recognise)),
        route("/_gate/not-me", forms, get(link::show).post(link::post)),
        route("/_gate/api/v1/session", &["GET"], get(here::here)),
        route(
            "/_gate/api/v1/sessions",
            &["GET", "DELETE"],
            get(handler::list).delete(handler::revoke_others),
        ),
        route("/_gate/api/v1/sessions/{id}", &["DELETE"], delete(handler::revoke)),
        route("/_gate/api/v1/sessions/{id}/known", &["POST"], post(handler::recognise)),
    ]
}
