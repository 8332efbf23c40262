//! `/_gate/api/v1/admin/failures`

use axum::response::Response;
use serde_json::{Value, json};

use super::{
    AtAccount, By, at_accounts, at_nobody, ban_of,
    flow::{self, Counts, Seen, Somewhere},
    networks, standing_of,
};
use crate::{
    clock::Wall,
    portal::{admin::paging::Paged, context::Cx, guard, problem},
    rules::{ban::Ban, failures::Barred},
};

/// `GET /_gate/api/v1/admin/failures?by=network|account|country|asn&page=`
pub(super) async fn show(cx: Cx) -> Result<Response, Response> {
    let member = guard::administrator(&cx).await?;
    let by = By::asked(&cx);
    if by == By::Account {
        let paged = Paged::new(&cx, at_accounts(&cx, &member), "", ("by", by.code()));
        let (names, failures) = at_nobody(&cx);
        let accounts: Vec<Value> = paged.items.iter().map(|at| account(&cx, at)).collect();
        return Ok(problem::answer(&json!({
            "failures": accounts, "page": paged.page, "pages": paged.pages, "total": paged.total,
            "others": { "names": names, "failures": failures },
        })));
    }
    let networks = networks(&cx).await.map_err(|fault| guard::refuse(&cx, fault))?;
    let snapshot = &cx.visit.snapshot;
    let places = match by {
        By::Network | By::Account => {
            let paged = Paged::new(&cx, networks, "", ("by", by.code()));
            return Ok(problem::answer(&answer(&paged, |seen| network(&cx, seen))));
        }
        By::Country => flow::by_country(&networks, &snapshot.places),
        By::System => flow::by_system(&networks, &snapshot.systems),
    };
    let paged = Paged::new(&cx, places, "", ("by", by.code()));
    Ok(problem::answer(&answer(&paged, |place| somewhere(&cx, place))))
}

fn answer<T>(paged: &Paged<T>, each: impl Fn(&T) -> Value) -> Value {
    let failures: Vec<Value> = paged.items.iter().map(each).collect();
    json!({ "failures": failures, "page": paged.page, "pages": paged.pages, "total": paged.total })
}

fn network(cx: &Cx, seen: &Seen) -> Value {
    let (snapshot, address) = (&cx.visit.snapshot, seen.address());
    let (ban, spared) = standing_of(cx, seen);
    json!({
        "network": seen.network.to_string(),
        "country": snapshot.places.country_code(address).map(|country| country.to_string()),
        "asn": snapshot.systems.asn(address).map(|asn| asn.0),
        "counts": counts(&seen.counts),
        "since": seen.since.secs(),
        "last": seen.last.secs(),
        "towards_ban": seen.towards.map_or(0, |(count, _)| count),
        "bans": seen.bans,
        "banned": ban.as_deref().map(banned),
        "spared": spared,
    })
}

fn account(cx: &Cx, at: &AtAccount) -> Value {
    let barred = at.standing.worst();
    json!({
        "name": at.user.name.as_str(),
        "counts": counts(&at.counts),
        "last": at.last.secs(),
        "networks": at.networks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "locked_until": match barred {
            Some(Barred::For(wait)) => Some(cx.now().plus(wait).secs()),
            Some(Barred::Stopped) | None => None,
        },
        "stopped": barred == Some(Barred::Stopped),
    })
}

fn somewhere(cx: &Cx, place: &Somewhere) -> Value {
    json!({
        "country": place.whom.and_then(|whom| whom.country()).map(|country| country.to_string()),
        "asn": place.whom.and_then(|whom| whom.asn()).map(|asn| asn.0),
        "counts": counts(&place.counts),
        "last": place.last.secs(),
        "networks": place.networks,
        "banned": place.whom.and_then(|whom| ban_of(cx, &whom)).as_deref().map(banned),
    })
}

fn counts(counts: &Counts) -> Value {
    let Counts { passwords, codes, credentials, traps } = counts;
    json!({ "passwords": passwords, "codes": codes, "credentials": credentials, "traps": traps })
}

fn banned(ban: &Ban) -> Value {
    json!({ "whom": ban.whom.to_string(), "by": ban.by, "until": ban.until.map(Wall::secs) })
}
