//! What reaches the client.

use super::{
    super::{
        advice::Proxy,
        observed::{Answer, Observed},
        stand_in::{OWN_COOKIES, OWN_REDIRECT, OWN_REFUSAL},
    },
    Look,
    asked::got_through,
    if_so,
};

/// The gate refused it, and that is what the client should see.
fn refused<'a>(o: &'a Observed, probe: &str) -> Result<&'a Answer, String> {
    let exchange = o.probe(probe)?;
    if exchange.allowed() {
        return Err("the page is open to everybody: name another with --page".to_owned());
    }
    if got_through(exchange, o).is_some() {
        return Err("the request got through (D020)".to_owned());
    }
    if o.inside.is_ok() && exchange.judged().is_none() {
        return Err("the gate was not asked (D027, D028)".to_owned());
    }
    exchange.answer()
}

fn leads_to_sign_in(answer: &Answer) -> bool {
    matches!(answer.status, 302 | 303) && answer.field("location").is_some_and(|to| to.contains("/_gate/"))
}

pub(super) fn rendered(o: &Observed) -> Look {
    let (click, script) = (refused(o, "click")?, refused(o, "script")?);
    let mut found = Vec::new();
    if !leads_to_sign_in(click) {
        found.push(format!(
            "a visitor's click was answered with {}, not with the way to the sign-in page",
            click.told()
        ));
    }
    let kind = script.field("content-type").unwrap_or("no Content-Type");
    if script.status != 401 || !kind.starts_with("application/problem+json") {
        found.push(format!(
            "a visitor's script was answered with {} ({kind}), not with 401 as a problem",
            script.told()
        ));
    }
    Ok(found)
}

pub(super) fn outcome_leaks(o: &Observed) -> Look {
    let answer = refused(o, "script")?;
    if o.proxy != Some(Proxy::Nginx) {
        return Ok(Vec::new());
    }
    if_so(answer.field("x-gate-outcome").is_some(), || "a refused client got X-Gate-Outcome".to_owned())
}

pub(super) fn way_back(o: &Observed) -> Look {
    let answer = refused(o, "click")?;
    if !leads_to_sign_in(answer) {
        return Err("there is no way to the sign-in page (D024)".to_owned());
    }
    let location = answer.field("location").unwrap_or_default();
    let path = location.strip_prefix(&o.origin).unwrap_or(location);
    let (place, query) = path.split_once('?').unwrap_or((path, ""));
    let back = query.split('&').find_map(|pair| pair.strip_prefix("rd=")).unwrap_or_default();
    let back = percent_encoding::percent_decode_str(back).decode_utf8_lossy().into_owned();
    let target = &o.probe("click")?.target;
    let mut found = Vec::new();
    if !place.starts_with("/_gate/") {
        found.push(format!("a visitor to {} is led to {location}", o.origin));
    }
    if back != *target && back != format!("{}{target}", o.origin) {
        found.push(format!("asked for {target}, and the way back from the sign-in page leads to {back:?}"));
    }
    Ok(found)
}

/// The panel's own answers need a panel that gives them.
fn own<'a>(o: &'a Observed, probe: &str) -> Result<&'a Answer, String> {
    o.stand_in.clone()?;
    o.saw("member")?;
    let exchange = o.probe(probe)?;
    exchange.saw()?;
    exchange.answer()
}

pub(super) fn streamed(o: &Observed) -> Look {
    own(o, "stream")?;
    let at_once = o.streamed.clone()?;
    if_so(!at_once, || "the first event of a stream was held back until the second had been sent".to_owned())
}

pub(super) fn changed(o: &Observed) -> Look {
    let answer = own(o, "redirect")?;
    let mut found = Vec::new();
    if answer.status != 302 || answer.field("location") != Some(OWN_REDIRECT) {
        found.push(format!("the panel answered 302 to {OWN_REDIRECT}, and the client got {}", answer.told()));
    }
    let lost = OWN_COOKIES.iter().filter(|cookie| !answer.all("set-cookie").any(|got| got == **cookie));
    found.extend(lost.map(|cookie| format!("the panel set `{cookie}`, and the client did not get it so")));
    Ok(found)
}

pub(super) fn own_refusal(o: &Observed) -> Look {
    let answer = own(o, "refusal")?;
    if_so(answer.status != 403 || answer.body != OWN_REFUSAL, || {
        format!("the panel itself answered 403, and the client got {} instead", answer.told())
    })
}

pub(super) fn kept(o: &Observed) -> Look {
    o.stand_in.clone()?;
    o.saw("member")?;
    let (first, second) = (o.probe("cached")?, o.probe("again")?);
    let answers = (first.answer()?, second.answer()?);
    first.saw()?;
    // The stand-in numbers its answers.
    if_so(answers.0.body == answers.1.body, || {
        format!("GET {} was sent twice, and the second answer was the first one's", first.target)
    })
}
