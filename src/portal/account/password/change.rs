//! `/_gate/account/password`: a new password, for the current one.

use axum::{body::Body, response::Response};
use http::StatusCode;
use serde::Deserialize;

use super::{
    super::{
        SECURITY,
        refused::{self, Refused},
        reproof,
        security::{is_kept_here, source},
        two_factor::answer,
    },
    strength::verdict,
};
use crate::{
    gate::SignedIn,
    portal::{
        body::Form,
        context::Cx,
        csrf::{self, Binding},
        fault::Fault,
        guard,
        issue::{self, Issued},
        pages::{self, AccountFrame, Notice, Tab},
        problem,
        words::fill,
    },
    rules::{
        factor::strength::{Remark, Strength, Verdict},
        judge::View,
    },
    secret::{SecretText, same},
    store::UserChange,
};

/// `GET /_gate/account/password`
pub(crate) async fn show(cx: Cx) -> Response {
    match guard::own_credentials(&cx).await {
        Ok(me) => page(&cx, &me, None),
        Err(response) => response,
    }
}

/// `POST /_gate/account/password`
pub(crate) async fn post(cx: Cx, body: Body) -> Result<Response, Response> {
    let me = guard::own_credentials(&cx).await?;
    let changed = match read(&cx, &me, body).await {
        Ok((current, new)) => change(&cx, &me, current, new).await,
        Err(fault) => Err(fault.into()),
    };
    Ok(match changed {
        Ok(issued) => issued.to(pages::see_other(&format!("{SECURITY}?done=password"))),
        Err(why) => page(&cx, &me, Some(&why)),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    current: SecretText,
    new: SecretText,
}

/// `POST /_gate/api/v1/password`
pub(crate) async fn call(cx: Cx, body: Body) -> Result<Response, Response> {
    let me = guard::own_credentials(&cx).await?;
    let wanted = "an object with current and new, both strings";
    let wanted: Wanted = refused::json(&cx, body, wanted).await?;
    Ok(match change(&cx, &me, wanted.current, wanted.new).await {
        Ok(issued) => issued.to(problem::state("changed", issued.json())),
        Err(why) => why.document(&cx),
    })
}

async fn read(cx: &Cx, me: &SignedIn, body: Body) -> Result<(SecretText, SecretText), Fault> {
    let fields = Form::read(&cx.headers, body, &["form", "current", "new"]).await?;
    csrf::check(cx, Binding::Session(&me.sid), fields.get("form"))?;
    Ok((fields.secret("current").unwrap_or_default(), fields.secret("new").unwrap_or_default()))
}

/// Changes it. Every session ends, this one too; the browser goes on in a fresh one (R15), as verified as it was.
async fn change(cx: &Cx, me: &SignedIn, current: SecretText, new: SecretText) -> Result<Issued, Refused> {
    if !is_kept_here(cx, &me.user) {
        return Err(Refused::Elsewhere);
    }
    // First, so that nobody has anything weighed who does not know it.
    reproof::password(cx, me, current.clone()).await?;
    let found = verdict(cx, me, &new).await?;
    if !found.accepted {
        return Err(Refused::NotTaken(found));
    }
    if same(current.expose().as_bytes(), new.expose().as_bytes()) {
        let remarks = vec![Remark::Same];
        return Err(Refused::NotTaken(Verdict { strength: Strength::Weak, accepted: false, remarks }));
    }
    let hash = cx.portal.hasher.hash(new, cx.gate().entropy().array()).await.map_err(Fault::from)?;
    let change = UserChange {
        password: Some(hash.ok_or(Fault::Unavailable)?),
        // Of two changes at once only the first one knew the current password.
        password_was: me.user.password.clone(),
        ..UserChange::default()
    };
    // The time of the change, not of the request: whatever was begun with the old password before it is void.
    let written = cx.gate().store().change_user(me.user.id, change, cx.gate().moment().wall).await?;
    if !cx.gate().settled(written).await {
        return Err(Refused::WrongPassword);
    }
    let account = cx.gate().live().records.user(&me.user.id).ok_or(Fault::Unavailable)?;
    let (client, user) = (cx.visit.facts.client.ip, &me.user.name);
    tracing::info!(target: "panelgate::audit", event = "password-changed", %client, %user, session = %me.public);
    Ok(issue::open(cx, &account, me.session.elevation).await?)
}

fn page(cx: &Cx, me: &SignedIn, why: Option<&Refused>) -> Response {
    let own = &cx.words.account;
    if !is_kept_here(cx, &me.user) {
        let text = fill(own.elsewhere, &[("source", &source(cx, &me.user))]);
        let notice = Notice::new(cx.frame(), own.elsewhere_title, text);
        return pages::html(StatusCode::OK, &notice.action(own.back_to_security, SECURITY));
    }
    let said = |wanted: bool| why.filter(|_| wanted).map(|why| why.text(cx));
    let wrong = matches!(why, Some(Refused::WrongPassword));
    let refused = matches!(why, Some(Refused::NotTaken(_)));
    let page = pages::Password {
        frame: cx.frame(),
        me: AccountFrame::new(cx, me, Tab::Security),
        form: csrf::token(cx, Binding::Session(&me.sid)),
        name: me.user.name.to_string(),
        shortest: cx.site().passwords.shortest(&me.user.role),
        wrong: said(wrong),
        refused: said(refused),
        fault: said(!wrong && !refused),
    };
    answer(&page, why)
}
