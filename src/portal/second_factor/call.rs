//! `POST /_gate/api/v1/second-factor`: completes the sign-in that waits in this browser, or else steps its session up.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    complete::{complete, pending},
    flow::Proof,
    prove::Unproved,
    step_up::step_up,
};
use crate::{
    clock::Wall,
    portal::{
        body,
        context::Cx,
        fault::Fault,
        guard::enrolment_url,
        issue::Issued,
        problem::{self, Problem},
        refusal,
    },
    rules::{reason::Reason, session::Elevation},
    secret::SecretText,
};

const WANTED: &str = "an object with either code or backup_code, a string that is not empty";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    code: Option<SecretText>,
    backup_code: Option<SecretText>,
}

/// `POST /_gate/api/v1/second-factor`
pub(crate) async fn call(cx: Cx, body: Body) -> Response {
    let proof = match read(&cx, body).await {
        Ok(proof) => proof,
        Err(fault) => return fault.document(&cx).into_response(),
    };
    if let Some((pending, user)) = pending(&cx) {
        return match complete(&cx, &pending, &user, proof).await {
            Ok((issued, elevation)) => done(&cx, Some(&issued), elevation),
            Err(why) => unproved_document(&cx, &why),
        };
    }
    match cx.gate().signed_in(&cx.visit).await {
        Err(reason) => refusal::signed_out_document(&cx, reason),
        Ok(bearer) => match step_up(&cx, &bearer, proof).await {
            Ok((issued, elevation)) => done(&cx, issued.as_ref(), Some(elevation)),
            Err(why) => unproved_document(&cx, &why),
        },
    }
}

async fn read(cx: &Cx, body: Body) -> Result<Proof, Fault> {
    let given: Given = body::json(&cx.headers, body, WANTED).await?;
    let full = |text: &SecretText| !text.expose().trim().is_empty();
    if given.code.is_some() && given.backup_code.is_some() {
        return Err(Fault::BadBody(WANTED));
    }
    Proof::new(given.code.filter(full), given.backup_code.filter(full)).ok_or(Fault::BadBody(WANTED))
}

fn done(cx: &Cx, issued: Option<&Issued>, elevation: Option<Elevation>) -> Response {
    let mut members = issued.map_or_else(|| json!({}), Issued::json);
    let until = cx.site().policy.elevated_elsewhere_until(elevation).map(Wall::secs);
    if let Some(members) = members.as_object_mut() {
        members.insert("elevated_until".into(), until.map_or(Value::Null, Value::from));
    }
    let response = problem::state("signed-in", members);
    match issued {
        Some(issued) => issued.to(response),
        None => response,
    }
}

/// Why a proof does not count, for a script.
pub(crate) fn unproved_document(cx: &Cx, why: &Unproved) -> Response {
    let (status, code) = match why {
        Unproved::Fault(fault) => return fault.document(cx).into_response(),
        Unproved::Wrong { .. } => (StatusCode::UNAUTHORIZED, "wrong-code"),
        Unproved::Used(_) => (StatusCode::UNAUTHORIZED, "used-code"),
        Unproved::NotHere => (StatusCode::FORBIDDEN, "wrong-factor"),
        Unproved::NotEnrolled => (StatusCode::FORBIDDEN, Reason::NeedsEnrolment.code()),
    };
    let mut problem = Problem::new(status, code, cx.words.verify_title, &why.text(cx));
    if status == StatusCode::UNAUTHORIZED {
        problem = problem.challenge("Bearer error=\"insufficient_user_authentication\"");
    }
    match why {
        Unproved::Used(wait) => problem.retry_after(*wait),
        Unproved::Wrong { left: Some(left), .. } => problem.with("tries_left", *left),
        Unproved::NotEnrolled => problem.with("enrolment_url", enrolment_url(cx, "")),
        Unproved::Wrong { left: None, .. } | Unproved::NotHere | Unproved::Fault(_) => problem,
    }
    .into_response()
}
