//! Whether the gate is asked, about what, and whether its answer counts.

use super::{
    super::{
        observed::{Exchange, Observed},
        probes::{LIE_ADDRESS, LIE_HOST, LIE_METHOD},
        run::QUESTIONS,
    },
    Look, if_so,
};
use crate::rules::{
    address::AddrSource,
    facts::Scheme,
    record::{Said, Shown},
};

/// How a request that the gate did not allow got through all the same.
pub(super) fn got_through(exchange: &Exchange, o: &Observed) -> Option<String> {
    if exchange.allowed() {
        return None;
    }
    let inside = o.inside.is_ok() && !["silence", "also"].contains(&exchange.name);
    let gate = match exchange.judged() {
        Some(sighting) => {
            let (said, id) = (sighting.record.reply.said.as_str(), sighting.record.decision);
            format!("though the gate said {said} ({id})")
        }
        None if inside => "and the gate was not asked".to_owned(),
        None => "without a session".to_owned(),
    };
    let what = format!("{} {}", exchange.method, exchange.target);
    if !exchange.panel.is_empty() {
        return Some(format!("{what} reached the panel, {gate}"));
    }
    let answer = exchange.answer.as_ref().ok()?;
    // Some servers have an empty 200 for whatever they do not know; the stand-in sees whatever there is to see.
    let passed = (200..300).contains(&answer.status) && !answer.body.is_empty() && o.stand_in.is_err();
    passed.then(|| format!("{what} was answered with {}, {gate}", answer.status))
}

/// Whoever may do everything without a session shows nothing.
fn protected(o: &Observed) -> Result<(), String> {
    let open = o.probe("click")?.allowed();
    if open { Err("the page is open to everybody: name another with --page".to_owned()) } else { Ok(()) }
}

fn through(o: &Observed, names: &[&str]) -> Look {
    protected(o)?;
    let mut found = Vec::new();
    for name in names {
        let exchange = o.probe(name)?;
        found.extend(got_through(exchange, o));
    }
    Ok(found)
}

pub(super) fn enforced(o: &Observed) -> Look {
    through(o, &["click", "script", "post", "visitortwo"])
}

/// Where everything gets through, nothing is an exception.
fn nothing_gets_through(o: &Observed) -> Result<(), String> {
    let through = got_through(o.probe("click")?, o).is_some();
    if through { Err("every request gets through (D020)".to_owned()) } else { Ok(()) }
}

pub(super) fn exempt(o: &Observed) -> Look {
    protected(o)?;
    let special = o.probes("exempt").filter(|exchange| exchange.name != "exempthost");
    nothing_gets_through(o)?;
    Ok(special.filter_map(|exchange| got_through(exchange, o)).collect())
}

pub(super) fn other_host(o: &Observed) -> Look {
    through(o, &["exempthost"])
        .map(|found| found.into_iter().map(|how| format!("with `Host: {LIE_HOST}`, {how}")).collect())
}

pub(super) fn fails_open(o: &Observed) -> Look {
    o.inside.clone()?;
    nothing_gets_through(o)?;
    let how = got_through(o.probe("silence")?, o).map(|how| format!("the gate gave no answer, and {how}"));
    Ok(how.into_iter().collect())
}

pub(super) fn unreadable(o: &Observed) -> Look {
    o.inside.clone()?;
    let mut found: Vec<String> = Vec::new();
    for sighting in &o.others {
        let record = &sighting.record;
        let Some(detail) = &record.reply.detail else { continue };
        let told = format!("the gate's answer to a question ({}): {detail}", record.asked.dialect);
        if sighting.target.starts_with(QUESTIONS) && !found.contains(&told) {
            found.push(told);
        }
    }
    Ok(found)
}

pub(super) fn never_arrives(o: &Observed) -> Look {
    o.inside.clone()?;
    let (click, script) = (o.probe("click")?, o.probe("script")?);
    let unasked = [click, script]
        .iter()
        .all(|exchange| exchange.judged().is_none() && got_through(exchange, o).is_none());
    let answer = click.answer()?;
    if_so(unasked && o.others.is_empty(), || {
        format!("GET {} was answered with {}, and the gate has not heard of it", click.target, answer.told())
    })
}

pub(super) fn believes_for(o: &Observed) -> Look {
    let sighting = o.judged("liefor")?;
    if_so(sighting.record.client.ip.to_string() == LIE_ADDRESS, || {
        format!("sent `X-Forwarded-For: {LIE_ADDRESS}`, and the gate took that for the client's address")
    })
}

pub(super) fn believes_proto(o: &Observed) -> Look {
    let (usual, lied) = (o.judged("click")?.record.asked.scheme, o.judged("lieproto")?.record.asked.scheme);
    if_so(usual == Some(Scheme::Https) && lied == Some(Scheme::Http), || {
        "sent `X-Forwarded-Proto: http` over TLS, and the gate took the request for a plain one".to_owned()
    })
}

pub(super) fn believes_host(o: &Observed) -> Look {
    let host = &o.judged("liehost")?.record.asked.host;
    if_so(host.contains(LIE_HOST), || {
        format!("sent `X-Forwarded-Host: {LIE_HOST}`, and the gate judged a request for {host}")
    })
}

pub(super) fn believes_uri(o: &Observed) -> Look {
    another_target(o, "lieuri", "-believeduri", "X-Forwarded-Uri")
}

pub(super) fn believes_original_url(o: &Observed) -> Look {
    another_target(o, "lieurl", "-believedurl", "X-Original-URL")
}

/// Whether the gate judged the target that a header named instead of the one that was asked for.
fn another_target(o: &Observed, probe: &str, mark: &str, header: &str) -> Look {
    o.inside.clone()?;
    let real = &o.probe(probe)?.target;
    let believed = o.others.iter().find(|sighting| sighting.target.contains(mark));
    Ok(believed
        .map(|sighting| {
            format!("asked for {real} with `{header}: …{mark}`, and the gate judged {}", sighting.target)
        })
        .into_iter()
        .collect())
}

pub(super) fn believes_method(o: &Observed) -> Look {
    another_method(o, "liemethod", "X-Forwarded-Method")
}

pub(super) fn believes_original_method(o: &Observed) -> Look {
    another_method(o, "lieasked", "X-Original-Method")
}

fn another_method(o: &Observed, probe: &str, header: &str) -> Look {
    let method = &o.judged(probe)?.record.asked.method;
    if_so(method == LIE_METHOD, || {
        format!("sent a GET with `{header}: {LIE_METHOD}`, and the gate judged the method {method}")
    })
}

pub(super) fn believes_others(o: &Observed) -> Look {
    let mut found = another_target(o, "lieothers", "-believedothers", "X-Rewrite-URL or X-Original-URI")?;
    let record = &o.judged("lieothers")?.record;
    if record.client.ip.to_string() == LIE_ADDRESS {
        found.push(format!("sent `X-Real-IP` and `Forwarded` with {LIE_ADDRESS}, and the gate believed it"));
    }
    if record.asked.host.contains(LIE_HOST) {
        found.push(format!("sent `Forwarded: host={LIE_HOST}`, and the gate believed it"));
    }
    Ok(found)
}

/// Where a target was believed, nothing else about it can be said.
fn plainly(o: &Observed) -> Result<Vec<&Exchange>, String> {
    o.inside.clone()?;
    let plain = ["click", "script", "post", "exempthead", "exemptphp", "exemptquery"];
    plain.iter().map(|name| o.probe(name)).collect()
}

fn compare(o: &Observed, differs: impl Fn(&Exchange) -> Option<String>) -> Look {
    let asked = plainly(o)?;
    if asked.iter().all(|exchange| exchange.judged().is_none()) {
        return Err("the gate was not asked about any of them".to_owned());
    }
    Ok(asked.into_iter().filter_map(differs).collect())
}

pub(super) fn method(o: &Observed) -> Look {
    compare(o, |exchange| {
        let (sent, judged) = (&exchange.method, &exchange.judged()?.record.asked.method);
        (sent != judged).then(|| format!("sent {sent} {}, and the gate judged {judged}", exchange.target))
    })
}

pub(super) fn path(o: &Observed) -> Look {
    compare(o, |exchange| {
        let (sent, judged) = (&exchange.target, &exchange.judged()?.target);
        // What could not be described is kept without its query.
        let undescribed =
            exchange.judged()?.record.policy.is_empty() && sent.starts_with(&format!("{judged}?"));
        (sent != judged && !undescribed).then(|| format!("asked for {sent}, and the gate judged {judged}"))
    })
}

pub(super) fn host(o: &Observed) -> Look {
    let wanted = o.authority.split(':').next().unwrap_or_default();
    compare(o, |exchange| {
        let judged = &exchange.judged()?.record.asked.host;
        let same = judged.split(':').next() == Some(wanted);
        (!same).then(|| {
            format!("asked {} for {}, and the gate judged the host {judged:?}", o.authority, exchange.target)
        })
    })
    .map(first)
}

pub(super) fn scheme(o: &Observed) -> Look {
    compare(o, |exchange| {
        let plain = exchange.judged()?.record.asked.scheme != Some(Scheme::Https);
        plain.then(|| format!("asked for {} over TLS, and the gate heard of plain HTTP", exchange.target))
    })
    .map(first)
}

pub(super) fn address(o: &Observed) -> Look {
    let client = &o.judged("click")?.record.client;
    if client.from == AddrSource::Unforwarded {
        return Ok(vec![format!(
            "the gate was not told any client's address: it counts {} for all",
            client.ip
        )]);
    }
    let Some(local) = o.local.filter(|local| *local != client.ip) else { return Ok(Vec::new()) };
    // Between other addresses there may be translation, which is nobody's fault.
    if_so(client.ip.is_loopback(), || {
        format!(
            "the request came from {local}, and the gate took {} for its client: the proxy's own",
            client.ip
        )
    })
}

pub(super) fn websocket(o: &Observed) -> Look {
    let sighting = o.judged("websocket")?;
    if_so(!sighting.record.asked.upgrade, || {
        format!("a WebSocket handshake to {} was judged as a plain GET", sighting.target)
    })
}

pub(super) fn credential(o: &Observed) -> Look {
    o.session.clone()?;
    let record = &o.judged("member")?.record;
    let arrived = record.shown.contains(&Shown::Cookie) || record.reply.said == Said::Allow;
    if_so(!arrived, || "a request was sent with the session's cookie, and the gate did not get it".to_owned())
}

/// One is as good as all where every request has the same fault.
fn first(mut found: Vec<String>) -> Vec<String> {
    found.truncate(1);
    found
}
