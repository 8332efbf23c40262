//! The prompt, as both pages show it.

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};

use super::{flow::Proof, prove::Unproved};
use crate::portal::{
    body::Form,
    context::Cx,
    csrf::{self, Binding},
    fault::Fault,
    guard::ENROLMENT,
    pages::{self, Notice},
    problem::seconds_up,
    redirect::Return,
};

/// One prompt.
pub(super) struct Prompt<'a> {
    pub(super) action: &'static str,
    pub(super) binding: Binding<'a>,
    pub(super) back: &'a Return,
    pub(super) backup: bool,
    /// Whether the other kind of code can be given instead.
    pub(super) switchable: bool,
    pub(super) lead: Option<String>,
    pub(super) stays: Option<String>,
    pub(super) leave: String,
    pub(super) leave_label: &'static str,
}

impl Prompt<'_> {
    /// Shows it.
    pub(super) fn show(self, cx: &Cx, status: StatusCode, error: Option<String>) -> Response {
        let query = self.back.query();
        let switch = match (self.backup, query.is_empty()) {
            (true, _) => format!("{}{query}", self.action),
            (false, true) => format!("{}?with=backup", self.action),
            (false, false) => format!("{}{query}&with=backup", self.action),
        };
        let switch = Some(switch).filter(|_| self.switchable);
        let page = pages::Code {
            frame: cx.frame(),
            action: self.action,
            form: csrf::token(cx, self.binding),
            rd: self.back.field().to_owned(),
            lead: self.lead,
            stays: self.stays,
            error,
            backup: self.backup,
            switch,
            leave: self.leave,
            leave_label: self.leave_label,
        };
        pages::html(status, &page)
    }

    /// Shows it again with what went wrong.
    pub(super) fn refuse(self, cx: &Cx, why: &Unproved) -> Response {
        let text = why.text(cx);
        match why {
            Unproved::NotEnrolled => not_enrolled(cx, self.back),
            Unproved::NotHere => self.show(cx, StatusCode::FORBIDDEN, Some(text)),
            Unproved::Wrong { .. } | Unproved::Used(_) => self.show(cx, StatusCode::UNAUTHORIZED, Some(text)),
            Unproved::Fault(fault) => {
                let mut response = self.show(cx, fault.status(), Some(text));
                if let Some(wait) = fault.wait() {
                    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds_up(wait)));
                }
                response
            }
        }
    }
}

/// The fields of the prompt.
pub(super) async fn read(cx: &Cx, body: Body) -> Result<Form, Fault> {
    Form::read(&cx.headers, body, &["form", "rd", "code", "backup_code"]).await
}

/// The proof in the fields, and whether it is a backup code; the error is what to say when there is none.
pub(super) fn proof(cx: &Cx, fields: &Form) -> Result<Proof, &'static str> {
    let missing = if fields.has("backup_code") { cx.words.enter_backup } else { cx.words.enter_code };
    Proof::new(fields.secret("code"), fields.secret("backup_code")).ok_or(missing)
}

/// For an account without a second factor.
pub(super) fn not_enrolled(cx: &Cx, back: &Return) -> Response {
    let notice = Notice::new(cx.frame(), cx.words.not_enrolled_title, cx.words.not_enrolled);
    let notice = notice.action(cx.words.account.set_up, format!("{ENROLMENT}{}", back.query()));
    pages::html(StatusCode::FORBIDDEN, &notice)
}
