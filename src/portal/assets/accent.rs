//! The site's accent colour, kept readable: whatever is configured, text in it and on it has a contrast of at least 4.5.

const WHITE: Rgb = Rgb(255, 255, 255);
/// Where text in the accent colour is hardest to read: around the light card, and on the dark one.
const LIGHT: Rgb = Rgb(243, 244, 246);
const DARK: Rgb = Rgb(28, 31, 36);
const BLUE: Rgb = Rgb(29, 95, 196);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rgb(u8, u8, u8);

/// Custom properties for both schemes, made from `#rrggbb`; anything else becomes the default blue.
pub(crate) fn properties(accent: &str) -> String {
    let accent = parse(accent).unwrap_or(BLUE);
    let (light, dark) = (readable(accent, LIGHT), readable(accent, DARK));
    format!(
        ":root{{--accent:{};--on-accent:{};--accent-text:{}}}@media(prefers-color-scheme:dark){{:root{{--accent-text:{}}}}}\n",
        hex(accent),
        hex(text_on(accent)),
        hex(light),
        hex(dark)
    )
}

fn parse(text: &str) -> Option<Rgb> {
    let digits = text
        .strip_prefix('#')
        .filter(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let number = u32::from_str_radix(digits, 16).ok()?;
    let [_, red, green, blue] = number.to_be_bytes();
    Some(Rgb(red, green, blue))
}

fn hex(Rgb(red, green, blue): Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// White where that can be read, as people expect of buttons, and black elsewhere, which then can.
fn text_on(ground: Rgb) -> Rgb {
    if contrast(WHITE, ground) >= 4.5 { WHITE } else { Rgb(0, 0, 0) }
}

/// `colour` moved away from `ground` until it can be read there.
fn readable(colour: Rgb, ground: Rgb) -> Rgb {
    let towards = if luminance(ground) > 0.5 { Rgb(0, 0, 0) } else { WHITE };
    (0..=20)
        .map(|step| mix(colour, towards, step))
        .find(|mixed| contrast(*mixed, ground) >= 4.5)
        .unwrap_or(towards)
}

/// `step` twentieths of the way.
fn mix(from: Rgb, to: Rgb, step: u16) -> Rgb {
    let channel = |from: u8, to: u8| {
        u8::try_from((u16::from(from) * (20 - step) + u16::from(to) * step) / 20).unwrap_or(u8::MAX)
    };
    Rgb(channel(from.0, to.0), channel(from.1, to.1), channel(from.2, to.2))
}

/// WCAG 2.2, contrast ratio.
fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// WCAG 2.2, relative luminance.
fn luminance(Rgb(red, green, blue): Rgb) -> f64 {
    let linear = |channel: u8| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_accent_can_be_read_in_both_schemes() {
        for red in (0..=255).step_by(51) {
            for green in (0..=255).step_by(51) {
                for blue in (0..=255).step_by(51) {
                    let colour = Rgb(red, green, blue);
                    assert!(contrast(readable(colour, LIGHT), LIGHT) >= 4.5, "{colour:?} on light");
                    assert!(contrast(readable(colour, DARK), DARK) >= 4.5, "{colour:?} on dark");
                    assert!(contrast(text_on(colour), colour) >= 4.5, "text on {colour:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_colour_cannot_reach_the_style_sheet() {
        for hostile in ["red}*{display:none", "#12345", "#12345g", "", "#1234567", "url(x)", "#ééé"] {
            assert_eq!(properties(hostile), properties("#1d5fc4"), "{hostile}");
        }
    }
}
