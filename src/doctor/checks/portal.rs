//! The gate's own pages, and signing in through the chain.

use super::{
    super::{
        observed::{Exchange, Observed},
        probes::LIE_ADDRESS,
    },
    Look, if_so,
};

pub(super) fn routed(o: &Observed) -> Look {
    let script = o.probe("gate-script")?.answer()?;
    let kind = script.field("content-type").unwrap_or_default();
    if_so(script.status != 200 || !kind.contains("javascript"), || {
        format!("GET /_gate/client.js was answered with {} ({kind})", script.told())
    })
}

fn page(o: &Observed) -> Result<&Exchange, String> {
    let page = o.probe("gate-page")?;
    match page.answer()?.status {
        200 => Ok(page),
        status => Err(format!("the sign-in page answers {status}")),
    }
}

pub(super) fn kept_from_caches(o: &Observed) -> Look {
    let answer = page(o)?.answer()?;
    let said = answer.all("cache-control").collect::<Vec<_>>().join(", ");
    let age = answer.field("age").is_some();
    if_so(!said.contains("no-store") || age, || {
        format!(
            "the sign-in page arrived with `Cache-Control: {said}`{}",
            if age { " and an Age" } else { "" }
        )
    })
}

fn sign_in(o: &Observed) -> Result<&Exchange, String> {
    o.guest
        .as_ref()
        .ok_or_else(|| o.session.clone().err().unwrap_or_else(|| "a session was given".to_owned()))?;
    o.probe("gate-sign-in")
}

pub(super) fn signs_in(o: &Observed) -> Look {
    let exchange = sign_in(o)?;
    let answer = exchange.answer()?;
    if answer.status == 429 {
        return Err(
            "the gate says that there were too many sign-ins from here: try again in a minute".to_owned()
        );
    }
    if answer.status != 200 {
        let told: String = answer.body.chars().take(160).collect();
        return Ok(vec![format!(
            "a sign-in with the right password was answered with {}: {told}",
            answer.told()
        )]);
    }
    let missing = o.cookies.iter().filter(|name| cookie(exchange, name).is_none());
    Ok(missing.map(|name| format!("the sign-in succeeded, and its cookie {name} did not arrive")).collect())
}

/// The attributes of a cookie that was set.
fn cookie<'a>(exchange: &'a Exchange, name: &str) -> Option<Vec<&'a str>> {
    let answer = exchange.answer.as_ref().ok()?;
    let line = answer.all("set-cookie").find(|line| line.split('=').next() == Some(name))?;
    Some(line.split(';').skip(1).map(str::trim).collect())
}

pub(super) fn cookies(o: &Observed) -> Look {
    let exchange = sign_in(o)?;
    let paths = ["Path=/", "Path=/_gate/refresh"];
    let mut found = Vec::new();
    for (name, path) in o.cookies.iter().zip(paths) {
        let Some(attributes) = cookie(exchange, name) else { continue };
        let has = |wanted: &str| attributes.iter().any(|attribute| attribute.eq_ignore_ascii_case(wanted));
        for wanted in [path, "Secure", "HttpOnly"] {
            if !has(wanted) {
                found
                    .push(format!("the cookie {name} arrived without `{wanted}`: {}", attributes.join("; ")));
            }
        }
        if !attributes.iter().any(|attribute| attribute.to_ascii_lowercase().starts_with("samesite=")) {
            found.push(format!("the cookie {name} arrived without `SameSite`: {}", attributes.join("; ")));
        }
    }
    Ok(found)
}

pub(super) fn address_believed(o: &Observed) -> Look {
    o.inside.clone()?;
    sign_in(o)?;
    let addresses = &o.guest.as_ref().map(|guest| guest.addresses.clone()).unwrap_or_default();
    if addresses.is_empty() {
        return Err("no sign-in came about".to_owned());
    }
    if_so(addresses.iter().any(|address| address == LIE_ADDRESS), || {
        format!(
            "signed in with `X-Forwarded-For: {LIE_ADDRESS}`, and the gate noted that address for the session"
        )
    })
}

pub(super) fn host_or_scheme_believed(o: &Observed) -> Look {
    page(o)?;
    let mut found = Vec::new();
    for (probe, what) in [("gate-liehost", "X-Forwarded-Host"), ("gate-lieproto", "X-Forwarded-Proto")] {
        let answer = o.probe(probe)?.answer()?;
        if answer.status != 200 {
            found.push(format!("with a lie in `{what}` the sign-in page is answered with {}", answer.told()));
        }
    }
    Ok(found)
}
