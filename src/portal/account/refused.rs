//! Why something about an account's own credentials was not done.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    portal::{
        body,
        context::Cx,
        fault::Fault,
        pages,
        problem::Problem,
        second_factor::{Unproved, unproved_document},
        words::fill,
    },
    rules::factor::strength::Verdict,
    secret::SecretText,
    store::StoreError,
};

use super::{password::words, reproof::FRESH};

/// Why it was not done.
pub(super) enum Refused {
    /// The password is not that of the account.
    WrongPassword,
    /// There is no password to ask for, and the sign-in was too long ago.
    SignInAgain,
    /// The account has an authenticator app: a code of it is needed.
    CodeNeeded,
    /// No set-up is under way, or another one was faster.
    Gone,
    /// A code does not count.
    Unproved(Unproved),
    /// The new password is not taken.
    NotTaken(Verdict),
    /// The account's password is not kept here.
    Elsewhere,
    /// Nothing was looked at.
    Fault(Fault),
}

impl Refused {
    /// What people are told.
    pub(super) fn text(&self, cx: &Cx) -> String {
        let own = &cx.words.account;
        match self {
            Self::WrongPassword => own.wrong_password.to_owned(),
            Self::SignInAgain => fill(own.sign_in_again, &[("time", &pages::wait(cx.words, FRESH))]),
            Self::CodeNeeded => cx.words.enter_code.to_owned(),
            Self::Gone => own.set_up_gone.to_owned(),
            Self::Unproved(why) => why.text(cx),
            Self::NotTaken(verdict) => words::say(own, verdict),
            Self::Elsewhere => fill(own.elsewhere, &[("source", &cx.site().title)]),
            Self::Fault(fault) => fault.text(cx.words, cx.now()),
        }
    }

    /// The status, for both.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::WrongPassword | Self::Unproved(Unproved::Wrong { .. } | Unproved::Used(_)) => {
                StatusCode::UNAUTHORIZED
            }
            Self::SignInAgain | Self::CodeNeeded | Self::Elsewhere | Self::Unproved(_) => {
                if let Self::Unproved(Unproved::Fault(fault)) = self {
                    return fault.status();
                }
                StatusCode::FORBIDDEN
            }
            Self::Gone => StatusCode::CONFLICT,
            Self::NotTaken(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Fault(fault) => fault.status(),
        }
    }

    /// The fault inside, if it is one.
    pub(super) fn fault(&self) -> Option<Fault> {
        match self {
            Self::Fault(fault) | Self::Unproved(Unproved::Fault(fault)) => Some(*fault),
            Self::WrongPassword
            | Self::SignInAgain
            | Self::CodeNeeded
            | Self::Gone
            | Self::Unproved(_)
            | Self::NotTaken(_)
            | Self::Elsewhere => None,
        }
    }

    /// For a script.
    pub(super) fn document(&self, cx: &Cx) -> Response {
        let own = &cx.words.account;
        let (code, title) = match self {
            Self::Fault(fault) => return fault.document(cx).into_response(),
            Self::Unproved(why) => return unproved_document(cx, why),
            Self::WrongPassword => ("wrong-password", own.current_password),
            Self::SignInAgain => ("sign-in-again", own.sign_in_again_title),
            Self::CodeNeeded => ("code-needed", own.change_app_title),
            Self::Gone => ("no-set-up", own.set_up_title),
            Self::Elsewhere => ("no-local-password", own.elsewhere_title),
            Self::NotTaken(_) => ("password-not-taken", own.not_taken_title),
        };
        let problem = Problem::new(self.status(), code, title, &self.text(cx));
        match self {
            Self::NotTaken(verdict) => words::describe(own, verdict)
                .into_iter()
                .fold(problem, |problem, (name, value)| problem.with(&name, value)),
            Self::WrongPassword => problem.challenge("Bearer error=\"insufficient_user_authentication\""),
            Self::SignInAgain
            | Self::CodeNeeded
            | Self::Gone
            | Self::Elsewhere
            | Self::Unproved(_)
            | Self::Fault(_) => problem,
        }
        .into_response()
    }
}

/// Reads what a script sends; the error is the answer.
pub(super) async fn json<T: DeserializeOwned>(
    cx: &Cx,
    body: Body,
    wanted: &'static str,
) -> Result<T, Response> {
    let read = body::json(&cx.headers, body, wanted).await;
    read.map_err(|fault| Refused::from(fault).document(cx))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: SecretText,
}

/// Reads the one code that a script sends; the error is the answer.
pub(super) async fn code(cx: &Cx, body: Body) -> Result<SecretText, Response> {
    json(cx, body, "an object with code, a string").await.map(|given: Code| given.code)
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Unproved> for Refused {
    fn from(why: Unproved) -> Self {
        Self::Unproved(why)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}
