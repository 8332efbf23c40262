//! Puts `client.js` and the mark of a session's state into the panel's pages, without a page ever being held as a whole.

mod csp;
mod gzip;
#[cfg(test)]
mod tests;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use bytes::Bytes;
use http::HeaderMap;
use lol_html::{
    HandlerResult, MemorySettings, OutputSink, element, end,
    html_content::{ContentType, DocumentEnd, Element},
    send::{HtmlRewriter, SendHandlerTypes, Settings},
};

pub(super) use self::gzip::accepted as reads_gzip;
use self::{
    csp::{Entry, Own},
    gzip::Gzip,
};
use crate::{
    gate::Visit,
    rules::{
        facts::{Host, Scheme},
        outcome::Grant,
    },
};

/// What the parser may hold at most.
const MEMORY: usize = 256 * 1024;
/// What can stand before the body begins (HTML, §13.2.6.4.4): any other element opens it.
const BEFORE_BODY: [&str; 13] = [
    "html", "head", "base", "basefont", "bgsound", "link", "meta", "title", "noscript", "noframes", "style",
    "script", "template",
];

/// Says what a page shows about the session that opened it, if anything.
pub type Marks = fn(&HeaderMap, &Visit, &Grant) -> Option<Mark>;

/// Markup that needs neither script nor style, so that no content security policy keeps it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// ASCII only: the page can be in any encoding that contains it.
    pub html: String,
    /// Whether it stands there until the script has taken its place (impersonation), or only where no script will.
    pub always: bool,
}

/// What is put into one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Insert {
    script: Option<String>,
    mark: Option<Mark>,
    scheme: Scheme,
    host: Host,
}

impl Insert {
    /// For an answer with these header fields. `script`: whether one is wanted at all.
    pub(super) fn new(headers: &HeaderMap, visit: &Visit, script: bool, mark: Option<Mark>) -> Self {
        let (scheme, host) = (visit.facts.scheme, visit.facts.host.clone());
        // Never inline, because that is what most policies forbid.
        let script = match csp::entry(headers, Own { scheme, host: &host }) {
            Entry::Free => Some(r#"<script src="/_gate/client.js" defer></script>"#.to_owned()),
            Entry::Nonce(nonce) => {
                Some(format!(r#"<script src="/_gate/client.js" nonce="{nonce}" defer></script>"#))
            }
            Entry::Blocked => None,
        }
        .filter(|_| script);
        Self { script, mark, scheme, host }
    }

    /// Nothing is left to put in.
    pub(super) fn is_empty(&self) -> bool {
        self.script.is_none() && self.mark.is_none()
    }
}

/// Rewrites one page, piece by piece.
pub(super) struct Injector {
    /// `None` once the page is over, or the parser gave up: the rest passes unchanged.
    rewriter: Option<HtmlRewriter<'static, Out>>,
    begun: bool,
    insert: Arc<Inserting>,
    out: Out,
    gzip: Option<Gzip>,
}

impl Injector {
    /// `compress`: what comes out is gzip.
    pub(super) fn new(insert: Insert, compress: bool) -> Self {
        let (insert, out) = (Arc::new(Inserting::new(insert)), Out::default());
        let rewriter = Some(HtmlRewriter::new(settings(&insert), out.clone()));
        Self { rewriter, begun: false, insert, out, gzip: compress.then(Gzip::new) }
    }

    /// The next piece of the page; what it becomes.
    pub(super) fn rewrite(&mut self, piece: Option<&Bytes>, last: bool) -> Option<Bytes> {
        let piece: &[u8] = piece.map_or(&[], |piece| piece);
        self.begin(piece);
        match &mut self.rewriter {
            Some(rewriter) => {
                // What the parser still held is written to the sink before it can fail.
                if rewriter.write(piece).is_err() {
                    self.rewriter = None;
                }
            }
            None => self.out.handle_chunk(piece),
        }
        if last {
            if let Some(rewriter) = self.rewriter.take() {
                let _ = rewriter.end();
            }
            if let Some(left) = self.insert.left_over() {
                self.out.handle_chunk(left.as_bytes());
            }
        }
        let written = self.out.0.lock().map(|mut out| std::mem::take(&mut *out)).unwrap_or_default();
        match &mut self.gzip {
            Some(gzip) => gzip.piece(&written, last),
            None if written.is_empty() => None,
            None => Some(written.into()),
        }
    }

    /// A page that begins like UTF-16, and as no page in another encoding does, has no markup that could be found.
    fn begin(&mut self, piece: &[u8]) {
        if !self.begun && !piece.is_empty() {
            self.begun = true;
            if matches!(piece, [0xFE | 0xFF, ..]) {
                self.rewriter = None;
                self.insert.give_up();
            }
        }
    }
}

/// What is put in, and what has been.
struct Inserting {
    insert: Insert,
    script_done: AtomicBool,
    mark_done: AtomicBool,
    /// A policy in the page itself keeps the script from asking.
    mute: AtomicBool,
    /// How many templates are open: what stands in one is not shown.
    templates: AtomicUsize,
}

type Handled<'r, 't> = Element<'r, 't, SendHandlerTypes>;

impl Inserting {
    fn new(insert: Insert) -> Self {
        let (script_done, mark_done) = (insert.script.is_none().into(), insert.mark.is_none().into());
        Self { insert, script_done, mark_done, mute: false.into(), templates: 0.into() }
    }

    /// The script, the first time.
    fn script(&self) -> Option<&str> {
        self.insert.script.as_deref().filter(|_| !self.script_done.swap(true, Relaxed))
    }

    /// The mark, the first time.
    fn mark(&self) -> Option<String> {
        let mark = self.insert.mark.as_ref().filter(|_| !self.mark_done.swap(true, Relaxed))?;
        let script_will = self.insert.script.is_some() && !self.mute.load(Relaxed);
        let html = &mark.html;
        Some(if script_will && !mark.always { format!("<noscript>{html}</noscript>") } else { html.clone() })
    }

    /// Whatever found no place.
    fn left_over(&self) -> Option<String> {
        let left = format!("{}{}", self.mark().unwrap_or_default(), self.script().unwrap_or_default());
        (!left.is_empty()).then_some(left)
    }

    fn give_up(&self) {
        self.script_done.store(true, Relaxed);
        self.mark_done.store(true, Relaxed);
    }

    fn on_start(&self, element: &mut Handled<'_, '_>) {
        let Some(script) = self.script() else { return };
        if element.tag_name() == "frameset" {
            element.before(script, ContentType::Html);
        } else {
            element.prepend(script, ContentType::Html);
        }
    }

    fn on_meta(&self, element: &Handled<'_, '_>) {
        let is_policy = element
            .get_attribute("http-equiv")
            .is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case("content-security-policy"));
        let own = Own { scheme: self.insert.scheme, host: &self.insert.host };
        let content = element.get_attribute("content").unwrap_or_default();
        if is_policy && !csp::meta_lets_ask(&content, own) {
            self.mute.store(true, Relaxed);
        }
    }

    fn on_any(self: &Arc<Self>, element: &mut Handled<'_, '_>) -> HandlerResult {
        if self.mark_done.load(Relaxed) {
            return Ok(());
        }
        match element.tag_name().as_str() {
            "body" => {
                if let Some(mark) = self.mark() {
                    element.prepend(&mark, ContentType::Html);
                }
            }
            // Anything before it would make it no frameset. Its frames are pages of their own.
            "frameset" => self.mark_done.store(true, Relaxed),
            "template" => {
                self.templates.fetch_add(1, Relaxed);
                let inserting = Arc::clone(self);
                element.on_end_tag(Box::new(move |_| {
                    inserting.templates.fetch_sub(1, Relaxed);
                    Ok(())
                }))?;
            }
            name if BEFORE_BODY.contains(&name) || self.templates.load(Relaxed) > 0 => {}
            _ => {
                if let Some(mark) = self.mark() {
                    element.before(&mark, ContentType::Html);
                }
            }
        }
        Ok(())
    }
}

fn settings(insert: &Arc<Inserting>) -> Settings<'static, 'static> {
    let memory = MemorySettings::new()
        .with_max_allowed_memory_usage(MEMORY)
        .with_graceful_bail_out_on_memory_limit_exceeded(true);
    let mut settings = Settings::new_send().with_strict(false).with_memory_settings(memory);
    if insert.insert.script.is_some() {
        let inserting = Arc::clone(insert);
        settings = settings.append_element_content_handler(element!(
            "head, body, frameset",
            move |element: &mut Handled<'_, '_>| {
                inserting.on_start(element);
                Ok(())
            }
        ));
    }
    // Pages that show nothing are most of them, and need not be looked at so closely.
    if insert.insert.mark.is_some() {
        let (metas, all) = (Arc::clone(insert), Arc::clone(insert));
        settings = settings
            .append_element_content_handler(element!("meta[http-equiv]", move |element: &mut Handled<
                '_,
                '_,
            >| {
                metas.on_meta(element);
                Ok(())
            }))
            .append_element_content_handler(
                element!("*", move |element: &mut Handled<'_, '_>| all.on_any(element))
            );
    }
    let inserting = Arc::clone(insert);
    settings.append_document_content_handler(end!(move |end: &mut DocumentEnd<'_>| {
        if let Some(left) = inserting.left_over() {
            end.append(&left, ContentType::Html);
        }
        Ok(())
    }))
}

/// The sink of one page.
#[derive(Clone, Default)]
struct Out(Arc<Mutex<Vec<u8>>>);

impl OutputSink for Out {
    fn handle_chunk(&mut self, chunk: &[u8]) {
        if let Ok(mut out) = self.0.lock() {
            out.extend_from_slice(chunk);
        }
    }
}
