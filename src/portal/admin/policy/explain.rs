//! A request that is only spoken of: what the policy says to it, why, and what would make it a yes.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use super::{View, access, frame};
use crate::{
    gate::SignedIn,
    portal::{
        admin::{decisions, who},
        context::Cx,
        fault::Fault,
        guard,
        pages::{self, AccountFrame, Answer, AskedRole, ExplainPage, Fact, Tab},
        problem::{self, Problem},
        words::{Words, fill, sentence},
    },
    rules::{
        identity::User,
        judge::View as _,
        outcome::Access,
        place::Country,
        policy::{self, Explanation, Held, Question},
        reason::Reason,
        record::ways,
        written::Findings,
    },
};

/// What the form has, in the order of its fields; the names are those of the command line and of test files.
const FIELDS: [&str; 7] = ["role", "method", "path", "elevated", "from", "country", "at"];
/// Stands for somebody who is not signed in, as in test files.
const NOBODY: &str = "nobody";

/// A field that is at fault, and what is wrong with it.
struct Wrong {
    field: &'static str,
    text: String,
}

/// `GET /_gate/admin/policy/explain`
pub(super) async fn show(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    // A form that was not filled in yet is no mistake.
    let asked = given(&cx, "path").is_some() || given(&cx, "user").is_some() || given(&cx, "role").is_some();
    let told = asked.then(|| question(&cx, &member));
    let (answer, wrong) = match told {
        None => (None, None),
        Some(Ok(question)) => (Some(answer(&cx, &question)), None),
        Some(Err(wrong)) => (None, Some(wrong)),
    };
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let field = |name| given(&cx, name).unwrap_or_default().to_owned();
    let chosen = field("role");
    let roles = cx.site().policy.roles().iter().map(|role| (role.to_string(), role.to_string()));
    let nobody = (NOBODY.to_owned(), cx.words.overview.nobody.to_owned());
    let page = ExplainPage {
        frame: cx.frame(),
        me: AccountFrame::new(&cx, &member, Tab::Policy),
        policy: frame(&cx, View::Explain),
        user: field("user"),
        roles: roles
            .chain([nobody])
            .map(|(value, label)| AskedRole { chosen: value == chosen, value, label })
            .collect(),
        method: given(&cx, "method").unwrap_or("GET").to_owned(),
        path: field("path"),
        elevated: field("elevated"),
        from: field("from"),
        country: field("country"),
        at: field("at"),
        wrong: wrong.map(|wrong| (wrong.field, wrong.text)),
        answer,
    };
    Ok(pages::html(status, &page))
}

/// `GET /_gate/api/v1/admin/policy/explain`: what `policy explain --json` prints.
pub(super) async fn call(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    match question(&cx, &member) {
        Ok(question) => {
            let explanation = policy::explain(&cx.site().policy, &question);
            Ok(problem::answer(&json!(explanation)).into_response())
        }
        Err(Wrong { field, text }) => {
            let title = cx.words.policy.view_explain;
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-question", title, &text);
            Ok(problem.with("field", field).into_response())
        }
    }
}

/// What was typed into a field, if anything was.
fn given<'c>(cx: &'c Cx, name: &str) -> Option<&'c str> {
    cx.query(name).map(str::trim).filter(|text| !text.is_empty())
}

/// The question that the fields make.
fn question(cx: &Cx, member: &SignedIn) -> Result<Question, Wrong> {
    let words = &cx.words.policy;
    let wrong = |field, text: &str| Wrong { field, text: text.to_owned() };
    let mut facts: Vec<policy::Fact> =
        FIELDS.into_iter().filter_map(|key| Some(fact(key, given(cx, key)?))).collect();
    match (given(cx, "user"), given(cx, "role")) {
        (Some(_), Some(_)) => return Err(wrong("role", words.either)),
        (None, None) => return Err(wrong("user", words.either)),
        (None, Some(_)) => {}
        (Some(name), None) => {
            let user = account(cx, member, name).map_err(|_| wrong("user", words.no_account))?;
            let relaxed = !cx.gate().live().records.high_security(&user);
            facts.push(fact("role", &user.role));
            facts.push(fact("enrolled", if user.totp.is_some() { "true" } else { "false" }));
            facts.push(fact("high_security", if relaxed { "false" } else { "true" }));
        }
    }
    if given(cx, "path").is_none() {
        return Err(wrong("path", words.no_path));
    }
    let mut found = Findings::default();
    match Question::of_facts(&facts, cx.now(), &mut found) {
        Some(question) if question.target.is_ours() => Err(wrong("path", words.own_page)),
        Some(question) => Ok(somewhere(cx, question)),
        None => Err(first(found)),
    }
}

fn fact(key: &'static str, text: &str) -> policy::Fact {
    policy::Fact { key, called: key.to_owned(), texts: vec![text.to_owned()] }
}

/// Whoever asks about himself is known to himself.
fn account(cx: &Cx, member: &SignedIn, name: &str) -> Result<Arc<User>, Fault> {
    if name.to_lowercase() == member.user.name.as_str() {
        return Ok(Arc::clone(&member.user));
    }
    who::account(cx, member, name)
}

/// The country of the address, unless another one was named.
fn somewhere(cx: &Cx, question: Question) -> Question {
    let known = |ip| Country::parse(&cx.visit.snapshot.places.country(ip));
    let country = question.country.or_else(|| question.client.and_then(known));
    Question { country, ..question }
}

/// The first thing that is wrong, at its field.
fn first(found: Findings) -> Wrong {
    let Some(problem) = found.sorted().into_iter().next() else {
        return Wrong { field: "path", text: String::new() };
    };
    let field = FIELDS.into_iter().find(|field| *field == &*problem.at.source).unwrap_or("path");
    let text =
        if problem.help.is_empty() { problem.what } else { format!("{}; {}", problem.what, problem.help) };
    Wrong { field, text }
}

fn answer(cx: &Cx, question: &Question) -> Answer {
    let rules = &cx.site().policy;
    let told = policy::explain(rules, question);
    let found = ways(rules, &question.case());
    let allowed = told.outcome == "allow";
    Answer {
        outcome: outcome(cx.words, told.outcome),
        allowed,
        reason: told.reason,
        text: Reason::ALL
            .into_iter()
            .find(|reason| reason.code() == told.reason)
            .map_or("", |reason| sentence(cx.words.lang, reason)),
        facts: facts(cx, &told),
        conditions: told.conditions.iter().map(condition).collect(),
        no_way: (!allowed && found.is_empty()).then_some(cx.words.overview.way_none),
        ways: decisions::ways::lines(cx.words, &found),
    }
}

fn facts(cx: &Cx, told: &Explanation) -> Vec<Fact> {
    let (words, own) = (cx.words, &cx.words.policy);
    let level = |word: &str| {
        let known =
            [Access::None, Access::Read, Access::Full].into_iter().find(|known| known.as_str() == word);
        known.map_or("", |known| access(cx, known))
    };
    let place = match (&told.page, &told.place) {
        (Some(page), Some(place)) => format!("{page}, {place}"),
        _ => words.overview.no_rule.to_owned(),
    };
    let mut facts = vec![
        (own.request, told.request.clone()),
        (own.page, place),
        (own.needed, level(told.needs).to_owned()),
    ];
    if let Some(role) = &told.role {
        let levels = [("before", level(told.unelevated)), ("after", level(told.elevated))];
        facts.push((own.access, format!("{role}: {}", fill(own.before_after, &levels))));
        facts.push((own.factor_lasts, told.lasts.clone()));
    }
    if told.requires_second_factor {
        facts.push((own.enrolment, own.requires.to_owned()));
    }
    if told.anonymous != "none" {
        facts.push((own.everybody, level(told.anonymous).to_owned()));
    }
    facts.extend(told.scope.iter().map(|scope| (own.key_scope, scope.clone())));
    facts.push((own.why, told.why.clone()));
    if let (Some(after), Some(reason)) = (told.outcome_elevated, told.reason_elevated) {
        facts.push((own.once_verified, format!("{} ({reason})", outcome(words, after))));
    }
    facts.into_iter().map(|(label, value)| Fact { label, value }).collect()
}

/// As the command line says it: `not met: page networks 10.0.0.0/8 (panel.yaml:7)`.
fn condition(held: &Held) -> String {
    let Held { of, kind, wants, state, place } = held;
    format!("{state}: {of} {kind} {wants} ({place})")
}

fn outcome(words: &Words, code: &str) -> &'static str {
    let own = &words.overview;
    match code {
        "allow" => own.answer_allow,
        "sign-in" => own.answer_sign_in,
        "step-up" => own.answer_step_up,
        "deny" => own.answer_deny,
        _ => own.answer_bad_request,
    }
}
