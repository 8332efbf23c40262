//! `/_gate/sign-in`, as a page and as a call.

use std::sync::Arc;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use super::flow::{self, Next};
use crate::{
    live::Class,
    portal::{
        attempt::Attempt,
        body::{self, Form},
        context::Cx,
        cookies::SetCookie,
        csrf::{self, Binding},
        fault::Fault,
        identities::{self, Verified},
        issue::{self, Issued},
        pages::{self, Notice},
        problem::{self, Problem, seconds_up},
        redirect::Return,
        words::fill,
    },
    rules::{
        address::NetworkKey,
        failures::{Kind, Known},
        identity::{User, UserName},
        login::Jar,
        reason::Reason,
        site::AtSignIn,
        token::Pending,
    },
    secret::{SecretBytes, SecretText},
};

/// The longest pending cookie, in bytes: with its name and attributes it has to stay under 4 KB.
const LONGEST_PENDING: usize = 3800;

/// What a right password came to.
enum Signed {
    In(Issued),
    /// The pending cookie.
    Half(SetCookie),
}

/// Why a sign-in was not made.
enum Refused {
    /// One answer for every reason there can be (R31).
    NoMatch,
    Fault(Fault),
}

/// `GET /_gate/sign-in`
pub(crate) async fn show(cx: Cx) -> Response {
    let back = Return::new(cx.query("rd"), cx.site());
    // Going on by itself could lead in circles if the door and the browser disagree about the session.
    if let Ok(bearer) = cx.gate().signed_in(&cx.visit).await {
        let text = fill(cx.words.signed_in_as, &[("name", bearer.user.name.as_str())]);
        let notice = Notice::new(cx.frame(), cx.words.sign_in, text)
            .action(cx.words.go_on, back.as_str())
            .action(cx.words.sign_out, "/_gate/sign-out");
        return pages::html(StatusCode::OK, &notice);
    }
    form(&cx, &back, "", StatusCode::OK, None)
}

/// `POST /_gate/sign-in`
pub(crate) async fn post(cx: Cx, body: Body) -> Response {
    let fields = match Form::read(&cx.headers, body, &["form", "rd", "username", "password"]).await {
        Ok(fields) => fields,
        Err(fault) => return fault.page(&cx),
    };
    let back = Return::new(Some(fields.get("rd")), cx.site());
    let name = fields.get("username");
    let missing =
        |text: &str| form(&cx, &back, name, StatusCode::UNPROCESSABLE_ENTITY, Some(text.to_owned()));
    if name.trim().is_empty() {
        return missing(cx.words.enter_user_name);
    }
    let Some(password) = fields.secret("password") else { return missing(cx.words.enter_password) };
    if let Err(fault) = csrf::check(&cx, Binding::Nobody, fields.get("form")) {
        return refuse(&cx, &back, name, fault);
    }
    match sign_in(&cx, name, password, &back).await {
        Ok(Signed::In(issued)) => issued.to(pages::see_other(back.as_str())),
        Ok(Signed::Half(cookie)) => {
            let to = format!("/_gate/second-factor{}", back.query());
            issue::set(pages::see_other(&to), &[cookie])
        }
        Err(Refused::NoMatch) => {
            form(&cx, &back, name, StatusCode::UNAUTHORIZED, Some(cx.words.no_match.to_owned()))
        }
        Err(Refused::Fault(fault)) => refuse(&cx, &back, name, fault),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    username: String,
    password: SecretText,
}

/// `POST /_gate/api/v1/sign-in`
pub(crate) async fn call(cx: Cx, body: Body) -> Response {
    let wanted = "an object with username and password, both strings";
    let credentials: Credentials = match body::json(&cx.headers, body, wanted).await {
        Ok(credentials) => credentials,
        Err(fault) => return fault.document(&cx).into_response(),
    };
    let back = Return::new(None, cx.site());
    match sign_in(&cx, &credentials.username, credentials.password, &back).await {
        Ok(Signed::In(issued)) => issued.to(problem::state("signed-in", issued.json())),
        Ok(Signed::Half(cookie)) => {
            let lasts = cx.site().lifetimes.pending.as_secs();
            issue::set(problem::state("second-factor", json!({ "expires_in": lasts })), &[cookie])
        }
        Err(Refused::NoMatch) => {
            let code = Reason::BadCredential.code();
            let problem = Problem::new(StatusCode::UNAUTHORIZED, code, cx.words.sign_in, cx.words.no_match);
            problem.challenge("Bearer").into_response()
        }
        Err(Refused::Fault(fault)) => fault.document(&cx).into_response(),
    }
}

async fn sign_in(cx: &Cx, name: &str, password: SecretText, back: &Return) -> Result<Signed, Refused> {
    // It stays under way until what it came to is written down.
    let (Verified { user, jar }, _attempt) = check(cx, name, password).await?;
    let asks = cx.site().second_factor.at_sign_in;
    let known = asks == AtSignIn::NewDevice && is_known(cx, &user).await?;
    let next = flow::after_password(&user, asks, known);
    let network = if next == Next::Open { Known::Yes } else { Known::NotYet };
    cx.gate().guess_succeeded(&cx.visit, user.id, Some(network), None).await.map_err(Fault::from)?;
    match next {
        Next::Open => Ok(Signed::In(issue::open_at_panel(cx, &user, None, jar.as_ref()).await?)),
        Next::AskCode => Ok(Signed::Half(pending(cx, &user, jar.as_ref(), back)?)),
    }
}

/// The account, if the password is right. Charged before any work is done.
async fn check<'a>(cx: &'a Cx, name: &str, password: SecretText) -> Result<(Verified, Attempt<'a>), Refused> {
    let client = cx.visit.facts.client.ip;
    let charged = cx.gate().live().counters.charge(NetworkKey::of(client), Class::SignIn, cx.visit.moment);
    charged.map_err(Fault::Throttled)?;
    let name = UserName::parse(name).ok();
    let subject = name.as_ref().map(|name| cx.gate().subject(&cx.visit, name));
    let attempt = Attempt::begin(cx, subject, Kind::Password)?;
    let why = match identities::of(cx).check(name.as_ref(), password).await {
        Ok(verified) => return Ok((verified, attempt)),
        Err(why) => why,
    };
    if let Some(fault) = why.fault() {
        return Err(Refused::Fault(fault));
    }
    // Only a name that is one: people type their password into the wrong field (R29).
    let known = name.as_ref().and_then(|name| cx.gate().live().records.user_by_name(name));
    let user = known.as_ref().map(|user| user.name.as_str());
    tracing::info!(target: "panelgate::audit", event = "sign-in-failed", %client, user);
    attempt.failed().await?;
    Err(Refused::NoMatch)
}

async fn is_known(cx: &Cx, user: &User) -> Result<bool, Fault> {
    let earlier = match issue::claims(cx) {
        Some(claims) => issue::session(cx, &claims.sid).await?,
        None => None,
    };
    Ok(flow::is_known(earlier.as_deref(), user.id))
}

fn pending(cx: &Cx, user: &User, jar: Option<&Jar>, back: &Return) -> Result<SetCookie, Fault> {
    let lasts = cx.site().lifetimes.pending;
    let pending = Pending {
        user: user.id,
        site: Arc::clone(&cx.site().id),
        issued: cx.now(),
        expires: cx.now().plus(lasts),
        rd: Some(back.field().to_owned()),
        panel: jar.map(|jar| SecretBytes::new(jar.bytes().as_slice())),
    };
    let sealed = cx.keys().seal_pending(&pending, cx.gate().entropy().array());
    if sealed.len() > LONGEST_PENDING {
        tracing::error!(
            "what the panel's login answers is too long to be kept while a code is asked for: pass on less of it"
        );
        return Err(Fault::Unavailable);
    }
    Ok(SetCookie::pending(&cx.site().cookies, &sealed, lasts))
}

fn refuse(cx: &Cx, back: &Return, name: &str, fault: Fault) -> Response {
    let mut response = form(cx, back, name, fault.status(), Some(fault.text(cx.words, cx.now())));
    if let Some(wait) = fault.wait() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds_up(wait)));
    }
    response
}

fn form(cx: &Cx, back: &Return, name: &str, status: StatusCode, error: Option<String>) -> Response {
    let page = pages::SignIn {
        frame: cx.frame(),
        form: csrf::token(cx, Binding::Nobody),
        rd: back.field().to_owned(),
        username: name.chars().take(64).collect(),
        error,
    };
    pages::html(status, &page)
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
