//! A plot of requests over time: two paths, drawn on the server.

use std::fmt::Write;

use crate::{
    live::{Bar, Summary},
    portal::{
        pages,
        words::{Words, fill},
    },
};

/// The height of the drawing, in its own units; a bar is ten wide.
const HEIGHT: u64 = 100;
const STEP: usize = 10;

/// A plot for a template.
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    /// What it shows, for those who do not see it; empty if there is nothing to show.
    pub(crate) alt: String,
    pub(crate) width: usize,
    /// The bars of what was allowed, and of what was refused below them.
    pub(crate) allowed: String,
    pub(crate) refused: String,
    /// The times at both ends.
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) busiest: String,
}

impl Plot {
    /// Draws a summary. `until` is the end of its last bar, for people.
    pub(crate) fn new(words: &Words, title: &'static str, summary: &Summary) -> Self {
        let bars = &summary.bars;
        let most = bars.iter().max_by_key(|bar| bar.count.requests).filter(|bar| bar.count.requests > 0);
        let (mut allowed, mut refused) = (String::new(), String::new());
        let scale = most.map_or(1, |bar| bar.count.requests);
        for (index, bar) in bars.iter().enumerate() {
            let (x, below) = (index * STEP + 1, height(bar.count.refused, scale));
            let above = height(bar.count.requests - bar.count.refused, scale).min(HEIGHT - below);
            draw(&mut refused, x, HEIGHT, below);
            draw(&mut allowed, x, HEIGHT - below, above);
        }
        Self {
            title,
            alt: most.map_or_else(String::new, |most| alt(words, title, summary, most)),
            width: bars.len() * STEP,
            allowed,
            refused,
            from: bars.first().map_or_else(String::new, |bar| pages::clock(bar.from)),
            to: bars.last().map_or_else(String::new, |bar| pages::clock(bar.from)),
            busiest: fill(words.overview.busiest, &[("most", &scale.to_string())]),
        }
    }
}

fn alt(words: &Words, title: &str, summary: &Summary, most: &Bar) -> String {
    let values = [
        ("title", title.to_owned()),
        ("n", summary.total.requests.to_string()),
        ("refused", summary.total.refused.to_string()),
        ("most", most.count.requests.to_string()),
        ("time", pages::clock(most.from)),
    ];
    fill(words.overview.plot_alt, &values.each_ref().map(|(name, value)| (*name, value.as_str())))
}

/// At least something, where there is something.
fn height(count: u64, scale: u64) -> u64 {
    if count == 0 { 0 } else { (count.saturating_mul(HEIGHT) / scale.max(1)).clamp(2, HEIGHT) }
}

fn draw(path: &mut String, x: usize, bottom: u64, height: u64) {
    if height > 0 {
        // Writing to a string cannot fail.
        let _ = write!(path, "M{x} {bottom}v-{height}h8v{height}z");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Wall, live::Count, portal::words::by_language};

    fn summary(counts: &[(u64, u64)]) -> Summary {
        let bar = |(requests, refused): &(u64, u64)| Bar {
            from: Wall::from_secs(0),
            count: Count { requests: *requests, refused: *refused },
        };
        Summary { bars: counts.iter().map(bar).collect(), ..Summary::default() }
    }

    #[test]
    fn refusals_stand_below_and_what_is_there_is_seen() {
        let words = by_language("en");
        let plot = Plot::new(words, "Plot", &summary(&[(0, 0), (1000, 250), (1, 1)]));
        assert_eq!(plot.refused, "M11 100v-25h8v25zM21 100v-2h8v2z");
        assert_eq!(plot.allowed, "M11 75v-75h8v75z");
        assert!(plot.alt.contains("The most were 1000"), "{}", plot.alt);
        let empty = Plot::new(words, "Plot", &summary(&[(0, 0)]));
        assert_eq!((empty.alt.as_str(), empty.allowed.as_str()), ("", ""));
    }
}
