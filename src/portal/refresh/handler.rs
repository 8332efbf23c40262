//! `/_gate/refresh`: a call for scripts, and a stop on the way for pages.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Deserialize;

use super::{flow::TRIES, rotate::rotate};
use crate::{
    portal::{
        body,
        context::Cx,
        cookies::{self, SetCookie},
        fault::Fault,
        issue,
        pages::{self, Notice},
        problem,
        redirect::Return,
        refusal,
    },
    rules::facts::Audience,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// `POST /_gate/refresh`
pub(crate) async fn post(cx: Cx, body: Body) -> Response {
    let renewed = match body::json::<Nothing>(&cx.headers, body, "an empty object").await {
        Ok(Nothing {}) => rotate(&cx).await,
        Err(fault) => Err(fault),
    };
    match renewed {
        Ok(issued) => issued.to(problem::state("signed-in", issued.json())),
        Err(Fault::SignedOut(reason)) => {
            issue::set(refusal::signed_out_document(&cx, reason), &SetCookie::clear(&cx.site().cookies))
        }
        Err(fault) => fault.document(&cx).into_response(),
    }
}

/// `GET /_gate/refresh?rd=`: for a page whose access token has expired. Only a document being navigated to, so that no
/// image or frame of somebody else's page can turn the family over.
pub(crate) async fn show(cx: Cx) -> Response {
    let back = Return::new(cx.query("rd"), cx.site());
    let (document, foreign) =
        (fetch(&cx, "sec-fetch-dest"), fetch(&cx, "sec-fetch-site") == Some("cross-site"));
    if cx.visit.facts.audience != Audience::Navigation || document.is_some_and(|to| to != "document") {
        return Fault::CrossSite.document(&cx).into_response();
    }
    if foreign {
        // The way here began on another site (a link in a mail); the next step begins on ours.
        return own_step(&cx, &back);
    }
    let tries = cookies::tries(&cx.site().cookies, &cx.headers);
    if tries >= TRIES {
        return given_up(&cx, &back);
    }
    // Another tab was faster, and there is nothing left to renew.
    if cx.gate().signed_in(&cx.visit).await.is_ok() {
        return count(&cx, pages::found(back.as_str()), tries + 1);
    }
    match rotate(&cx).await {
        Ok(issued) => count(&cx, issued.to(pages::found(back.as_str())), tries + 1),
        Err(Fault::SignedOut(_)) => {
            let to = format!("/_gate/sign-in{}", back.query());
            issue::set(pages::found(&to), &SetCookie::clear(&cx.site().cookies))
        }
        Err(fault) => fault.page(&cx),
    }
}

fn own_step(cx: &Cx, back: &Return) -> Response {
    let here = format!("/_gate/refresh{}", back.query());
    let mut notice = Notice::new(cx.frame(), cx.words.renewing, cx.words.renewing_text)
        .action(cx.words.go_on, here.clone());
    notice.onward = Some(here);
    pages::html(StatusCode::OK, &notice)
}

fn given_up(cx: &Cx, back: &Return) -> Response {
    let notice = Notice::new(cx.frame(), cx.words.not_renewed, cx.words.not_renewed_text)
        .action(cx.words.sign_in, format!("/_gate/sign-in{}", back.query()));
    count(cx, pages::html(StatusCode::CONFLICT, &notice), 0)
}

fn count(cx: &Cx, response: Response, tries: u32) -> Response {
    issue::set(response, &[SetCookie::tries(&cx.site().cookies, tries)])
}

fn fetch<'a>(cx: &'a Cx, name: &str) -> Option<&'a str> {
    cx.headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"))
}
