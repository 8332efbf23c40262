//! The connection, the clocks, and what stands open beside the chain.

use super::{
    super::observed::{Answer, Observed},
    Look,
    asked::got_through,
    if_so,
};

/// Clocks further apart than this confuse one-time codes and tokens.
const APART: u64 = 30;

#[expect(clippy::unnecessary_wraps, reason = "every check has this form")]
pub(super) fn certificate(o: &Observed) -> Look {
    Ok(o.tls.certificate.clone().err().into_iter().collect())
}

pub(super) fn old_tls(o: &Observed) -> Look {
    let accepted = o.tls.old_version.clone()?;
    if_so(accepted, || "a handshake that offered TLS 1.1 at most was accepted".to_owned())
}

pub(super) fn plain(o: &Observed) -> Look {
    let answer = o.plain.as_ref().map_err(Clone::clone)?;
    let host = o.authority.split(':').next().unwrap_or_default();
    let leads = matches!(answer.status, 301 | 302 | 307 | 308)
        && answer.field("location").is_some_and(|to| to.starts_with(&format!("https://{host}")));
    if_so(!leads, || format!("http://{host}/ answered {}", answer.told()))
}

pub(super) fn hsts(o: &Observed) -> Look {
    let answer = o.probe("click")?.answer()?;
    if_so(answer.field("strict-transport-security").is_none(), || {
        "the answers carry no Strict-Transport-Security".to_owned()
    })
}

pub(super) fn http2(o: &Observed) -> Look {
    o.tls.certificate.clone()?;
    if_so(!o.tls.http2, || "HTTP/2 was offered to the proxy, and it chose HTTP/1.1".to_owned())
}

pub(super) fn clock(o: &Observed) -> Look {
    let at = o.judged("script")?.record.at.secs();
    let answer = o.probe("script")?.answer()?;
    let date = answer.field("date").ok_or("the answers carry no Date")?;
    let date =
        jiff::fmt::rfc2822::parse(date).map_err(|error| format!("the Date cannot be read: {error}"))?;
    let shown = u64::try_from(date.timestamp().as_second()).unwrap_or(0);
    let apart = shown.abs_diff(at);
    if_so(apart > APART, || format!("the answer's Date and the gate's clock are {apart} s apart"))
}

pub(super) fn listens(o: &Observed) -> Look {
    let listens = o.panel_listens.as_ref().map_err(Clone::clone)?;
    let open = listens.iter().filter(|address| !address.ip().is_loopback());
    Ok(open.map(|address| format!("something listens on {address}, not on loopback alone")).collect())
}

pub(super) fn stranger(o: &Observed) -> Look {
    let answer = o.stranger.as_ref().map_err(Clone::clone)?;
    let judged = answer.status != 403 || answer.body.contains("/_gate/");
    if_so(judged && !refuses_to_listen(answer), || {
        format!(
            "a question without a secret, sent straight to the sidecar's port, was judged ({})",
            answer.told()
        )
    })
}

/// What the sidecar says to whom it does not believe.
fn refuses_to_listen(answer: &Answer) -> bool {
    answer.body.contains("not a trusted proxy")
}

pub(super) fn also(o: &Observed) -> Look {
    if o.also.is_empty() {
        return Err("no other address was named: --also https://old.example.com".to_owned());
    }
    let through = o.also.iter().filter_map(|(url, exchange)| {
        got_through(exchange, o).map(|how| format!("{url} leads past the gate: {how}"))
    });
    Ok(through.collect())
}
