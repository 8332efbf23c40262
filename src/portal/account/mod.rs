//! What people do with their own account's security: overview, second factor, backup codes, password.

mod backup_codes;
mod codes;
mod password;
mod refused;
mod reproof;
mod security;
mod two_factor;

use axum::routing::{get, post};

use super::routes::{Route, route};

/// Where the pages start, and where their ways lead back to.
pub(crate) const SECURITY: &str = "/_gate/account/security";

/// The addresses.
pub(crate) fn routes() -> Vec<Route> {
    let forms = &["GET", "POST"];
    vec![
        route(SECURITY, &["GET"], get(security::show)),
        route("/_gate/account/two-factor", forms, get(two_factor::show).post(two_factor::start)),
        route(
            "/_gate/account/two-factor/confirm",
            forms,
            get(two_factor::show_confirm).post(two_factor::confirm),
        ),
        route(
            "/_gate/account/two-factor/remove",
            forms,
            get(two_factor::show_remove).post(two_factor::remove),
        ),
        route("/_gate/account/backup-codes", forms, get(backup_codes::show).post(backup_codes::renew)),
        route("/_gate/account/backup-codes/download", &["POST"], post(backup_codes::download)),
        route("/_gate/account/password", forms, get(password::show).post(password::change)),
        route(
            "/_gate/api/v1/totp",
            &["POST", "DELETE"],
            post(two_factor::call_start).delete(two_factor::call_remove),
        ),
        route("/_gate/api/v1/totp/confirm", &["POST"], post(two_factor::call_confirm)),
        route("/_gate/api/v1/backup-codes", &["POST"], post(backup_codes::call_renew)),
        route("/_gate/api/v1/password", &["POST"], post(password::call_change)),
        route("/_gate/api/v1/password/strength", &["POST"], post(password::call_strength)),
    ]
}
