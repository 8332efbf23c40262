//! `/_gate/account/security`: what protects the account, at a glance.

use axum::response::Response;
use http::StatusCode;

use crate::{
    gate::SignedIn,
    portal::{
        context::Cx,
        guard,
        pages::{self, AccountFrame, CodesLeft, PasswordState, Tab, When},
        words::fill,
    },
    rules::{
        factor::backup::COUNT,
        identity::{User, UserSource},
    },
};

/// Below this, people are asked to make new codes.
const FEW: usize = 3;

/// `GET /_gate/account/security`
pub(crate) async fn show(cx: Cx) -> Result<Response, Response> {
    let me = guard::own_credentials(&cx).await?;
    let page = pages::Security {
        frame: cx.frame(),
        me: AccountFrame::new(&cx, &me, Tab::Security),
        done: done(&cx, &me.user),
        enrolled: me.user.totp.is_some(),
        needed: cx.site().policy.requires_second_factor(&me.role),
        codes: codes(&cx, &me),
        password: password(&cx, &me.user),
    };
    Ok(pages::html(StatusCode::OK, &page))
}

/// Whether the account signs in with a password that we keep.
pub(super) fn is_kept_here(cx: &Cx, user: &User) -> bool {
    cx.site().login.is_none() && user.password.is_some()
}

/// Where the account's password is.
pub(super) fn source(cx: &Cx, user: &User) -> String {
    match &user.source {
        UserSource::Issuer(name) => name.clone(),
        UserSource::Embedded | UserSource::Login(_) => cx.site().title.clone(),
    }
}

fn done(cx: &Cx, user: &User) -> Option<&'static str> {
    let own = &cx.words.account;
    match cx.query("done")? {
        "app" => user.totp.as_ref().map(|_| own.done_app),
        "removed" => Some(own.done_removed).filter(|_| user.totp.is_none()),
        "codes" => Some(own.done_codes),
        "password" => Some(own.done_password),
        _ => None,
    }
}

fn codes(cx: &Cx, me: &SignedIn) -> CodesLeft {
    let own = &cx.words.account;
    let left = me.user.backup_codes.len();
    let (pattern, few) = match left {
        _ if me.user.totp.is_none() => (own.codes_without_app, false),
        0 => (own.codes_none, true),
        1..=FEW => (own.codes_few, true),
        _ => (own.codes_left, false),
    };
    CodesLeft { text: fill(pattern, &[("n", &left.to_string()), ("all", &COUNT.to_string())]), few }
}

fn password(cx: &Cx, user: &User) -> PasswordState {
    if !is_kept_here(cx, user) {
        let source = source(cx, user);
        return PasswordState::Elsewhere(fill(cx.words.account.password_elsewhere, &[("source", &source)]));
    }
    let never = PasswordState::Never(When::new(user.created));
    user.password_changed.map_or(never, |at| PasswordState::Changed(When::new(at)))
}
