//! New backup codes, for a code of the app.

use axum::{body::Body, response::Response};
use http::{HeaderValue, header};
use serde_json::json;

use super::{
    SECURITY,
    codes::{Fresh, head},
    refused::{self, Refused},
    two_factor::{ask_for_code, read_code, respond},
};
use crate::{
    gate::SignedIn,
    portal::{
        body::Form,
        context::Cx,
        csrf::{self, Binding},
        fault::Fault,
        guard, pages, problem,
        second_factor::{Proof, prove},
    },
    rules::factor::backup,
    secret::SecretText,
    store::UserChange,
};

const PAGE: &str = "/_gate/account/backup-codes";

/// `GET /_gate/account/backup-codes`
pub(crate) async fn show(cx: Cx) -> Response {
    match guard::own_credentials(&cx).await {
        Ok(me) => page(&cx, &me, None),
        Err(response) => response,
    }
}

/// `POST /_gate/account/backup-codes`
pub(crate) async fn renew(cx: Cx, body: Body) -> Result<Response, Response> {
    let me = guard::own_credentials(&cx).await?;
    let made = match read_code(&cx, &me, body).await {
        Ok(code) => make(&cx, &me, code).await,
        Err(why) => Err(why),
    };
    Ok(match made {
        Ok(fresh) => fresh.page(&cx, &me, false, &format!("{SECURITY}?done=codes")),
        Err(why) => page(&cx, &me, Some(&why)),
    })
}

/// `POST /_gate/api/v1/backup-codes`
pub(crate) async fn call_renew(cx: Cx, body: Body) -> Result<Response, Response> {
    let me = guard::own_credentials(&cx).await?;
    let code = refused::code(&cx, body).await?;
    Ok(match make(&cx, &me, code).await {
        Ok(fresh) => problem::answer(&json!({ "backup_codes": fresh.texts() })),
        Err(why) => why.document(&cx),
    })
}

/// `POST /_gate/account/backup-codes/download`: the codes that the page shows, as a file. They come from the page, since
/// nobody else knows them; nothing that is not spelled like a code is given back.
pub(crate) async fn download(cx: Cx, body: Body) -> Result<Response, Response> {
    let me = guard::own_credentials(&cx).await?;
    Ok(match file(&cx, &me, body).await {
        Ok(response) => response,
        Err(fault) => fault.page(&cx),
    })
}

async fn file(cx: &Cx, me: &SignedIn, body: Body) -> Result<Response, Fault> {
    let fields = Form::read(&cx.headers, body, &["form", "codes"]).await?;
    csrf::check(cx, Binding::Session(&me.sid), fields.get("form"))?;
    let codes: Vec<&str> = fields.get("codes").split_whitespace().collect();
    if codes.len() != backup::COUNT || !codes.iter().all(|code| backup::plausible(code)) {
        return Err(Fault::BadBody("the form has no backup codes"));
    }
    let text = format!("{}\n\n{}\n\n{}\n", head(cx, me), codes.join("\n"), cx.words.account.file_foot);
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let name = HeaderValue::from_static("attachment; filename=\"backup-codes.txt\"");
    headers.insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

/// The code is used up first, so that of any number of tries with it one makes codes.
async fn make(cx: &Cx, me: &SignedIn, code: SecretText) -> Result<Fresh, Refused> {
    prove(cx, &me.user, Proof::Code(code), None).await?;
    let fresh = Fresh::make(cx, me.user.id).await?;
    let change = UserChange { backup_codes: Some(fresh.hashes.clone()), ..UserChange::default() };
    let written = cx.gate().store().change_user(me.user.id, change, cx.now()).await?;
    cx.gate().settled(written).await;
    let (client, user) = (cx.visit.facts.client.ip, &me.user.name);
    tracing::info!(target: "panelgate::audit", event = "backup-codes-made", %client, %user, session = %me.public);
    Ok(fresh)
}

fn page(cx: &Cx, me: &SignedIn, why: Option<&Refused>) -> Response {
    let own = &cx.words.account;
    let page = pages::Prove {
        texts: vec![own.new_codes_text],
        submit: own.new_codes,
        ..ask_for_code(cx, me, own.new_codes_title, PAGE, why)
    };
    respond(cx, me, &page, why)
}
