//! The second and third step: the first code turns the app on, and the backup codes are shown.

use axum::{body::Body, response::Response};
use serde_json::{Value, json};

use super::{
    super::{
        SECURITY,
        codes::Fresh,
        refused::{self, Refused},
    },
    flow::under_way,
    start::{ask, scan},
};
use crate::{
    clock::Wall,
    gate::SignedIn,
    portal::{
        body::Form,
        context::Cx,
        csrf::{self, Binding},
        fault::Fault,
        guard::{self, ENROLMENT},
        issue::{self, Issued},
        pages, problem,
        redirect::Return,
        second_factor::{self, Checked},
    },
    rules::{
        factor::totp,
        identity::Totp,
        reason::Reason,
        session::{Elevation, Enrolment, Factor, SessionChange},
    },
    secret::SecretText,
};

/// What turning it on gave.
struct Done {
    codes: Fresh,
    elevation: Elevation,
    /// A session of a trusted issuer has no token of ours.
    issued: Option<Issued>,
}

/// `GET /_gate/account/two-factor/confirm`: where a reload of the second step leads.
pub(crate) async fn show(cx: Cx) -> Response {
    if let Err(response) = guard::enrolling(&cx).await {
        return response;
    }
    let back = Return::new(cx.query("rd"), cx.site());
    pages::see_other(&format!("{ENROLMENT}{}", back.query()))
}

/// `POST /_gate/account/two-factor/confirm`
pub(crate) async fn post(cx: Cx, body: Body) -> Result<Response, Response> {
    let me = guard::enrolling(&cx).await?;
    let fields =
        Form::read(&cx.headers, body, &["form", "rd", "code"]).await.map_err(|fault| fault.page(&cx))?;
    let back = Return::new(Some(fields.get("rd")), cx.site());
    let given = csrf::check(&cx, Binding::Session(&me.sid), fields.get("form")).map_err(Refused::from);
    let done = match given {
        Ok(()) => confirm(&cx, &me, &fields.secret("code").unwrap_or_default()).await,
        Err(why) => Err(why),
    };
    let done = match (done, under_way(&me.session, &me.user, cx.now())) {
        (Ok(done), _) => done,
        (Err(Refused::Gone), _) => return Ok(ask(&cx, &me, &back, false, Some(&Refused::Gone))),
        (Err(why), Some(enrolment)) => return Ok(scan(&cx, &me, enrolment, &back, Some(&why))),
        (Err(why), None) => return Ok(ask(&cx, &me, &back, false, Some(&why))),
    };
    let onward =
        if back.field().is_empty() { format!("{SECURITY}?done=app") } else { back.as_str().to_owned() };
    let response = done.codes.page(&cx, &me, true, &onward);
    Ok(match done.issued {
        Some(issued) => issued.to(response),
        None => response,
    })
}

/// `POST /_gate/api/v1/totp/confirm`
pub(crate) async fn call(cx: Cx, body: Body) -> Result<Response, Response> {
    let me = guard::enrolling(&cx).await?;
    let code = refused::code(&cx, body).await?;
    Ok(match confirm(&cx, &me, &code).await {
        Err(why) => why.document(&cx),
        Ok(done) => {
            let mut members = done.issued.as_ref().map_or_else(|| json!({}), Issued::json);
            let until = cx.site().policy.elevated_elsewhere_until(Some(done.elevation)).map(Wall::secs);
            if let Some(members) = members.as_object_mut() {
                members.insert("backup_codes".into(), done.codes.texts().into());
                members.insert("elevated_until".into(), until.map_or(Value::Null, Value::from));
            }
            let response = problem::state("enrolled", members);
            match done.issued {
                Some(issued) => issued.to(response),
                None => response,
            }
        }
    })
}

/// Takes the first code. It is used up by being written down with the app, so that it proves nothing else (R14), and of
/// any number of parallel tries exactly one turns the app on and is told its backup codes.
async fn confirm(cx: &Cx, me: &SignedIn, code: &SecretText) -> Result<Done, Refused> {
    let enrolment = under_way(&me.session, &me.user, cx.now()).ok_or(Refused::Gone)?;
    let step = first_step(cx, me, enrolment, code).await?;
    let codes = Fresh::make(cx, me.user.id).await?;
    let app = Totp { sealed_secret: enrolment.sealed_secret.clone(), last_step: step };
    let store = cx.gate().store();
    let written = store.enrol(me.user.id, app, codes.hashes.clone(), enrolment.replaces.clone()).await?;
    if !cx.gate().settled(written).await {
        return Err(Refused::Gone);
    }
    let (client, user, moved) = (cx.visit.facts.client.ip, &me.user.name, me.user.totp.is_some());
    tracing::info!(target: "panelgate::audit", event = "second-factor-enrolled", %client, %user, session = %me.public, moved);
    let elevation = Elevation { at: cx.now(), by: Factor::Totp };
    let issued = elevate(cx, me, elevation).await?;
    cx.gate().live().meters.elevation(elevation.by).count();
    Ok(Done { codes, elevation, issued })
}

async fn first_step(
    cx: &Cx,
    me: &SignedIn,
    enrolment: &Enrolment,
    code: &SecretText,
) -> Result<u64, Refused> {
    let attempt = second_factor::begin(cx, &me.user)?;
    let secret =
        totp::open(cx.keys().master(), &me.user.id, &enrolment.sealed_secret).ok_or(Refused::Gone)?;
    match second_factor::check(secret.expose(), code.expose(), cx.now(), 0) {
        Checked::Step(step) => Ok(step),
        Checked::Used | Checked::Wrong => Err(second_factor::wrong(attempt, false).await.into()),
    }
}

/// The session is verified now, and has nothing under way any more. It gets a new access token (R15).
async fn elevate(cx: &Cx, me: &SignedIn, elevation: Elevation) -> Result<Option<Issued>, Refused> {
    let store = cx.gate().store();
    let change = SessionChange { enrolment: Some(None), ..SessionChange::default() };
    store.change_session(me.sid, change, cx.now()).await?;
    let written = store.elevate(me.sid, elevation).await?;
    cx.gate().settled(written).await;
    let ended = Fault::SignedOut(Reason::SessionEnded);
    let session = issue::session(cx, &me.sid).await?.ok_or(ended)?;
    let claims = issue::claims(cx).filter(|claims| claims.sid == session.sid);
    Ok(claims.map(|claims| issue::access(cx, &session, claims.generation)))
}
