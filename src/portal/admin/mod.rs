//! What administrators do: accounts and sessions. Every page and call asks for an own second factor, just proved.

mod audit;
mod bans;
pub(super) mod decisions;
mod failures;
mod flow;
mod overview;
mod paging;
mod policy;
mod sessions;
mod users;
mod who;

use axum::routing::{delete, get};

pub use self::audit::ReadTrail;
pub(crate) use self::overview::Plot;
use super::routes::{Route, route};

/// Accounts and sessions, as pages and as calls.
pub(crate) fn routes() -> Vec<Route> {
    let forms = &["GET", "POST"];
    let accounts = vec![
        route("/_gate/admin", &["GET"], get(overview::lead)),
        route(overview::AT, &["GET"], get(overview::show)),
        route(decisions::AT, &["GET"], get(decisions::show)),
        route("/_gate/api/v1/admin/overview", &["GET"], get(overview::call)),
        route("/_gate/api/v1/admin/decisions", &["GET"], get(decisions::call)),
        route("/_gate/admin/users", &["GET"], get(users::list)),
        route("/_gate/admin/users/{name}", &["GET"], get(users::show)),
        route("/_gate/admin/users/{name}/{act}", forms, get(users::ask).post(users::act)),
        route("/_gate/admin/sessions", &["GET"], get(sessions::list)),
        route("/_gate/admin/sessions/{id}/revoke", forms, get(sessions::ask).post(sessions::revoke)),
        route("/_gate/api/v1/admin/users", &["GET"], get(users::call_list)),
        route(
            "/_gate/api/v1/admin/users/{name}",
            &["GET", "PATCH"],
            get(users::call_show).patch(users::call_change),
        ),
        route(
            "/_gate/api/v1/admin/users/{name}/second-factor",
            &["DELETE"],
            delete(users::call_remove_factor),
        ),
        route("/_gate/api/v1/admin/users/{name}/sessions", &["DELETE"], delete(users::call_sign_out)),
        route("/_gate/api/v1/admin/sessions", &["GET"], get(sessions::call_list)),
        route("/_gate/api/v1/admin/sessions/{id}", &["DELETE"], delete(sessions::call_revoke)),
    ];
    let lists = bans::routes().into_iter().chain(failures::routes()).chain(audit::routes());
    accounts.into_iter().chain(lists).chain(policy::routes()).collect()
}
