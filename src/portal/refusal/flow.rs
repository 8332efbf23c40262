//! What a refusal becomes. Looks at the refusal and the site, never at the request that carries it.

use crate::{
    gate::{Refusal, RefusalAudience, RefusalKind},
    portal::{acting, redirect::portal_page},
    rules::{reason::Reason, site::Site},
};

/// The shape of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Send the browser there.
    Redirect(String),
    /// Say it on a page, with this way on if there is one.
    Page(Option<String>),
    /// Say it in a problem document.
    Document(Links),
}

/// What a problem document leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// Where a person can sign in.
    pub(super) sign_in: Option<String>,
    /// Where the session can be renewed.
    pub(super) refresh: Option<String>,
    /// Where the second factor can be proved.
    pub(super) step_up: Option<String>,
    /// Where a second factor can be set up.
    pub(super) enrolment: Option<String>,
}

/// Decides the shape of the answer.
pub(crate) fn plan(refusal: &Refusal, site: Option<&Site>) -> Plan {
    let onward = site.and_then(|site| onward(refusal, site));
    match refusal.audience {
        RefusalAudience::Background => document(refusal, onward, site),
        // A form that was sent cannot be sent again by a redirect: say that nothing happened instead of losing it.
        RefusalAudience::Navigation if !is_safe(refusal) => Plan::Page(onward),
        // The way on would change who one is; that is not for a redirect to decide.
        RefusalAudience::Navigation if refusal.reason != Reason::ImpersonationOver && is_acting(refusal) => {
            Plan::Page(onward)
        }
        RefusalAudience::Navigation => onward.map_or(Plan::Page(None), Plan::Redirect),
    }
}

fn document(refusal: &Refusal, onward: Option<String>, site: Option<&Site>) -> Plan {
    let sign_in = site.map(|site| portal_page(site, "sign-in", &refusal.url));
    Plan::Document(match refusal.kind {
        RefusalKind::SignIn if refusal.reason == Reason::AccessExpired => {
            Links { sign_in, refresh: site.map(|site| portal_page(site, "refresh", "")), ..Links::default() }
        }
        RefusalKind::SignIn => Links { sign_in, ..Links::default() },
        RefusalKind::StepUp { .. } => Links { step_up: onward, ..Links::default() },
        RefusalKind::Deny => Links { enrolment: onward, ..Links::default() },
        RefusalKind::Throttle { .. }
        | RefusalKind::Unavailable
        | RefusalKind::BadRequest
        | RefusalKind::BadGateway
        | RefusalKind::GatewayTimeout => Links::default(),
    })
}

/// Where a person goes to make the answer a different one.
fn onward(refusal: &Refusal, site: &Site) -> Option<String> {
    let page = match refusal.kind {
        RefusalKind::SignIn if refusal.reason == Reason::AccessExpired => "refresh",
        RefusalKind::SignIn => "sign-in",
        RefusalKind::StepUp { .. } => "step-up",
        RefusalKind::Deny if refusal.reason == Reason::NeedsEnrolment => "account/two-factor",
        RefusalKind::Deny | RefusalKind::BadGateway if is_acting(refusal) => acting::END,
        RefusalKind::Deny
        | RefusalKind::Throttle { .. }
        | RefusalKind::Unavailable
        | RefusalKind::BadRequest
        | RefusalKind::BadGateway
        | RefusalKind::GatewayTimeout => {
            return None;
        }
    };
    Some(portal_page(site, page, &refusal.url))
}

/// Whether an impersonation is in the way.
fn is_acting(refusal: &Refusal) -> bool {
    let reasons = [Reason::ImpersonationReadOnly, Reason::ImpersonationOver, Reason::PageUnmarkable];
    reasons.contains(&refusal.reason) || refusal.kind == RefusalKind::Deny && refusal.acting_for.is_some()
}

pub(super) fn is_safe(refusal: &Refusal) -> bool {
    matches!(refusal.method.as_str(), "GET" | "HEAD")
}
