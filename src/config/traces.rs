//! Traces for a collector; none unless `traces` is there.

use http::{HeaderName, HeaderValue, Uri};

use super::{
    read::{Base, CODES},
    sources::Sources,
};
use crate::{
    feeds,
    rules::written::{At, Fields, Written},
};

/// Where spans go, and how many.
#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// Where the collector takes OTLP over HTTP.
    pub endpoint: Uri,
    /// What goes with every batch, such as a key.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Of the traces that begin here, this share is sampled: 0 to 1.
    pub share: f64,
    /// `service.name`.
    pub service: String,
    /// Whether trusted proxies trace by themselves, so that what they send of a trace is theirs and not a client's.
    pub trust_parent: bool,
}

/// Where OTLP over HTTP takes spans, unless the address has a path (OTLP 1.9, "OTLP/HTTP Request").
const PATH: &str = "/v1/traces";

/// Reads `traces`.
pub(super) fn read(
    fields: &mut Fields<'_>,
    base: Base<'_>,
    sources: &mut Sources<'_>,
) -> Option<TraceSettings> {
    let mut section = fields.sub("traces", &mut sources.found)?;
    let help = "write where the collector listens: `endpoint: http://127.0.0.1:4318`";
    section.require("endpoint", help, &mut sources.found);
    let endpoint = section.text("endpoint", &mut sources.found);
    let share = section.text("sample", &mut sources.found);
    let service = section.text("service", &mut sources.found);
    let headers = section.text("headers_file", &mut sources.found);
    let trust_parent =
        section.boolean("trust_parent", &mut sources.found).is_some_and(|trusted| trusted.value);
    section.finish(&mut sources.found);
    let share = share.map_or(Some(0.1), |text| self::share(&text, sources));
    let has_headers = headers.is_some();
    let headers = headers.map_or_else(|| Some(Vec::new()), |file| self::headers(&file, base, sources));
    let endpoint = endpoint.and_then(|text| self::endpoint(&text, has_headers, sources));
    let service = service.map_or("panelgate", |text| text.value).to_owned();
    Some(TraceSettings { endpoint: endpoint?, headers: headers?, share: share?, service, trust_parent })
}

fn endpoint(text: &Written<&str>, has_headers: bool, sources: &mut Sources<'_>) -> Option<Uri> {
    let mut refuse = |what: String, help: &str| {
        sources.found.error(CODES.value, &text.at, what, help);
        None
    };
    let usual = "write `http://127.0.0.1:4318`, or `https://…` with the path that the collector names";
    let parsed = url::Url::parse(text.value).ok();
    let anonymous = |url: &url::Url| url.username().is_empty() && url.password().is_none();
    let known = |url: &url::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    let Some(mut url) = parsed.filter(|url| known(url) && anonymous(url)) else {
        return refuse("this is not an address that traces are sent to".to_owned(), usual);
    };
    if has_headers && feeds::jwks::https_or_local(text.value).is_none() {
        let what = "the headers of `headers_file` could be read on their way".to_owned();
        return refuse(what, "write `https://…`, or a collector on this machine");
    }
    if url.path() == "/" {
        url.set_path(PATH);
    }
    url.as_str().parse().ok()
}

/// `10%`, `0.5%`, `100%`.
fn share(text: &Written<&str>, sources: &mut Sources<'_>) -> Option<f64> {
    let percent: Option<f64> = text.value.strip_suffix('%').and_then(|number| number.trim_end().parse().ok());
    let share = percent.filter(|percent| (0.0..=100.0).contains(percent)).map(|percent| percent / 100.0);
    if share.is_none() {
        let what = format!("`{}` is not a share of all traces", text.value);
        sources.found.error(CODES.value, &text.at, what, "write it as `10%`, from `0%` to `100%`");
    }
    share
}

/// A file of lines `Name: value`.
fn headers(
    file: &Written<&str>,
    base: Base<'_>,
    sources: &mut Sources<'_>,
) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let path = sources.secret_path(base, file);
    let text = sources.password(&path, &file.at)?;
    let mut headers = Vec::new();
    for (number, line) in (1_usize..).zip(text.expose().lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let Some(header) = header(line) else {
            return refuse_line(number, &path.display().to_string(), &file.at, sources);
        };
        headers.push(header);
    }
    Some(headers)
}

/// The line itself is not shown: it is a secret.
fn refuse_line<T>(number: usize, path: &str, at: &At, sources: &mut Sources<'_>) -> Option<T> {
    let what = format!("line {number} of {path} is not a header field");
    sources.found.error(CODES.value, at, what, "write one a line: `Authorization: Bearer …`");
    None
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim().parse().ok()?;
    let mut value: HeaderValue = value.trim().parse().ok()?;
    value.set_sensitive(true);
    Some((name, value))
}
