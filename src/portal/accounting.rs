//! What has to be accounted for is done only while that is possible, and answered when it is written down (R29).

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::Response,
};
use http::Method;

use super::{Portal, context::Cx, fault::Fault, guard};
use crate::gate::{
    Visit,
    accounts::{self, Matter},
};

/// What takes something away from whoever has it. It is done in any case: to refuse it would be worse than to write it
/// down late, which the trail does as soon as there is room.
pub(super) const HELD: [(&str, &str); 18] = [
    ("POST", "/_gate/sign-out"),
    ("POST", "/_gate/api/v1/sign-out"),
    ("POST", "/_gate/account/sessions/others"),
    ("POST", "/_gate/account/sessions/{id}/revoke"),
    ("POST", "/_gate/not-me"),
    ("DELETE", "/_gate/api/v1/sessions"),
    ("DELETE", "/_gate/api/v1/sessions/{id}"),
    ("POST", "/_gate/account/keys/{id}/delete"),
    ("DELETE", "/_gate/api/v1/keys/{id}"),
    ("POST", "/_gate/acting/end"),
    ("DELETE", "/_gate/api/v1/impersonation"),
    ("POST", "/_gate/admin/sessions/{id}/revoke"),
    ("DELETE", "/_gate/api/v1/admin/users/{name}/sessions"),
    ("DELETE", "/_gate/api/v1/admin/sessions/{id}"),
    ("POST", "/_gate/admin/bans"),
    ("POST", "/_gate/api/v1/admin/bans"),
    ("POST", "/_gate/api/v1/password/strength"),
    ("POST", "/_gate/account/backup-codes/download"),
];

/// A request that is safe for the panel's data and still changes something here.
const CHANGING: &str = "/_gate/refresh";

/// What an address is to the trail.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) portal: Arc<Portal>,
    /// As the table of routes has it.
    pub(crate) path: &'static str,
}

/// Refuses what cannot be accounted for, and keeps the answer back until it is.
pub(crate) async fn account(State(place): State<Place>, request: Request, next: Next) -> Response {
    let gate = &place.portal.gate;
    let Some(visit) = request.extensions().get::<Arc<Visit>>().cloned() else {
        return next.run(request).await;
    };
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let held = HELD.contains(&(request.method().as_str(), place.path)) || is_act_that_ends(&place, &request);
    let needed = (!safe || place.path == CHANGING) && !held;
    let (parts, body) = request.into_parts();
    // For the answer that is given instead.
    let mut again = parts.clone();
    let request = Request::from_parts(parts, body);
    let matter = Matter::of(&visit, gate.decision());
    let work = async {
        if needed && !gate.can_account() {
            return Err(false);
        }
        Ok(next.run(request).await)
    };
    let (answer, receipt) = accounts::run(matter, work).await;
    // What is held back until there is room is not waited for.
    let late = held && !gate.can_account();
    let settled = late || receipt.is_written().await || held;
    let done = match answer {
        Ok(answer) if settled => return answer,
        Ok(_) => true,
        Err(done) => done,
    };
    match Cx::from_request_parts(&mut again, &place.portal).await {
        Ok(cx) => guard::refuse(&cx, Fault::Unaccounted { done }),
        Err(undescribed) => undescribed,
    }
}

/// Disabling an account and signing it out, which share an address with what gives.
fn is_act_that_ends(place: &Place, request: &Request) -> bool {
    let act = request.uri().path().rsplit('/').next().unwrap_or_default();
    place.path == "/_gate/admin/users/{name}/{act}" && matches!(act, "disable" | "sign-out")
}
