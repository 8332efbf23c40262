//! `/_gate/not-me`: the link in a letter about a new sign-in. It works without a sign-in, for a day, and can end that
//! one session and nothing else; looking at it, as mail programs do, ends nothing.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::{
    change::answer,
    view::{SessionRow, is_living},
};
use crate::{
    clock::Wall,
    portal::{
        body::Form,
        context::Cx,
        csrf::{self, Binding},
        fault::Fault,
        pages::{self, NotMe, Notice},
        words::fill,
    },
    rules::{
        identity::{User, UserId},
        judge::View,
        session::{EndReason, PublicId, Session},
    },
    store::Which,
};

const PAGE: &str = "/_gate/not-me";
const LASTS: Duration = Duration::from_secs(24 * 3600);
/// A link is much shorter.
const LONGEST: usize = 512;

/// What a link may do.
#[derive(Serialize, Deserialize)]
struct Link {
    user: UserId,
    session: PublicId,
    until: Wall,
}

/// The address that ends a session of this account.
pub(super) fn address(cx: &Cx, user: UserId, session: PublicId) -> String {
    let link = Link { user, session, until: cx.now().plus(LASTS) };
    let plain = postcard::to_stdvec(&link).unwrap_or_default();
    let sealed = cx.keys().master().seal(&purpose(cx), &plain, cx.gate().entropy().array());
    format!("{}{PAGE}?t={}", cx.site().portal.text, BASE64URL_NOPAD.encode(&sealed))
}

/// `GET /_gate/not-me?t=`
pub(crate) async fn show(cx: Cx) -> Response {
    let text = cx.query("t").unwrap_or_default();
    let mut response = match open(&cx, text).await {
        Ok(Some((user, session))) => ask(&cx, text, &user, &session, StatusCode::OK),
        Ok(None) => gone(&cx),
        Err(fault) => fault.page(&cx),
    };
    // The address is the proof, and nobody's business.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `POST /_gate/not-me`
pub(crate) async fn post(cx: Cx, body: Body) -> Response {
    let fields = match Form::read(&cx.headers, body, &["form", "t"]).await {
        Ok(fields) => fields,
        Err(fault) => return fault.page(&cx),
    };
    let text = fields.get("t");
    let (user, session) = match open(&cx, text).await {
        Ok(Some(found)) => found,
        Ok(None) => return gone(&cx),
        Err(fault) => return fault.page(&cx),
    };
    if csrf::check(&cx, Binding::Nobody, fields.get("form")).is_err() {
        return ask(&cx, text, &user, &session, Fault::StaleForm.status());
    }
    match revoke(&cx, &user, &session).await {
        Ok(()) => {
            let devices = &cx.words.devices;
            let notice = Notice::new(cx.frame(), devices.link_done_title, devices.link_done);
            pages::html(StatusCode::OK, &notice.action(cx.words.sign_in, "/_gate/account/security"))
        }
        Err(fault) => fault.page(&cx),
    }
}

async fn revoke(cx: &Cx, user: &User, session: &Session) -> Result<(), Fault> {
    let written = cx.gate().store().end(Which::One(session.sid), EndReason::Revoked, cx.now()).await?;
    let ended = cx.gate().settled(written).await;
    let (client, public) = (cx.visit.facts.client.ip, session.sid.public());
    tracing::info!(target: "panelgate::audit", event = "sessions-revoked", %client, user = %user.name, by = "letter", what = %public, ended);
    answer(cx, user, &public, false).await?;
    Ok(())
}

/// The living session that a link is for, and its account.
async fn open(cx: &Cx, text: &str) -> Result<Option<(Arc<User>, Arc<Session>)>, Fault> {
    let Some(link) = read(cx, text).filter(|link| cx.now() < link.until) else { return Ok(None) };
    let session = cx.whole().await?.session_by_public(&link.session);
    let session = session.filter(|session| session.user == link.user && is_living(cx, session));
    let user = cx.gate().live().records.user(&link.user);
    Ok(user.zip(session))
}

/// What a link says, if we made it.
fn read(cx: &Cx, text: &str) -> Option<Link> {
    let sealed = BASE64URL_NOPAD.decode(Some(text).filter(|text| text.len() <= LONGEST)?.as_bytes()).ok()?;
    postcard::from_bytes(&cx.keys().master().open(&purpose(cx), &sealed)?).ok()
}

fn ask(cx: &Cx, link: &str, user: &User, session: &Session, status: StatusCode) -> Response {
    let devices = &cx.words.devices;
    let page = NotMe {
        frame: cx.frame(),
        text: fill(devices.link_text, &[("user", user.name.as_str())]),
        facts: SessionRow::new(cx, session, &session.sid).facts(cx.words),
        form: csrf::token(cx, Binding::Nobody),
        link: link.to_owned(),
        error: (status != StatusCode::OK).then_some(cx.words.stale_form),
    };
    pages::html(status, &page)
}

fn gone(cx: &Cx) -> Response {
    let devices = &cx.words.devices;
    let notice = Notice::new(cx.frame(), devices.link_gone_title, devices.link_gone);
    pages::html(StatusCode::GONE, &notice.action(cx.words.sign_in, "/_gate/account/sessions"))
}

fn purpose(cx: &Cx) -> String {
    format!("not-me:{}", cx.site().id)
}
