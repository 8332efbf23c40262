//! The token that a login form carries against requests from elsewhere.

use std::cell::RefCell;

use lol_html::{HtmlRewriter, Settings, element};

/// The value of the first `input` or `meta` of this name.
pub(super) fn find(page: &[u8], field: &str) -> Option<String> {
    let found = RefCell::new(None);
    let look = |name: &str, value: Option<String>| {
        if name == field && found.borrow().is_none() {
            *found.borrow_mut() = value.filter(|value| !value.is_empty());
        }
    };
    let settings = Settings::new()
        .with_strict(false)
        .append_element_content_handler(element!("input[name][value]", |input| {
            look(&input.get_attribute("name").unwrap_or_default(), input.get_attribute("value"));
            Ok(())
        }))
        .append_element_content_handler(element!("meta[name][content]", |meta| {
            look(&meta.get_attribute("name").unwrap_or_default(), meta.get_attribute("content"));
            Ok(())
        }));
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    // A page that cannot be read to its end may still have shown the token.
    if rewriter.write(page).is_ok() {
        let _ = rewriter.end();
    }
    let text = found.borrow_mut().take();
    text.map(|text: String| unescape(&text))
}

/// Attribute values come as they are written.
fn unescape(text: &str) -> String {
    const WRITTEN: [(&str, &str); 10] = [
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#43;", "+"),
        ("&#x2B;", "+"),
        ("&#61;", "="),
        ("&#x2F;", "/"),
        // Last, or it would make others.
        ("&amp;", "&"),
    ];
    WRITTEN.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
