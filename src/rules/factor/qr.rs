//! QR codes as inline SVG: exactly 256×256 px, black on white whatever the page's colours are, with the quiet zone of
//! four modules that ISO/IEC 18004 asks for, and modules of whole pixels, so that no edge is blurred.

use std::fmt::Write;

use qrcodegen::{QrCode, QrCodeEcc};

/// Width and height, in pixels.
pub const PIXELS: i32 = 256;
/// The white margin on each side, in modules.
const QUIET: i32 = 4;

/// The picture of `text`; `label` is what it is called where it cannot be seen. `None` for a text that no code of this
/// size holds with modules of at least two pixels.
pub fn svg(text: &str, label: &str) -> Option<String> {
    let code = encode(text)?;
    let module = module_of(&code);
    let margin = (PIXELS - code.size() * module) / 2;
    let label = label.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    Some(format!(
        "<svg class=\"qr\" xmlns=\"http://www.w3.org/2000/svg\" width=\"{PIXELS}\" height=\"{PIXELS}\" \
         viewBox=\"0 0 {PIXELS} {PIXELS}\" role=\"img\" aria-label=\"{label}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{PIXELS}\" height=\"{PIXELS}\" fill=\"#fff\"/>\
         <path transform=\"translate({margin} {margin}) scale({module})\" stroke=\"#000\" d=\"{}\"/></svg>",
        outline(&code)
    ))
}

/// With medium error correction, unless low gives larger modules: size is what a camera has most trouble with.
fn encode(text: &str) -> Option<QrCode> {
    let codes = [QrCodeEcc::Medium, QrCodeEcc::Low].map(|level| QrCode::encode_text(text, level).ok());
    let [medium, low] = codes;
    let larger = |a: &QrCode, b: &QrCode| if module_of(b) > module_of(a) { b.clone() } else { a.clone() };
    let code = match (medium, low) {
        (Some(medium), Some(low)) => larger(&medium, &low),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => return None,
    };
    (module_of(&code) >= 2).then_some(code)
}

/// The side of a module, in pixels.
fn module_of(code: &QrCode) -> i32 {
    PIXELS / (code.size() + 2 * QUIET)
}

/// The dark modules: a line one module wide along the middle of each row, `h` where it is dark and `m` where it is not.
fn outline(code: &QrCode) -> String {
    let mut path = String::new();
    for y in 0..code.size() {
        // Writing to a string cannot fail.
        let _ = write!(path, "M0 {y}.5");
        let mut x = 0;
        while x < code.size() {
            let dark = code.get_module(x, y);
            let end = (x..code.size()).find(|x| code.get_module(*x, y) != dark).unwrap_or(code.size());
            if dark {
                let _ = write!(path, "h{}", end - x);
            } else if end < code.size() {
                let _ = write!(path, "m{} 0", end - x);
            }
            x = end;
        }
    }
    path
}

#[cfg(test)]
mod tests;
