//! `/_gate/admin/decisions`: why requests were refused, and what would have allowed them.

pub(super) mod ways;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use crate::{
    gate::{SignedIn, journal::Wanted},
    portal::{
        context::Cx,
        fault::Fault,
        guard,
        pages::{self, AccountFrame, Choice, DecisionPage, DecisionRow, Decisions, Fact, Tab, When, wait},
        problem,
        words::{Words, fill, sentence},
    },
    rules::{
        facts::{Door, Scheme},
        outcome::{Access, DecisionId},
        reason::Reason,
        record::{Acted, Held, Person, Record, Report, Said, Shown, Taken, WHOLE_ADDRESSES, end},
    },
};

/// Where it is.
pub(crate) const AT: &str = "/_gate/admin/decisions";
/// So many refusals are shown.
const MOST: usize = 50;

/// `GET /_gate/admin/decisions?id=` or `?reason=&user=&on=`
pub(super) async fn show(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let asked = cx.query("id").map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned);
    let Some(asked) = asked else { return Ok(list(&cx, &member, String::new(), None).await) };
    let report = match DecisionId::parse(&asked) {
        Some(id) => find(&cx, &member, id).await,
        None => Report { span: cx.gate().archive().span().await, ..Report::default() },
    };
    if let Some(record) = report.record() {
        return Ok(pages::html(StatusCode::OK, &page(&cx, &member, &report, record)));
    }
    let words = &cx.words.overview;
    let since = [report.span.refused, report.span.strangers].into_iter().flatten().min();
    let since = since.map_or_else(String::new, |since| {
        format!(" {}", fill(words.unknown_since, &[("time", &pages::date_and_time(since))]))
    });
    let known = fill(words.unknown_id, &[("id", &asked)]);
    let error = format!("{known}. {}{since}", words.unknown_text);
    Ok(list(&cx, &member, asked, Some(error)).await)
}

/// `GET /_gate/api/v1/admin/decisions?id=` or `?reason=&user=&on=`
pub(super) async fn call(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    if let Some(id) = cx.query("id") {
        let id = DecisionId::parse(id).ok_or_else(|| guard::refuse(&cx, Fault::NotFound))?;
        let report = find(&cx, &member, id).await;
        return match report.record() {
            Some(_) => Ok(problem::answer(&report.document()).into_response()),
            None => Err(guard::refuse(&cx, Fault::NotFound)),
        };
    }
    let records = latest(&cx, &member).await;
    let span = cx.gate().archive().span().await;
    let decisions: Vec<_> = records.iter().map(Record::document).collect();
    Ok(problem::answer(&json!({ "decisions": decisions, "journal": span.document() })).into_response())
}

/// A decision of this site, about nobody whom the administrator does not see (R32).
async fn find(cx: &Cx, member: &SignedIn, id: DecisionId) -> Report {
    let mut records = cx.gate().archive().find(id).await;
    records.retain(|record| sees(cx, member, record));
    let report = Report { records, now: None, span: cx.gate().archive().span().await };
    report.under(Some(&cx.site().policy))
}

async fn latest(cx: &Cx, member: &SignedIn) -> Vec<Record> {
    let given = |name: &str| cx.query(name).map(str::trim).filter(|text| !text.is_empty());
    let reason = given("reason").and_then(|code| Reason::ALL.into_iter().find(|known| known.code() == code));
    let wanted = Wanted {
        site: cx.site().id.clone(),
        reason,
        user: given("user").map(str::to_lowercase),
        page: given("on").map(str::to_owned),
        most: MOST,
    };
    let mut records = cx.gate().archive().latest(wanted).await;
    records.retain(|record| sees(cx, member, record));
    records
}

fn sees(cx: &Cx, member: &SignedIn, record: &Record) -> bool {
    let policy = &cx.site().policy;
    record.is_of(&cx.site().id)
        && record.who.as_ref().is_none_or(|person| {
            person.user == member.user.name.as_str()
                || policy.is_first(&member.role)
                || policy.outranks(&member.role, &person.role)
        })
}

async fn list(cx: &Cx, member: &SignedIn, id: String, error: Option<String>) -> Response {
    let chosen = cx.query("reason").unwrap_or_default();
    let refusals = Reason::ALL.into_iter().filter(|reason| is_refusal(*reason)).map(Reason::code);
    let status = if error.is_some() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    let page = Decisions {
        frame: cx.frame(),
        me: AccountFrame::new(cx, member, Tab::Decisions),
        id,
        error,
        reasons: refusals.map(|code| Choice { code, chosen: code == chosen }).collect(),
        user: cx.query("user").unwrap_or_default().to_owned(),
        on: cx.query("on").unwrap_or_default().to_owned(),
        rows: latest(cx, member).await.iter().map(|record| row(cx, record)).collect(),
    };
    pages::html(status, &page)
}

fn is_refusal(reason: Reason) -> bool {
    ![Reason::RoleAllows, Reason::ElevatedAllows, Reason::RelaxedAllows, Reason::KeyAllows, Reason::Anonymous]
        .contains(&reason)
}

fn row(cx: &Cx, record: &Record) -> DecisionRow {
    let who = record.who.as_ref().map_or(cx.words.overview.nobody, |person| person.user.as_str());
    DecisionRow {
        id: record.decision.to_string(),
        at: When::new(record.at),
        answer: answer(cx.words, record.reply.said),
        reason: record.reply.reason.code(),
        text: sentence(cx.words.lang, record.reply.reason),
        request: format!("{} {}", record.asked.method, record.asked.path.shown()),
        who: who.to_owned(),
        client: client(record),
    }
}

fn page(cx: &Cx, member: &SignedIn, report: &Report, record: &Record) -> DecisionPage {
    let words = &cx.words.overview;
    let found = ways::all(cx.words, report, record);
    let helpless = found.is_empty() && !record.is_allowed() && record.case().is_some();
    DecisionPage {
        frame: cx.frame(),
        me: AccountFrame::new(cx, member, Tab::Decisions),
        id: record.decision.to_string(),
        answer: answer(cx.words, record.reply.said),
        allowed: record.is_allowed(),
        reason: record.reply.reason.code(),
        text: sentence(cx.words.lang, record.reply.reason),
        facts: facts(cx.words, report, record),
        walk: record
            .client
            .steps()
            .into_iter()
            .map(|step| (step.text, taken(cx.words, step.taken)))
            .collect(),
        no_way: helpless.then_some(if record.is_unread() { words.way_plain } else { words.way_none }),
        ways: found,
        erased: if let Some(at) = record.shortened {
            fill(words.erased_at, &[("time", &pages::date_and_time(at))])
        } else {
            let due = pages::date_and_time(record.at.plus(WHOLE_ADDRESSES));
            fill(words.erased_due, &[("time", &due)])
        },
    }
}

fn facts(words: &Words, report: &Report, record: &Record) -> Vec<Fact> {
    let own = &words.overview;
    let asked = &record.asked;
    let scheme = asked.scheme.map_or("?", Scheme::as_str);
    let door = match asked.door {
        Door::Sidecar => "sidecar",
        Door::Edge => "edge",
    };
    let needs = record.reply.needs.map(|needs| fill(own.needs, &[("access", access(words, needs))]));
    let mut facts = vec![
        (own.when, pages::date_and_time(record.at)),
        (own.asked, format!("{} {scheme}://{}{}", asked.method, asked.host, asked.path.shown())),
        (
            own.door,
            [Some(format!("{door} ({})", asked.dialect)), needs]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(", "),
        ),
    ];
    facts.extend(record.reply.detail.iter().map(|detail| (own.detail, detail.clone())));
    facts.push((own.client, client(record)));
    facts.push((own.credentials, credentials(words, &record.shown)));
    facts.extend(people(words, record));
    facts.extend(rule(words, report, record));
    let earlier = report.records.iter().take(report.records.len().saturating_sub(1));
    facts.extend(earlier.map(|before| {
        let (answer, reason) = (answer(words, before.reply.said), before.reply.reason.code());
        (own.before, format!("{answer} ({reason}), {}", pages::date_and_time(before.at)))
    }));
    facts.into_iter().map(|(label, value)| Fact { label, value }).collect()
}

fn people(words: &Words, record: &Record) -> Vec<(&'static str, String)> {
    let own = &words.overview;
    let Some(person) = &record.who else { return vec![(own.who, own.nobody.to_owned())] };
    let accepted = match (person.accepted, record.is_unread()) {
        (true, _) => String::new(),
        (false, true) => format!("; {}", own.not_looked_at),
        (false, false) => format!("; {}", own.not_accepted),
    };
    let mut facts = vec![(own.who, format!("{}, {}{accepted}", person.user, person.role))];
    match &person.held {
        Held::Session { id, opened, ended, .. } => {
            let age = wait(words, record.at.since(*opened));
            let mut text = fill(own.session_text, &[("id", &id.0), ("age", &age)]);
            if let Some(ended) = ended {
                let time = pages::date_and_time(ended.at);
                text.push_str("; ");
                text.push_str(&fill(own.ended_text, &[("time", &time), ("why", end(ended.why))]));
            }
            facts.push((own.session, text));
            facts.push((own.factor, factor(words, record, person)));
        }
        Held::Key { id, scopes } => {
            let scopes = scopes.iter().map(|scope| &**scope).collect::<Vec<_>>().join(" ");
            facts.push((own.credentials, fill(own.key_text, &[("id", &id.0), ("scopes", &scopes)])));
        }
    }
    match &person.acting {
        Some(Acted::For { user, role, .. }) => facts.push((own.acting, format!("{user}, {role}"))),
        Some(Acted::Over) => facts.push((own.acting, own.acting_over.to_owned())),
        None => {}
    }
    facts
}

fn factor(words: &Words, record: &Record, person: &Person) -> String {
    let own = &words.overview;
    let Held::Session { proof, .. } = &person.held else { return String::new() };
    let text = match (proof, record.reply.until) {
        (None, _) => own.factor_never.to_owned(),
        (Some(proof), until) => {
            let age = wait(words, record.at.since(proof.at));
            match until {
                Some(until) => {
                    fill(own.factor_counts, &[("age", &age), ("time", &pages::date_and_time(until))])
                }
                None if record.lacks_proof() => fill(own.factor_lapsed, &[("age", &age)]),
                None => fill(own.factor_proved, &[("age", &age)]),
            }
        }
    };
    if person.relaxed { format!("{text}. {}", own.relaxed) } else { text }
}

fn rule(words: &Words, report: &Report, record: &Record) -> Vec<(&'static str, String)> {
    let own = &words.overview;
    let place = match &record.reply.page {
        Some(page) => format!("{}, {}:{}", page.name, page.file, page.line),
        None if record.reply.needs.is_some() => own.no_rule.to_owned(),
        None => own.not_asked.to_owned(),
    };
    let levels = record.reply.levels.map(|(before, after)| {
        fill(own.levels, &[("before", access(words, before)), ("after", access(words, after))])
    });
    let rule = [Some(place), levels].into_iter().flatten().collect::<Vec<_>>().join("; ");
    let mut facts = vec![(own.rule, rule)];
    let Some(now) = report.now.as_ref().filter(|_| !record.policy.is_empty()) else { return facts };
    let same = now.policy == record.policy;
    let pattern = if same { own.policy_same } else { own.policy_other };
    let mut text = fill(pattern, &[("version", &record.policy), ("now", &now.policy)]);
    if let (Some(answer), Some(reason), false) = (&now.answer, now.reason, same) {
        text.push_str(". ");
        text.push_str(&fill(own.now_says, &[("answer", &format!("{answer} ({})", reason.code()))]));
    }
    facts.push((own.policy, text));
    facts
}

fn client(record: &Record) -> String {
    let country = record.client.country.map_or_else(String::new, |country| format!(" ({country})"));
    format!("{}{country}", record.client.ip)
}

fn credentials(words: &Words, shown: &[Shown]) -> String {
    let own = &words.overview;
    let name = |shown: &Shown| match shown {
        Shown::Cookie => own.cred_cookie.to_owned(),
        Shown::Bearer => own.cred_bearer.to_owned(),
        Shown::Issuer(name) => fill(own.cred_issuer, &[("name", name)]),
        Shown::ApiKey(id) => fill(own.cred_key, &[("name", id.as_ref().map_or("?", |id| &id.0))]),
    };
    if shown.is_empty() {
        return own.cred_none.to_owned();
    }
    shown.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn answer(words: &Words, said: Said) -> &'static str {
    let own = &words.overview;
    match said {
        Said::Allow => own.answer_allow,
        Said::SignIn => own.answer_sign_in,
        Said::StepUp { .. } => own.answer_step_up,
        Said::Deny => own.answer_deny,
        Said::Throttle { .. } => own.answer_throttle,
        Said::Unavailable => own.answer_unavailable,
        Said::BadRequest => own.answer_bad_request,
        Said::BadGateway => own.answer_bad_gateway,
        Said::GatewayTimeout => own.answer_gateway_timeout,
    }
}

fn access(words: &Words, access: Access) -> &'static str {
    match access {
        Access::None => words.acting.access_none,
        Access::Read => words.acting.access_read,
        Access::Full => words.acting.access_full,
    }
}

fn taken(words: &Words, taken: Taken) -> &'static str {
    let own = &words.overview;
    match taken {
        Taken::Proxy => own.walk_proxy,
        Taken::Client => own.walk_client,
        Taken::StandIn => own.walk_stand_in,
        Taken::Unreadable => own.walk_unreadable,
        Taken::Beyond => own.walk_beyond,
        Taken::Unbelieved => own.walk_unbelieved,
    }
}
