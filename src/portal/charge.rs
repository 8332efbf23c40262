//! Charges requests for the portal, which no policy stands before.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::Response,
};

use super::{Portal, context::Cx, fault::Fault, guard};
use crate::{gate::Visit, live::Class, rules::address::NetworkKey};

/// Charges the client's network, for a call of the API once more, before anything is read.
pub(crate) async fn charge(State(portal): State<Arc<Portal>>, request: Request, next: Next) -> Response {
    let Some(visit) = request.extensions().get::<Arc<Visit>>() else { return next.run(request).await };
    let (counters, network) = (&portal.gate.live().counters, NetworkKey::of(visit.facts.client.ip));
    let mut charged = counters.charge(network, Class::Request, visit.moment);
    if request.uri().path().starts_with("/_gate/api/") {
        charged = charged.and_then(|()| counters.charge(network, Class::Portal, visit.moment));
    }
    let Err(wait) = charged else { return next.run(request).await };
    let (mut parts, _) = request.into_parts();
    match Cx::from_request_parts(&mut parts, &portal).await {
        Ok(cx) => guard::refuse(&cx, Fault::Throttled(wait)),
        Err(undescribed) => undescribed,
    }
}
