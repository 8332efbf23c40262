//! What keeps a request from being done, other than its content being refused.

use std::time::Duration;

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

use super::{
    context::Cx,
    pages::{self, Decision, Notice},
    problem::{Problem, seconds_up},
    words::{Words, fill},
};
use crate::{
    clock::Wall,
    gate::journal::Noted,
    rules::{failures::STOPPED_RETRY, outcome::DecisionId, reason::Reason, record::Said},
    store::StoreError,
};

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It did not come from our own page.
    CrossSite,
    /// The form's token is not for this session, or too old.
    StaleForm,
    /// More than a body may have.
    TooLarge,
    /// Not of the type that this address takes.
    WrongType,
    /// Not the fields that this address takes; says which it takes.
    BadBody(&'static str),
    /// Nothing with this name is there for this session.
    NotFound,
    /// Too many tries.
    Throttled(Duration),
    /// Too many tries for waiting to help.
    Stopped,
    /// Too many passwords are being checked.
    Busy,
    /// A fault on our side.
    Unavailable,
    /// It has to be accounted for, and that is not possible.
    Unaccounted {
        /// Whether it may have been done all the same.
        done: bool,
    },
    /// Nobody is signed in.
    SignedOut(Reason),
    /// Not while somebody is impersonated.
    WhileActing,
    /// The second factor has to be proved first.
    StepUp,
    /// A second factor has to be set up first.
    FactorFirst,
    /// Not for this role.
    NotYours,
}

impl Fault {
    /// As a page.
    pub(crate) fn page(self, cx: &Cx) -> Response {
        let (frame, words) = (cx.frame(), cx.words);
        let (text, title, home) = (self.text(words, cx.now()), self.title(words), frame.home.clone());
        let mut notice = Notice::new(frame, title, text).action(words.go_on, home);
        notice.decision = Some(Decision::new(self.note(cx), cx.now()));
        let mut response = pages::html(self.status(), &notice);
        if let Some(wait) = self.wait() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds_up(wait)));
        }
        response
    }

    /// As a problem document.
    pub(crate) fn document(self, cx: &Cx) -> Problem {
        let (words, now) = (cx.words, cx.now());
        let detail = match self {
            Self::BadBody(wanted) => wanted.to_owned(),
            Self::WrongType => "send a JSON object as application/json".to_owned(),
            Self::CrossSite
            | Self::StaleForm
            | Self::TooLarge
            | Self::NotFound
            | Self::Throttled(_)
            | Self::Stopped
            | Self::Busy
            | Self::Unavailable
            | Self::Unaccounted { .. }
            | Self::WhileActing
            | Self::StepUp
            | Self::FactorFirst
            | Self::NotYours
            | Self::SignedOut(_) => self.text(words, now),
        };
        let problem = Problem::new(self.status(), self.code(), self.title(words), &detail)
            .with("decision", self.note(cx).to_string());
        match (self, self.wait()) {
            (_, Some(wait)) => problem.retry_after(wait),
            (Self::SignedOut(_), None) => problem.challenge("Bearer"),
            _ => problem,
        }
    }

    /// Notes it as a decision, and names that.
    pub(crate) fn note(self, cx: &Cx) -> DecisionId {
        let decision = cx.gate().decision();
        let (said, reason) = match self {
            Self::SignedOut(reason) => (Said::SignIn, reason),
            Self::StepUp => (Said::StepUp { readable: false }, Reason::NeedsElevation),
            Self::FactorFirst => (Said::Deny, Reason::NeedsEnrolment),
            Self::NotYours => (Said::Deny, Reason::RoleLacksAccess),
            Self::WhileActing | Self::CrossSite => (Said::Deny, Reason::Portal),
            Self::Throttled(wait) => (
                Said::Throttle { millis: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX) },
                Reason::RateLimited,
            ),
            Self::Stopped => (Said::Deny, Reason::RateLimited),
            Self::Busy => (Said::Unavailable, Reason::Portal),
            Self::Unavailable => (Said::Unavailable, Reason::StoreUnavailable),
            Self::Unaccounted { .. } => (Said::Unavailable, Reason::AuditUnavailable),
            Self::StaleForm | Self::TooLarge | Self::WrongType | Self::BadBody(_) | Self::NotFound => {
                (Said::BadRequest, Reason::Portal)
            }
        };
        let known = !matches!(self, Self::SignedOut(_));
        cx.gate().note_portal(&cx.visit, decision, Noted { said, reason, detail: Some(self.code()), known });
        decision
    }

    /// The sentence for people.
    pub(crate) fn text(self, words: &Words, now: Wall) -> String {
        match self {
            Self::CrossSite => words.cross_site.to_owned(),
            Self::StaleForm => words.stale_form.to_owned(),
            Self::TooLarge => words.too_large.to_owned(),
            Self::WrongType | Self::BadBody(_) => words.bad_form.to_owned(),
            Self::NotFound => words.not_found_text.to_owned(),
            Self::Stopped => words.stopped.to_owned(),
            Self::Busy => words.busy.to_owned(),
            Self::Unavailable => words.unavailable.to_owned(),
            Self::Unaccounted { done: false } => words.unrecorded.to_owned(),
            Self::Unaccounted { done: true } => words.unrecorded_done.to_owned(),
            Self::SignedOut(_) => words.ended_text.to_owned(),
            Self::WhileActing => words.account.acting_refused.to_owned(),
            Self::StepUp => words.admin.elevation_first.to_owned(),
            Self::FactorFirst => words.admin.factor_first.to_owned(),
            Self::NotYours => words.admin.not_yours_title.to_owned(),
            Self::Throttled(wait) => {
                let time = pages::clock(now.plus(wait));
                fill(words.locked, &[("wait", &pages::wait(words, wait)), ("time", &time)])
            }
        }
    }

    /// The status for both.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::CrossSite
            | Self::StaleForm
            | Self::WhileActing
            | Self::StepUp
            | Self::FactorFirst
            | Self::NotYours => StatusCode::FORBIDDEN,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::WrongType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BadBody(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Throttled(_) | Self::Stopped => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Unavailable | Self::Unaccounted { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::SignedOut(_) => StatusCode::UNAUTHORIZED,
        }
    }

    /// When it is worth trying again.
    pub(crate) fn wait(self) -> Option<Duration> {
        match self {
            Self::Throttled(wait) => Some(wait),
            Self::Stopped => Some(STOPPED_RETRY),
            Self::Busy => Some(Duration::from_secs(3)),
            Self::Unavailable | Self::Unaccounted { .. } => Some(Duration::from_secs(30)),
            Self::CrossSite
            | Self::StaleForm
            | Self::TooLarge
            | Self::WrongType
            | Self::BadBody(_)
            | Self::NotFound
            | Self::WhileActing
            | Self::StepUp
            | Self::FactorFirst
            | Self::NotYours
            | Self::SignedOut(_) => None,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::CrossSite => "cross-site",
            Self::StaleForm => "stale-form",
            Self::TooLarge => "too-large",
            Self::WrongType => "wrong-type",
            Self::BadBody(_) => "bad-body",
            Self::NotFound => "not-found",
            Self::Throttled(_) | Self::Stopped => Reason::RateLimited.code(),
            Self::Busy => "busy",
            Self::Unavailable => Reason::StoreUnavailable.code(),
            Self::Unaccounted { .. } => Reason::AuditUnavailable.code(),
            Self::SignedOut(reason) => reason.code(),
            Self::WhileActing => "impersonating",
            Self::StepUp => Reason::NeedsElevation.code(),
            Self::FactorFirst => Reason::NeedsEnrolment.code(),
            Self::NotYours => Reason::RoleLacksAccess.code(),
        }
    }

    fn title(self, words: &Words) -> &'static str {
        match self {
            Self::CrossSite | Self::StaleForm | Self::TooLarge | Self::WrongType | Self::BadBody(_) => {
                words.unsaved_title
            }
            Self::NotFound => words.not_found,
            Self::Throttled(_) | Self::Stopped | Self::Busy => words.throttled_title,
            Self::Unavailable => words.unavailable_title,
            Self::Unaccounted { .. } => words.unrecorded_title,
            Self::SignedOut(_) => words.ended_title,
            Self::WhileActing => words.account.acting_title,
            Self::StepUp => words.verify_title,
            Self::FactorFirst => words.not_enrolled_title,
            Self::NotYours => words.admin.not_yours_title,
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store did not answer");
        Self::Unavailable
    }
}

impl From<super::hasher::Busy> for Fault {
    fn from(_: super::hasher::Busy) -> Self {
        Self::Busy
    }
}
