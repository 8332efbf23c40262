//! API keys of an account: the list, making one, showing it once, deleting it.

mod call;
mod flow;
mod handler;
mod make;
mod view;

use axum::routing::{delete, get};

use super::routes::{Route, route};

/// The pages and calls.
pub(crate) fn routes() -> Vec<Route> {
    let forms = &["GET", "POST"];
    vec![
        route("/_gate/account/keys", &["GET"], get(handler::list)),
        route("/_gate/account/keys/new", forms, get(handler::show_new).post(handler::make)),
        route("/_gate/account/keys/{id}/delete", forms, get(handler::show_delete).post(handler::delete)),
        route("/_gate/api/v1/keys", forms, get(call::list).post(call::make)),
        route("/_gate/api/v1/keys/{id}", &["DELETE"], delete(call::delete)),
    ]
}
