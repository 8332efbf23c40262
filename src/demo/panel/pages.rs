//! The pages: dashboard, domains, settings, system, and the identity headers.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Form, Path, State},
    response::{Html, IntoResponse, Response},
};
use http::StatusCode;
use serde::Deserialize;

use super::{
    book::{Account, Domain, Entry, Harbor, Service, Settings},
    charts::{Bar, LineChart, bars, series},
    flash, live,
    visitor::Visitor,
};

type Panel = State<Arc<Harbor>>;

/// One of the four numbers at the top of the dashboard.
struct Card {
    label: &'static str,
    value: String,
    trend: &'static str,
    chart: LineChart,
}

/// A line of the journal, ready to be shown.
struct Line {
    at: String,
    who: String,
    what: String,
}

#[derive(Template)]
#[template(path = "demo/panel/pages/dashboard.html")]
struct DashboardPage {
    visitor: Visitor,
    cards: Vec<Card>,
    requests: LineChart,
    peak: u32,
    domains: Vec<Bar>,
    journal: Vec<Line>,
    now: String,
}

#[derive(Template)]
#[template(path = "demo/panel/pages/identity.html")]
struct IdentityPage {
    visitor: Visitor,
}

#[derive(Template)]
#[template(path = "demo/panel/pages/domains.html")]
struct DomainsPage {
    visitor: Visitor,
    domains: Vec<(Domain, LineChart)>,
}

#[derive(Template)]
#[template(path = "demo/panel/pages/domain.html")]
struct DomainPage {
    visitor: Visitor,
    domain: Domain,
    visits: LineChart,
}

#[derive(Template)]
#[template(path = "demo/panel/pages/settings.html")]
struct SettingsPage {
    visitor: Visitor,
    settings: Settings,
}

#[derive(Template)]
#[template(path = "demo/panel/pages/system.html")]
struct SystemPage {
    visitor: Visitor,
    services: Vec<(Service, String)>,
}

#[derive(Template)]
#[template(path = "demo/panel/pages/users.html")]
struct UsersPage {
    visitor: Visitor,
    accounts: Vec<Account>,
}

#[derive(Template)]
#[template(path = "demo/panel/pages/user.html")]
struct UserPage {
    visitor: Visitor,
    account: Account,
}

#[derive(Template)]
#[template(path = "demo/panel/pages/missing.html")]
struct MissingPage {
    visitor: Visitor,
}

#[derive(Deserialize)]
pub(crate) struct DomainForm {
    name: String,
    #[serde(default)]
    runtime: String,
}

#[derive(Deserialize)]
pub(crate) struct SettingsForm {
    server_name: String,
    contact: String,
    backups: String,
    updates: Option<String>,
}

/// `GET /`
pub(crate) async fn dashboard(State(harbor): Panel, visitor: Visitor) -> Response {
    let book = harbor.book();
    let domains = bars(book.domains.iter().map(|domain| (domain.name.clone(), domain.visits.iter().sum())));
    let cards = cards(book.accounts.len(), book.domains.len());
    let journal = book.journal.iter().map(line).collect();
    drop(book);
    let hours = series(1480, 24);
    let peak = hours.iter().copied().max().unwrap_or(0);
    let requests = LineChart::new(&hours, 720, 180);
    let now = live::time_text(harbor.clock.wall());
    page(visitor, |visitor| DashboardPage { visitor, cards, requests, peak, domains, journal, now })
}

/// `GET /identity`: what the gate told the panel.
pub(crate) async fn identity(visitor: Visitor) -> Response {
    page(visitor, |visitor| IdentityPage { visitor })
}

/// `GET /domains`
pub(crate) async fn domains(State(harbor): Panel, visitor: Visitor) -> Response {
    let domains = harbor.book().domains.clone();
    let domains = domains.into_iter().map(|domain| {
        let chart = LineChart::new(&domain.visits, 120, 32);
        (domain, chart)
    });
    page(visitor, |visitor| DomainsPage { visitor, domains: domains.collect() })
}

/// `GET /domains/{name}`
pub(crate) async fn domain(State(harbor): Panel, Path(name): Path<String>, visitor: Visitor) -> Response {
    let found = harbor.book().domains.iter().find(|domain| domain.name == name).cloned();
    let Some(domain) = found else { return missing(visitor) };
    let visits = LineChart::new(&domain.visits, 720, 180);
    page(visitor, |visitor| DomainPage { visitor, domain, visits })
}

/// `POST /domains`
pub(crate) async fn add_domain(
    State(harbor): Panel,
    visitor: Visitor,
    Form(form): Form<DomainForm>,
) -> Response {
    let name = form.name.trim().to_ascii_lowercase();
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    if name.len() < 3 || !name.contains('.') || !plain {
        return flash::redirect("/domains", "A domain looks like example.org");
    }
    let mut book = harbor.book();
    if book.domains.iter().any(|domain| domain.name == name) {
        return flash::redirect("/domains", &format!("{name} is there already"));
    }
    book.domains.push(Domain {
        name: name.clone(),
        owner: visitor.user.clone(),
        runtime: if form.runtime.is_empty() { "Static".to_owned() } else { form.runtime },
        certificate_days: 90,
        visits: vec![0; 14],
    });
    book.note(harbor.clock.wall(), &visitor.user, format!("Added domain {name}"));
    flash::redirect("/domains", &format!("Added {name}"))
}

/// `POST /domains/{name}/delete`
pub(crate) async fn delete_domain(
    State(harbor): Panel,
    Path(name): Path<String>,
    visitor: Visitor,
) -> Response {
    let mut book = harbor.book();
    let before = book.domains.len();
    book.domains.retain(|domain| domain.name != name);
    if book.domains.len() == before {
        drop(book);
        return missing(visitor);
    }
    book.note(harbor.clock.wall(), &visitor.user, format!("Deleted domain {name}"));
    flash::redirect("/domains", &format!("Deleted {name}"))
}

/// `GET /settings`
pub(crate) async fn settings(State(harbor): Panel, visitor: Visitor) -> Response {
    let settings = harbor.book().settings.clone();
    page(visitor, |visitor| SettingsPage { visitor, settings })
}

/// `POST /settings`
pub(crate) async fn save_settings(
    State(harbor): Panel,
    visitor: Visitor,
    Form(form): Form<SettingsForm>,
) -> Response {
    let mut book = harbor.book();
    book.settings = Settings {
        server_name: form.server_name,
        contact: form.contact,
        backups: form.backups,
        updates: form.updates.is_some(),
    };
    book.note(harbor.clock.wall(), &visitor.user, "Changed the settings".to_owned());
    flash::redirect("/settings", "Settings saved")
}

/// `GET /system`
pub(crate) async fn system(State(harbor): Panel, visitor: Visitor) -> Response {
    let services = harbor.book().services.clone();
    let services = services.into_iter().map(|service| {
        let since = live::time_text(service.since);
        (service, since)
    });
    page(visitor, |visitor| SystemPage { visitor, services: services.collect() })
}

/// `POST /system/services/{name}/restart`
pub(crate) async fn restart(State(harbor): Panel, Path(name): Path<String>, visitor: Visitor) -> Response {
    let now = harbor.clock.wall();
    let mut book = harbor.book();
    let Some(service) = book.services.iter_mut().find(|service| service.name == name) else {
        drop(book);
        return missing(visitor);
    };
    service.since = now;
    book.note(now, &visitor.user, format!("Restarted {name}"));
    flash::redirect("/system", &format!("Restarted {name}"))
}

/// Anything that is not there.
pub(crate) async fn not_found(visitor: Visitor) -> Response {
    missing(visitor)
}

pub(super) fn missing(visitor: Visitor) -> Response {
    let mut response = page(visitor, |visitor| MissingPage { visitor });
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

pub(super) fn users_page(visitor: Visitor, accounts: Vec<Account>) -> Response {
    page(visitor, |visitor| UsersPage { visitor, accounts })
}

pub(super) fn user_page(visitor: Visitor, account: Account) -> Response {
    page(visitor, |visitor| UserPage { visitor, account })
}

fn page<T: Template>(visitor: Visitor, fill: impl FnOnce(Visitor) -> T) -> Response {
    let had_flash = visitor.flash.is_some();
    let response = match fill(visitor).render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    };
    if had_flash { flash::forget(response) } else { response }
}

fn line(entry: &Entry) -> Line {
    Line { at: live::time_text(entry.at), who: entry.who.clone(), what: entry.what.clone() }
}

fn cards(accounts: usize, domains: usize) -> Vec<Card> {
    let spark = |base| LineChart::new(&series(base, 14), 160, 36);
    vec![
        Card { label: "Accounts", value: accounts.to_string(), trend: "+2 this month", chart: spark(9) },
        Card { label: "Domains", value: domains.to_string(), trend: "+1 this month", chart: spark(14) },
        Card {
            label: "Traffic today",
            value: "38.2 GB".to_owned(),
            trend: "+6 % on yesterday",
            chart: spark(310),
        },
        Card { label: "Disk in use", value: "412 GB".to_owned(), trend: "61 % of 675 GB", chart: spark(57) },
    ]
}
