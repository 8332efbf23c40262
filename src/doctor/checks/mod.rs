//! What is concluded from what was seen. Pure: a table of checks, each a question to [`Observed`].

mod answers;
mod asked;
mod panel;
mod portal;
mod surroundings;
#[cfg(test)]
mod tests;

use super::observed::Observed;
pub use crate::rules::written::Severity;

/// What a check came to: evidence, one sentence each, of which none is what is hoped for; or why it could not be done.
pub type Look = Result<Vec<String>, String>;

/// One check.
pub struct Check {
    /// `D030`; never changes its meaning.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    look: fn(&Observed) -> Look,
}

const fn error(code: &'static str, look: fn(&Observed) -> Look) -> Check {
    Check { code, severity: Severity::Error, look }
}

const fn warning(code: &'static str, look: fn(&Observed) -> Look) -> Check {
    Check { code, severity: Severity::Warning, look }
}

const fn note(code: &'static str, look: fn(&Observed) -> Look) -> Check {
    Check { code, severity: Severity::Note, look }
}

/// All of them. docs/doctor.md has a section for each; a test holds the two together.
pub const ALL: &[Check] = &[
    error("D001", surroundings::certificate),
    warning("D002", surroundings::old_tls),
    warning("D003", surroundings::plain),
    note("D004", surroundings::hsts),
    note("D005", surroundings::http2),
    warning("D006", surroundings::clock),
    error("D010", portal::routed),
    warning("D011", portal::kept_from_caches),
    error("D012", portal::signs_in),
    error("D013", portal::cookies),
    error("D014", portal::address_believed),
    error("D015", portal::host_or_scheme_believed),
    error("D020", asked::enforced),
    error("D021", asked::exempt),
    error("D022", asked::other_host),
    error("D023", asked::fails_open),
    error("D024", answers::rendered),
    warning("D025", answers::outcome_leaks),
    error("D026", answers::way_back),
    error("D027", asked::unreadable),
    error("D028", asked::never_arrives),
    error("D029", panel::reached),
    error("D030", asked::believes_for),
    error("D031", asked::believes_proto),
    error("D032", asked::believes_host),
    error("D033", asked::believes_uri),
    error("D034", asked::believes_method),
    error("D035", asked::believes_original_url),
    error("D036", asked::believes_original_method),
    error("D037", asked::believes_others),
    error("D040", asked::method),
    error("D041", asked::path),
    error("D042", asked::host),
    error("D043", asked::scheme),
    error("D044", asked::address),
    error("D045", asked::websocket),
    error("D046", asked::credential),
    error("D050", panel::identity),
    error("D051", panel::forged),
    error("D052", panel::aliases),
    error("D053", panel::connection),
    error("D054", panel::gate_cookies),
    error("D055", panel::gate_tokens),
    warning("D056", panel::own_credentials),
    error("D057", panel::forwarding),
    error("D058", panel::method_override),
    error("D059", panel::proxy_secret),
    error("D060", panel::target),
    warning("D061", panel::client),
    error("D062", panel::upload),
    warning("D063", panel::upgrade),
    warning("D064", answers::streamed),
    warning("D065", answers::changed),
    warning("D066", answers::own_refusal),
    error("D067", answers::kept),
    warning("D068", panel::large),
    error("D069", panel::over_http2),
    error("D080", surroundings::listens),
    warning("D081", surroundings::stranger),
    error("D082", surroundings::also),
];

/// One check with what it came to.
#[derive(Clone, Debug)]
pub struct Done {
    /// The code.
    pub code: &'static str,
    /// How bad it is if something was found.
    pub severity: Severity,
    /// What was found.
    pub look: Look,
}

/// Runs them all.
pub fn all(observed: &Observed) -> Vec<Done> {
    let done =
        |check: &Check| Done { code: check.code, severity: check.severity, look: (check.look)(observed) };
    ALL.iter().map(done).collect()
}

/// Nothing, or one piece of evidence.
#[expect(clippy::unnecessary_wraps, reason = "it is how most checks end")]
fn if_so(wrong: bool, evidence: impl FnOnce() -> String) -> Look {
    Ok(if wrong { vec![evidence()] } else { Vec::new() })
}
