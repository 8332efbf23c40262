//! What reaches the panel.

use super::{
    super::{
        observed::{Observed, Saw},
        probes::{
            BODY, FORGED, IDENTITY, LARGE, LIE, LIE_ADDRESS, OVERRIDES, OWN_AUTHORIZATION, OWN_COOKIES,
            OWN_KEY,
        },
    },
    Look, if_so,
};

pub(super) fn reached(o: &Observed) -> Look {
    o.session.clone()?;
    let member = o.probe("member")?;
    let answer = member.answer()?;
    if o.inside.is_ok() && !member.allowed() {
        return Err(match member.judged() {
            Some(_) => {
                format!("the gate refused {} to the session: name another page with --page", member.target)
            }
            None => format!("the gate was not asked about {}", member.target),
        });
    }
    let arrived = if o.view.is_ok() { !member.panel.is_empty() } else { answer.status < 500 };
    if_so(!arrived || answer.status != 200, || {
        format!(
            "GET {} with a session, which the gate allows, was answered with {}",
            member.target,
            answer.told()
        )
    })
}

pub(super) fn identity(o: &Observed) -> Look {
    let saw = o.saw("member")?;
    let always = IDENTITY.iter().filter(|name| match **name {
        "X-Gate-Elevated-Until" | "X-Gate-Actor" => false,
        "Remote-Email" | "Remote-Name" => o.guest.is_some(),
        "X-Gate-Assertion" => o.assertion,
        _ => true,
    });
    let missing: Vec<&str> = always.filter(|name| saw.field(name).is_empty()).copied().collect();
    if !missing.is_empty() {
        return Ok(vec![format!("the panel got no {}", missing.join(", "))]);
    }
    let Some(guest) = &o.guest else { return Ok(Vec::new()) };
    let user = saw.field("Remote-User");
    if_so(user != guest.name, || {
        format!("{} signed in, and the panel was told `Remote-User: {user}`", guest.name)
    })
}

pub(super) fn forged(o: &Observed) -> Look {
    values(o, "forged", FORGED, "forged identity headers were sent, and these reached the panel")
}

pub(super) fn aliases(o: &Observed) -> Look {
    let mut found = Vec::new();
    for (probe, how) in [("underscore", "underscores"), ("dot", "dots")] {
        let what = format!("identity headers were forged with {how}, and these reached the panel");
        if o.probe(probe)?.answer()?.status != 400 {
            found.extend(values(o, probe, FORGED, &what)?);
        }
    }
    Ok(found)
}

fn values(o: &Observed, probe: &str, text: &str, what: &str) -> Look {
    let names = o.saw(probe)?.fields_with(text);
    if_so(!names.is_empty(), || format!("{what}: {}", names.join(", ")))
}

pub(super) fn connection(o: &Observed) -> Look {
    let usual = o.saw("member")?;
    if o.probe("connection")?.answer()?.status == 400 {
        return Ok(Vec::new());
    }
    let saw = o.saw("connection")?;
    let lost = ["Remote-User", "X-Gate-Role"].iter();
    let lost: Vec<&str> =
        lost.filter(|name| saw.field(name).is_empty() && !usual.field(name).is_empty()).copied().collect();
    if_so(!lost.is_empty(), || {
        format!(
            "sent `Connection: close, Remote-User, X-Gate-Role`, and the panel got no {}",
            lost.join(", ")
        )
    })
}

pub(super) fn gate_cookies(o: &Observed) -> Look {
    let mut found = Vec::new();
    for probe in ["member", "credentials"] {
        let cookies = o.saw(probe)?.field("Cookie");
        let ours = o.cookies.iter().find(|name| cookies.contains(&format!("{name}=")));
        found.extend(ours.map(|name| format!("the panel got the gate's own cookie {name}")));
    }
    found.dedup();
    Ok(found)
}

pub(super) fn gate_tokens(o: &Observed) -> Look {
    if o.token.is_empty() {
        return Err("the session's token is not known".to_owned());
    }
    let saw = o.saw("bearer")?;
    let names = saw.fields_with(&o.token);
    let names: Vec<String> = names.into_iter().filter(|name| name != "cookie").collect();
    if_so(!names.is_empty(), || {
        format!("the session's token, sent as a bearer token, reached the panel in {}", names.join(", "))
    })
}

pub(super) fn own_credentials(o: &Observed) -> Look {
    let saw = o.saw("credentials")?;
    let cookies = saw.field("Cookie");
    let mut lost: Vec<String> = OWN_COOKIES
        .iter()
        .filter(|cookie| !cookies.contains(**cookie))
        .map(|cookie| format!("the cookie {cookie}"))
        .collect();
    for (name, value) in [("Authorization", OWN_AUTHORIZATION), ("X-Api-Key", OWN_KEY)] {
        if saw.field(name) != value {
            lost.push(format!("`{name}: {value}`"));
        }
    }
    if_so(!lost.is_empty(), || {
        format!("the panel's own credentials were sent, and it did not get {}", lost.join(", "))
    })
}

pub(super) fn forwarding(o: &Observed) -> Look {
    let saw = o.saw("lies")?;
    let mut names = saw.fields_with(LIE_ADDRESS);
    names.extend(saw.fields_with(LIE));
    names.sort();
    names.dedup();
    if_so(!names.is_empty(), || format!("the client's own {} reached the panel", names.join(", ")))
}

pub(super) fn method_override(o: &Observed) -> Look {
    let exchange = o.probe("override")?;
    o.saw("member")?;
    if exchange.panel.is_empty() && exchange.judged().is_some() && !exchange.allowed() {
        return Ok(Vec::new());
    }
    let saw = o.saw("override")?;
    let names: Vec<&str> = OVERRIDES.iter().filter(|name| !saw.field(name).is_empty()).copied().collect();
    if_so(!names.is_empty(), || format!("a GET reached the panel with {}", names.join(", ")))
}

pub(super) fn proxy_secret(o: &Observed) -> Look {
    let saw = o.saw("member")?;
    if_so(!saw.field("X-Gate-Proxy-Secret").is_empty(), || "the panel got X-Gate-Proxy-Secret".to_owned())
}

pub(super) fn target(o: &Observed) -> Look {
    o.inside.clone()?;
    o.saw("member")?;
    let mut found = Vec::new();
    for exchange in o.probes("path").chain([o.probe("member")?, o.probe("query")?]) {
        let (Some(judged), Some(saw)) = (exchange.judged(), exchange.panel.last()) else { continue };
        if judged.target != saw.target {
            let sent = &exchange.target;
            found.push(format!(
                "asked for {sent}: the gate judged {}, and the panel got {}",
                judged.target, saw.target
            ));
        }
    }
    Ok(found)
}

pub(super) fn client(o: &Observed) -> Look {
    let saw = o.saw("member")?;
    let known = o.inside.is_ok().then(|| o.probe("member").ok()?.judged()).flatten();
    let address = known.map(|sighting| sighting.record.client.ip.to_string());
    let wrong = |name: &str, wanted: &str| {
        let got = saw.field(name);
        (got != wanted).then(|| format!("the panel was told `{name}: {got}` instead of {wanted}"))
    };
    let addressed = address.and_then(|address| wrong("X-Forwarded-For", &address));
    let rest = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", &*o.authority), ("Host", &*o.authority)];
    Ok(addressed.into_iter().chain(rest.iter().filter_map(|(name, wanted)| wrong(name, wanted))).collect())
}

/// Whether the session may do more than look; else a refusal says nothing about the chain.
fn may_change(o: &Observed, probe: &str) -> Result<(), String> {
    o.saw("member")?;
    let exchange = o.probe(probe)?;
    if exchange.judged().is_some() && !exchange.allowed() {
        return Err(
            "the session may only look at the page: name one that it may change with --page".to_owned()
        );
    }
    Ok(())
}

pub(super) fn upload(o: &Observed) -> Look {
    may_change(o, "upload")?;
    let exchange = o.probe("upload")?;
    let got = exchange.panel.last().map(|saw| saw.body_bytes);
    if_so(got != Some(BODY as u64), || {
        let told = exchange.answer.as_ref().map_or_else(Clone::clone, super::super::observed::Answer::told);
        format!("{BODY} bytes were posted, and {} reached the panel ({told})", got.unwrap_or(0))
    })
}

pub(super) fn upgrade(o: &Observed) -> Look {
    // An echo cannot answer a handshake, and not every proxy passes on what it answers instead.
    o.stand_in.clone()?;
    may_change(o, "upgrade")?;
    let saw = o.saw("upgrade")?;
    let upgrades = saw.field("Upgrade").eq_ignore_ascii_case("websocket")
        && saw.field("Connection").to_ascii_lowercase().contains("upgrade");
    if_so(!upgrades, || {
        format!("a WebSocket handshake reached the panel as `Upgrade: {}`", saw.field("Upgrade"))
    })
}

pub(super) fn large(o: &Observed) -> Look {
    o.saw("member")?;
    let exchange = o.probe("large")?;
    let whole = |saw: &Saw| saw.field("Cookie").len() >= LARGE;
    if_so(!exchange.panel.last().is_some_and(whole), || {
        let told = exchange.answer.as_ref().map_or_else(Clone::clone, super::super::observed::Answer::told);
        format!("a cookie of {} KB did not reach the panel ({told})", LARGE >> 10)
    })
}

pub(super) fn over_http2(o: &Observed) -> Look {
    let usual = o.saw("member")?;
    if !o.tls.http2 {
        return Err("the proxy does not offer HTTP/2".to_owned());
    }
    let exchange = o.probe("membertwo")?;
    let told = exchange.answer.as_ref().map_or_else(Clone::clone, super::super::observed::Answer::told);
    let Some(saw) = exchange.panel.last() else {
        return Ok(vec![format!(
            "with its cookies in several fields, a request over HTTP/2 did not reach the panel ({told})"
        )]);
    };
    let lost = OWN_COOKIES.iter().filter(|cookie| !saw.field("Cookie").contains(**cookie));
    let mut lost: Vec<String> = lost.map(|cookie| format!("the cookie {cookie}")).collect();
    if saw.field("Remote-User") != usual.field("Remote-User") {
        lost.push("the right Remote-User".to_owned());
    }
    if_so(!lost.is_empty(), || format!("over HTTP/2 the panel did not get {}", lost.join(", ")))
}
