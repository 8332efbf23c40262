//! Puts `client.js` into the panel's pages, without a page ever being held as a whole.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use lol_html::{
    MemorySettings, OutputSink, element, end,
    html_content::{ContentType, DocumentEnd, Element},
    send::{HtmlRewriter, SendHandlerTypes, Settings},
};

/// What is put in. Never inline, because the panel's own content security policy may forbid that.
const SCRIPT: &str = r#"<script src="/_gate/client.js" defer></script>"#;
/// What the parser may hold at most.
const MEMORY: usize = 256 * 1024;

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

/// Rewrites one page, piece by piece.
pub(super) struct Injector {
    /// `None` once the page is over, or the parser gave up: the rest passes unchanged.
    rewriter: Option<HtmlRewriter<'static, Out>>,
    out: Out,
}

impl Injector {
    pub(super) fn new() -> Self {
        let out = Out::default();
        let done = Arc::new(AtomicBool::new(false));
        let first = {
            let done = Arc::clone(&done);
            element!("head, body", move |element: &mut Element<'_, '_, SendHandlerTypes>| {
                if !done.swap(true, Ordering::Relaxed) {
                    element.prepend(SCRIPT, ContentType::Html);
                }
                Ok(())
            })
        };
        // Both tags may be left out.
        let fallback = end!(move |end: &mut DocumentEnd<'_>| {
            if !done.swap(true, Ordering::Relaxed) {
                end.append(SCRIPT, ContentType::Html);
            }
            Ok(())
        });
        let settings = Settings::new_send()
            .with_strict(false)
            .with_memory_settings(
                MemorySettings::new()
                    .with_max_allowed_memory_usage(MEMORY)
                    .with_graceful_bail_out_on_memory_limit_exceeded(true),
            )
            .append_element_content_handler(first)
            .append_document_content_handler(fallback);
        Self { rewriter: Some(HtmlRewriter::new(settings, out.clone())), out }
    }

    /// The next piece of the page; what it becomes.
    pub(super) fn rewrite(&mut self, piece: Option<&Bytes>, last: bool) -> Option<Bytes> {
        let piece: &[u8] = piece.map_or(&[], |piece| piece);
        let fine = if let Some(rewriter) = &mut self.rewriter {
            rewriter.write(piece).is_ok()
        } else {
            self.out.handle_chunk(piece);
            true
        };
        if !fine {
            self.rewriter = None;
        } else if last && let Some(rewriter) = self.rewriter.take() {
            // What the parser still held was written to the sink before it could fail.
            let _ = rewriter.end();
        }
        let written = self.out.0.lock().map(|mut out| std::mem::take(&mut *out)).unwrap_or_default();
        if written.is_empty() { None } else { Some(written.into()) }
    }
}
