//! The table of everything under `/_gate/`. Tests and the OpenAPI document are held against it.

use std::sync::Arc;

use axum::{
    response::Response,
    routing::{MethodRouter, any, get, post},
};

use super::{
    Portal, account, acting, admin, assets, context::Cx, high_security, keys, openapi, problem, refresh,
    refusal, second_factor, sessions, sign_in, sign_out,
};

/// One address.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    /// What it answers to, for whoever reads the table.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the router knows them; the tests go through the table")
    )]
    pub(crate) methods: &'static [&'static str],
    pub(crate) handler: MethodRouter<Arc<Portal>>,
}

/// The address that is asked by proxies on behalf of a refused request, and so has no proof of its own origin.
pub(crate) fn refused() -> Route {
    route("/_gate/refused", &["GET", "POST"], any(refusal::refused))
}

/// Every other address; unsafe methods pass the guard of `csrf` first.
pub(crate) fn guarded() -> Vec<Route> {
    let own = [account::routes(), sessions::routes(), keys::routes()];
    let administration = [acting::routes(), admin::routes(), high_security::routes()];
    core().into_iter().chain(own.into_iter().chain(administration).flatten()).collect()
}

fn core() -> Vec<Route> {
    let forms = &["GET", "POST"];
    vec![
        route("/_gate/sign-in", forms, get(sign_in::show).post(sign_in::post)),
        route("/_gate/second-factor", forms, get(second_factor::show_complete).post(second_factor::complete)),
        route("/_gate/step-up", forms, get(second_factor::show_step_up).post(second_factor::step_up)),
        route("/_gate/sign-out", forms, get(sign_out::show).post(sign_out::post)),
        route("/_gate/refresh", forms, get(refresh::show).post(refresh::post)),
        route("/_gate/client.js", &["GET"], get(assets::client_script)),
        route("/_gate/portal.js", &["GET"], get(assets::portal_script)),
        route("/_gate/style.css", &["GET"], get(assets::style_sheet)),
        route("/_gate/.well-known/jwks.json", &["GET"], get(jwks)),
        route("/_gate/api/v1/openapi.json", &["GET"], get(openapi::document)),
        route("/_gate/api/v1/sign-in", &["POST"], post(sign_in::call)),
        route("/_gate/api/v1/second-factor", &["POST"], post(second_factor::call)),
        route("/_gate/api/v1/sign-out", &["POST"], post(sign_out::call)),
    ]
}

/// `GET /_gate/.well-known/jwks.json`: for panels that check assertions.
async fn jwks(cx: Cx) -> Response {
    problem::answer(&cx.keys().jwks())
}

pub(crate) fn route(
    path: &'static str,
    methods: &'static [&'static str],
    handler: MethodRouter<Arc<Portal>>,
) -> Route {
    Route { path, methods, handler }
}
