//! The device of a session, for people.

#[cfg(test)]
mod tests;

use super::words::{Words, fill};
use crate::rules::device::name;

/// The device of a session in the reader's words. Sessions of trusted issuers hold what the browser sent.
pub(crate) fn shown(words: &Words, device: &str) -> String {
    let short = if device.contains('/') { name(device) } else { device.to_owned() };
    match short.split_once(" on ") {
        None if short.is_empty() => words.devices.unknown_device.to_owned(),
        None => short,
        Some((browser, system)) => {
            fill(words.devices.browser_on, &[("browser", browser), ("system", system)])
        }
    }
}
