//! `/_gate/admin/failures`

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::{
    AT, AtAccount, By, at_accounts, at_nobody, ban_of,
    flow::{self, Counts, Seen, Somewhere},
    networks, standing_of,
};
use crate::{
    gate::SignedIn,
    portal::{
        admin::{
            bans::{ban_link, lift_link},
            paging::Paged,
        },
        context::Cx,
        guard,
        pages::{self, AccountFrame, Frame, Pager, Tab},
        sessions::When,
        words::fill,
    },
    rules::{
        ban::{Ban, Whom},
        failures::Barred,
    },
};

/// So many networks are named at an account.
const NETWORKS: usize = 3;

#[derive(Template)]
#[template(path = "portal/pages/admin_failures.html")]
struct Page {
    frame: Frame,
    me: AccountFrame,
    views: Vec<View>,
    rows: Vec<Row>,
    /// What there is to say besides.
    note: Option<String>,
    pager: Pager,
}

/// Another way of looking at it.
struct View {
    label: &'static str,
    href: String,
    current: bool,
}

/// One network, account, country or autonomous system.
struct Row {
    title: String,
    /// Where the title leads to.
    href: Option<String>,
    /// Where it is, or where it comes from.
    place: String,
    counts: String,
    since: Option<When>,
    last: Option<When>,
    /// What it has come to.
    tag: Option<String>,
    acts: Vec<Link>,
}

struct Link {
    label: &'static str,
    href: String,
    danger: bool,
}

/// `GET /_gate/admin/failures?by=network|account|country|asn&page=`
pub(super) async fn show(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let (by, words, snapshot) = (By::asked(&cx), &cx.words.failures, &cx.visit.snapshot);
    if by == By::Account {
        let (names, failures) = at_nobody(&cx);
        let values = [("names", names.to_string()), ("n", failures.to_string())];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        let note = (names > 0).then(|| fill(words.nobody, &values));
        return Ok(page(&cx, &member, by, at_accounts(&cx, &member), |at| account(&cx, at), note));
    }
    let networks = networks(&cx).await.map_err(|fault| guard::refuse(&cx, fault))?;
    Ok(match by {
        By::Network | By::Account => page(&cx, &member, by, networks, |seen| network(&cx, seen), None),
        By::Country => {
            let all = flow::by_country(&networks, &snapshot.places);
            let note = snapshot.places.is_none().then(|| words.no_places.to_owned());
            page(&cx, &member, by, all, |place| somewhere(&cx, place), note)
        }
        By::System => {
            let all = flow::by_system(&networks, &snapshot.systems);
            let note = snapshot.systems.is_none().then(|| words.no_systems.to_owned());
            page(&cx, &member, by, all, |place| somewhere(&cx, place), note)
        }
    })
}

fn page<T>(
    cx: &Cx,
    member: &SignedIn,
    by: By,
    all: Vec<T>,
    row: impl Fn(&T) -> Row,
    note: Option<String>,
) -> Response {
    let paged = Paged::new(cx, all, AT, ("by", by.code()));
    let page = Page {
        frame: cx.frame(),
        me: AccountFrame::new(cx, member, Tab::Failures),
        views: By::ALL.into_iter().map(|other| view(cx, other, by)).collect(),
        rows: paged.items.iter().map(row).collect(),
        note,
        pager: paged.into(),
    };
    pages::html(StatusCode::OK, &page)
}

fn view(cx: &Cx, by: By, current: By) -> View {
    let words = &cx.words.failures;
    let label = match by {
        By::Network => words.by_network,
        By::Account => words.by_account,
        By::Country => words.by_country,
        By::System => words.by_system,
    };
    View { label, href: format!("{AT}?by={}", by.code()), current: by == current }
}

fn network(cx: &Cx, seen: &Seen) -> Row {
    let (words, snapshot) = (&cx.words.failures, &cx.visit.snapshot);
    let place = snapshot.places.find(seen.address(), cx.words.lang).short();
    let system = snapshot.systems.find(seen.address());
    let system = system.map(|system| format!("{} {}", system.asn, system.name).trim().to_owned());
    let whom = Whom::Network(seen.network);
    let (ban, spared) = standing_of(cx, seen);
    let towards = seen.towards.map(|(count, _)| {
        let most = snapshot.lockout.network.failures.to_string();
        fill(words.towards, &[("n", &count.to_string()), ("most", &most)])
    });
    let bans = (seen.bans > 0).then(|| fill(words.bans, &[("n", &seen.bans.to_string())]));
    let parts = [Some(counts(cx, &seen.counts)), towards, bans];
    Row {
        title: seen.network.to_string(),
        href: None,
        place: [place, system].into_iter().flatten().collect::<Vec<_>>().join(" · "),
        counts: parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · "),
        since: Some(When::new(cx.words, seen.since, cx.now())),
        last: Some(When::new(cx.words, seen.last, cx.now())),
        tag: if spared { Some(words.spared.to_owned()) } else { ban.as_deref().map(|ban| banned(cx, ban)) },
        acts: match &ban {
            _ if spared => Vec::new(),
            Some(ban) => vec![lift(cx, ban)],
            None => vec![make(cx, &whom)],
        },
    }
}

fn account(cx: &Cx, at: &AtAccount) -> Row {
    let (words, name) = (&cx.words.failures, at.user.name.as_str());
    let tag = at.standing.worst().map(|barred| match barred {
        Barred::Stopped => cx.words.admin.stopped.to_owned(),
        Barred::For(wait) => {
            fill(cx.words.admin.locked_until, &[("time", &pages::clock(cx.now().plus(wait)))])
        }
    });
    let named = at.networks.iter().take(NETWORKS).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let href = format!("/_gate/admin/users/{name}");
    let unlock = || Link { label: cx.words.admin.unlock, href: format!("{href}/unlock"), danger: false };
    let trail = format!("/_gate/admin/audit?user={}", crate::portal::redirect::escape(name));
    let trail = Link { label: words.trail, href: trail, danger: false };
    Row {
        title: name.to_owned(),
        place: if named.is_empty() { named } else { fill(words.from, &[("networks", &named)]) },
        counts: counts(cx, &at.counts),
        since: None,
        last: Some(When::new(cx.words, at.last, cx.now())),
        tag,
        acts: if at.own { vec![trail] } else { vec![trail, unlock()] },
        href: Some(href),
    }
}

fn somewhere(cx: &Cx, place: &Somewhere) -> Row {
    let words = &cx.words.failures;
    let ban = place.whom.and_then(|whom| ban_of(cx, &whom));
    Row {
        title: place.whom.map_or_else(
            || words.unknown.to_owned(),
            |whom| match whom {
                Whom::Country(country) => country.to_string(),
                Whom::Asn(asn) => asn.to_string(),
                Whom::Network(network) => network.to_string(),
            },
        ),
        href: None,
        place: fill(words.networks, &[("n", &place.networks.to_string())]),
        counts: counts(cx, &place.counts),
        since: None,
        last: Some(When::new(cx.words, place.last, cx.now())),
        tag: ban.as_deref().map(|ban| banned(cx, ban)),
        acts: match (&ban, &place.whom) {
            (Some(ban), _) => vec![lift(cx, ban)],
            (None, Some(whom)) => vec![make(cx, whom)],
            (None, None) => Vec::new(),
        },
    }
}

/// Why, and how often.
fn counts(cx: &Cx, counts: &Counts) -> String {
    let words = &cx.words.failures;
    let patterns = [words.passwords, words.codes, words.credentials, words.traps];
    let parts = patterns.into_iter().zip(counts.parts()).filter(|(_, count)| *count > 0);
    parts.map(|(pattern, count)| fill(pattern, &[("n", &count.to_string())])).collect::<Vec<_>>().join(" · ")
}

fn banned(cx: &Cx, ban: &Ban) -> String {
    let words = &cx.words.failures;
    let whom = ban.whom.to_string();
    match ban.until {
        Some(until) => fill(words.banned_until, &[("whom", &whom), ("time", &pages::date_and_time(until))]),
        None => fill(words.banned, &[("whom", &whom)]),
    }
}

fn lift(cx: &Cx, ban: &Ban) -> Link {
    Link { label: cx.words.bans.lift, href: lift_link(&ban.whom), danger: false }
}

fn make(cx: &Cx, whom: &Whom) -> Link {
    Link { label: cx.words.failures.ban, href: ban_link(whom), danger: true }
}
