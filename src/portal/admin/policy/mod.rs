//! `/_gate/admin/policy`: what the policy says, and what a candidate for it would say.

mod explain;
mod matrix;
mod shadow;
mod state;
mod suite;

use axum::{
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;

use crate::{
    gate::SignedIn,
    portal::{
        context::Cx,
        guard,
        pages::{self, AccountFrame, PolicyFrame, PolicyPage, Tab, TabLink},
        problem,
        routes::{Route, route},
        words::fill,
    },
    rules::outcome::Access,
};

/// Where it is.
const AT: &str = "/_gate/admin/policy";

/// What there is to see of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Matrix,
    Explain,
    Tests,
    Shadow,
}

/// Pages and calls.
pub(super) fn routes() -> Vec<Route> {
    let get_only = &["GET"];
    vec![
        route(AT, get_only, get(show)),
        route("/_gate/admin/policy/explain", get_only, get(explain::show)),
        route("/_gate/admin/policy/tests", get_only, get(suite::show)),
        route("/_gate/admin/policy/shadow", get_only, get(shadow::show)),
        route("/_gate/api/v1/admin/policy", get_only, get(call)),
        route("/_gate/api/v1/admin/policy/explain", get_only, get(explain::call)),
        route("/_gate/api/v1/admin/policy/tests", get_only, get(suite::call)),
        route("/_gate/api/v1/admin/policy/shadow", get_only, get(shadow::call)),
    ]
}

/// `GET /_gate/admin/policy`
async fn show(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let page = PolicyPage {
        frame: cx.frame(),
        me: AccountFrame::new(&cx, &member, Tab::Policy),
        policy: frame(&cx, View::Matrix),
        lead: fill(cx.words.policy.lead, &[("title", &cx.site().title)]),
        not_in_force: super::overview::not_in_force(&cx, &cx.gate().live().reload.load()),
        facts: state::facts(&cx),
        changes: state::changes(&cx),
        waiting: state::waiting(&cx),
        roles: matrix::roles(&cx),
        rows: matrix::rows(&cx),
    };
    Ok(pages::html(StatusCode::OK, &page))
}

/// `GET /_gate/api/v1/admin/policy`
async fn call(cx: Cx) -> Result<Response, Response> {
    guard::administrator(&cx).await?;
    Ok(problem::answer(&state::document(&cx)).into_response())
}

fn frame(cx: &Cx, current: View) -> PolicyFrame {
    let words = &cx.words.policy;
    let view = |view, label, href| TabLink { label, href, current: view == current };
    PolicyFrame {
        views: vec![
            view(View::Matrix, words.view_matrix, AT),
            view(View::Explain, words.view_explain, "/_gate/admin/policy/explain"),
            view(View::Tests, words.view_tests, "/_gate/admin/policy/tests"),
            view(View::Shadow, words.view_shadow, "/_gate/admin/policy/shadow"),
        ],
    }
}

fn access(cx: &Cx, access: Access) -> &'static str {
    match access {
        Access::None => cx.words.acting.access_none,
        Access::Read => cx.words.acting.access_read,
        Access::Full => cx.words.acting.access_full,
    }
}

/// Whether what somebody of this role did is shown to this administrator (R32).
fn sees(cx: &Cx, member: &SignedIn, role: Option<&crate::rules::identity::Role>) -> bool {
    let policy = &cx.site().policy;
    role.is_none_or(|role| policy.is_first(&member.role) || policy.outranks(&member.role, role))
}
