//! Where a person goes back to (R18): parsed as browsers parse it, held against the site's origins, and re-serialised.

use percent_encoding::percent_decode_str;
use url::{Url, form_urlencoded};

use crate::rules::site::{Origin, Site};

/// Longer targets are not worth carrying.
const LONGEST: usize = 2048;

/// Our own pages that one can be sent back to; everything else under `/_gate/` would only lead in circles.
const RETURNABLE: [&str; 3] = ["/_gate/step-up", "/_gate/account/", "/_gate/admin/"];

/// A URL that it is safe to send a browser to: its origin is one of the site's, and it is spelled by us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Return {
    url: Url,
    asked: bool,
}

impl Return {
    /// The place that `rd` names if it may be gone to, the site's main page otherwise.
    pub(crate) fn new(rd: Option<&str>, site: &Site) -> Self {
        let home = home(site);
        match rd.and_then(|text| allowed(text, site)).filter(|url| *url != home) {
            Some(url) => Self { url, asked: true },
            None => Self { url: home, asked: false },
        }
    }

    /// The serialised URL, for `Location` and links.
    pub(crate) fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// `?rd=…` for carrying it on, or nothing when it is the main page anyway.
    pub(crate) fn query(&self) -> String {
        if self.asked { format!("?rd={}", escape(self.as_str())) } else { String::new() }
    }

    /// The value of the `rd` field in a form; empty when it is the main page anyway.
    pub(crate) fn field(&self) -> &str {
        if self.asked { self.as_str() } else { "" }
    }

    /// Path and query, for finding the page of the policy.
    pub(crate) fn target(&self) -> String {
        self.url
            .query()
            .map_or_else(|| self.url.path().to_owned(), |query| format!("{}?{query}", self.url.path()))
    }
}

/// The address of one of our pages, carrying `rd`.
pub(crate) fn portal_page(site: &Site, page: &str, rd: &str) -> String {
    let origin = &site.portal.text;
    if rd.is_empty() || rd.len() > LONGEST {
        format!("{origin}/_gate/{page}")
    } else {
        format!("{origin}/_gate/{page}?rd={}", escape(rd))
    }
}

/// The site's main page.
pub(crate) fn home(site: &Site) -> Url {
    let main = site.origins.first().unwrap_or(&site.portal);
    // Origins are checked when the configuration is read; a page that leads nowhere is the worst that can come of it.
    Url::parse(&main.text).unwrap_or_else(|_| blank())
}

fn allowed(text: &str, site: &Site) -> Option<Url> {
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    let url = Url::options().base_url(Some(&home(site))).parse(text).ok()?;
    let bare = url.username().is_empty() && url.password().is_none();
    // A `blob:` has the origin of whoever made it.
    let web = matches!(url.scheme(), "http" | "https");
    let ours = origins(site).any(|origin| *origin.text == url.origin().ascii_serialization());
    (web && bare && ours && returnable(&url)).then_some(url)
}

fn origins(site: &Site) -> impl Iterator<Item = &Origin> {
    site.origins.iter().chain([&site.portal])
}

fn returnable(url: &Url) -> bool {
    let path = percent_decode_str(url.path()).decode_utf8_lossy().to_ascii_lowercase();
    !path.trim_start_matches(['/', '\\']).starts_with("_gate")
        || RETURNABLE.iter().any(|prefix| path.starts_with(prefix))
}

/// Text as the value of a query parameter.
pub(crate) fn escape(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[expect(clippy::expect_used, reason = "the text is a constant, and a test reads it")]
fn blank() -> Url {
    Url::parse("about:blank").expect("about:blank is a URL")
}
