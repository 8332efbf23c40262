//! The first step: a proof, then the picture.

use std::time::Duration;

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use super::{
    super::{
        SECURITY,
        refused::{self, Refused},
        reproof::{self, FRESH, Need},
    },
    flow::{Material, under_way},
};
use crate::{
    gate::SignedIn,
    portal::{
        body::Form,
        context::Cx,
        csrf::{self, Binding},
        fault::Fault,
        guard::{self, ENROLMENT},
        pages::{self, Action, Ask, Notice},
        problem::{self, seconds_up},
        redirect::Return,
        second_factor::{Proof, prove},
        words::fill,
    },
    rules::{
        factor::totp::{self, SECRET_LENGTH},
        reason::Reason,
        session::{Enrolment, SessionChange},
    },
    secret::SecretText,
};

/// How long the picture is good.
pub(super) const LASTS: Duration = Duration::from_secs(10 * 60);

/// What was given as proof.
#[derive(Default)]
struct Given {
    password: Option<SecretText>,
    proof: Option<Proof>,
}

/// `GET /_gate/account/two-factor`: the picture if there is one, what has to be shown first otherwise.
pub(crate) async fn show(cx: Cx) -> Result<Response, Response> {
    let me = guard::enrolling(&cx).await?;
    let back = Return::new(cx.query("rd"), cx.site());
    if let Some(enrolment) = under_way(&me.session, &me.user, cx.now()) {
        return Ok(scan(&cx, &me, enrolment, &back, None));
    }
    Ok(ask(&cx, &me, &back, cx.query("with") == Some("backup"), None))
}

/// `POST /_gate/account/two-factor`
pub(crate) async fn post(cx: Cx, body: Body) -> Result<Response, Response> {
    let me = guard::enrolling(&cx).await?;
    let known = ["form", "rd", "password", "code", "backup_code"];
    let fields = Form::read(&cx.headers, body, &known).await.map_err(|fault| fault.page(&cx))?;
    let back = Return::new(Some(fields.get("rd")), cx.site());
    let backup = fields.has("backup_code");
    if let Err(fault) = csrf::check(&cx, Binding::Session(&me.sid), fields.get("form")) {
        return Ok(ask(&cx, &me, &back, backup, Some(&fault.into())));
    }
    let proof = Proof::new(fields.secret("code"), fields.secret("backup_code"));
    Ok(match start(&cx, &me, Given { password: fields.secret("password"), proof }).await {
        Ok(_) => pages::see_other(&format!("{ENROLMENT}{}", back.query())),
        Err(why) => ask(&cx, &me, &back, backup, Some(&why)),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    password: Option<SecretText>,
    code: Option<SecretText>,
    backup_code: Option<SecretText>,
}

/// `POST /_gate/api/v1/totp`
pub(crate) async fn call(cx: Cx, body: Body) -> Result<Response, Response> {
    let wanted = "an object with password, or with code or backup_code where an app is set up already";
    let me = guard::enrolling(&cx).await?;
    let given: Wanted = refused::json(&cx, body, wanted).await?;
    let given = Given { password: given.password, proof: Proof::new(given.code, given.backup_code) };
    Ok(match start(&cx, &me, given).await {
        Err(why) => why.document(&cx),
        Ok(material) => problem::answer(&json!({
            "secret": material.secret,
            "otpauth_url": material.url,
            "qr": material.picture,
            "expires_in": LASTS.as_secs(),
        })),
    })
}

/// Takes the proof and puts a new secret into the session.
async fn start(cx: &Cx, me: &SignedIn, given: Given) -> Result<Material, Refused> {
    match (reproof::need(cx, me), given) {
        (Need::Code, Given { proof: Some(proof), .. }) => drop(prove(cx, &me.user, proof, None).await?),
        (Need::Code, Given { proof: None, .. }) => return Err(Refused::CodeNeeded),
        (Need::Password, Given { password: Some(password), .. }) => {
            reproof::password(cx, me, password).await?;
        }
        (Need::Password, Given { password: None, .. }) => return Err(Refused::WrongPassword),
        (Need::FreshSignIn, _) => return Err(Refused::SignInAgain),
        (Need::Nothing, _) => {}
    }
    let secret: [u8; SECRET_LENGTH] = cx.gate().entropy().array();
    let material = material(cx, me, &secret)?;
    let nonce = cx.gate().entropy().array();
    let enrolment = Enrolment {
        sealed_secret: totp::seal(cx.keys().master(), &me.user.id, &secret, nonce),
        until: cx.now().plus(LASTS),
        replaces: me.user.totp.as_ref().map(|totp| totp.sealed_secret.clone()),
    };
    let change = SessionChange { enrolment: Some(Some(enrolment)), ..SessionChange::default() };
    let written = cx.gate().store().change_session(me.sid, change, cx.now()).await?;
    if !cx.gate().settled(written).await {
        return Err(Fault::SignedOut(Reason::SessionEnded).into());
    }
    let (client, user, moves) = (cx.visit.facts.client.ip, &me.user.name, me.user.totp.is_some());
    tracing::info!(target: "panelgate::audit", event = "second-factor-set-up-began", %client, %user, session = %me.public, moves);
    Ok(material)
}

fn material(cx: &Cx, me: &SignedIn, secret: &[u8]) -> Result<Material, Refused> {
    let material = Material::new(secret, &cx.site().title, &me.user, cx.words.account.qr_label);
    material.ok_or(Refused::Fault(Fault::Unavailable))
}

/// The picture, and the field for the first code.
pub(super) fn scan(
    cx: &Cx,
    me: &SignedIn,
    enrolment: &Enrolment,
    back: &Return,
    why: Option<&Refused>,
) -> Response {
    let opened = totp::open(cx.keys().master(), &me.user.id, &enrolment.sealed_secret);
    let material =
        opened.ok_or(Fault::Unavailable.into()).and_then(|secret| material(cx, me, secret.expose()));
    let material = match material {
        Ok(material) => material,
        Err(why) => return why.fault().unwrap_or(Fault::Unavailable).page(cx),
    };
    let own = &cx.words.account;
    let time = pages::wait(cx.words, enrolment.until.since(cx.now()));
    let page = pages::Scan {
        frame: cx.frame(),
        title: title(cx, me),
        error: why.map(|why| why.text(cx)),
        form: csrf::token(cx, Binding::Session(&me.sid)),
        rd: back.field().to_owned(),
        key: material.key(),
        key_hint: fill(own.key_hint, &[("account", me.user.name.as_str())]),
        picture: material.picture,
        url: material.url,
        good_for: fill(own.good_for, &[("time", &time)]),
        leave: leave(cx, me),
    };
    answer(&page, why)
}

/// Asks for what has to be shown first.
pub(super) fn ask(cx: &Cx, me: &SignedIn, back: &Return, backup: bool, why: Option<&Refused>) -> Response {
    let own = &cx.words.account;
    let (ask, text) = match reproof::need(cx, me) {
        Need::Code if backup => (Ask::Backup, own.ask_backup),
        Need::Code => (Ask::Code, own.ask_app),
        Need::Password => (Ask::Password, own.ask_password),
        Need::Nothing => (Ask::Nothing, own.ask_nothing),
        Need::FreshSignIn => return sign_in_again(cx),
    };
    let switch = match ask {
        Ask::Code => Some((own.lost_phone, format!("{ENROLMENT}{}", with_backup(back)))),
        Ask::Backup => Some((own.has_phone, format!("{ENROLMENT}{}", back.query()))),
        Ask::Password | Ask::Nothing => None,
    };
    let switch = switch.map(|(label, href)| Action { label: label.to_owned(), href });
    let page = pages::Prove {
        frame: cx.frame(),
        title: title(cx, me),
        set_up: true,
        texts: vec![text],
        warning: guard::owes_factor(cx, me).then_some(own.factor_needed),
        error: why.map(|why| why.text(cx)),
        action: ENROLMENT,
        form: csrf::token(cx, Binding::Session(&me.sid)),
        rd: back.field().to_owned(),
        name: me.user.name.to_string(),
        ask,
        submit: cx.words.go_on,
        danger: false,
        others: switch.into_iter().chain([leave(cx, me)]).collect(),
    };
    answer(&page, why)
}

fn sign_in_again(cx: &Cx) -> Response {
    let own = &cx.words.account;
    let text = fill(own.sign_in_again, &[("time", &pages::wait(cx.words, FRESH))]);
    let notice = Notice::new(cx.frame(), own.sign_in_again_title, text)
        .action(cx.words.sign_out, "/_gate/sign-out")
        .action(own.back_to_security, SECURITY);
    pages::html(StatusCode::FORBIDDEN, &notice)
}

fn with_backup(back: &Return) -> String {
    let query = back.query();
    if query.is_empty() { "?with=backup".to_owned() } else { format!("{query}&with=backup") }
}

fn title(cx: &Cx, me: &SignedIn) -> &'static str {
    let own = &cx.words.account;
    if me.user.totp.is_some() { own.change_app_title } else { own.set_up_title }
}

/// Whoever has to have a second factor can only sign out instead.
fn leave(cx: &Cx, me: &SignedIn) -> Action {
    let (label, href) = if guard::owes_factor(cx, me) {
        (cx.words.sign_out, "/_gate/sign-out")
    } else {
        (cx.words.not_now, SECURITY)
    };
    Action { label: label.to_owned(), href: href.to_owned() }
}

/// A page, with the status and the patience that a refusal asks for.
pub(in crate::portal::account) fn answer(page: &impl askama::Template, why: Option<&Refused>) -> Response {
    let mut response = pages::html(why.map_or(StatusCode::OK, Refused::status), page);
    if let Some(wait) = why.and_then(Refused::fault).and_then(Fault::wait) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds_up(wait)));
    }
    response
}
