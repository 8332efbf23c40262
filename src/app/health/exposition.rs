//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write};

use crate::meter::{Histogram, Reading};

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only ever grows; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A page of metrics.
#[derive(Default)]
pub(super) struct Page(String);

/// The labels of a sample: names with values.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

impl Page {
    /// Begins a metric; its samples follow.
    pub(super) fn begin(&mut self, name: &'static str, kind: Kind, help: &str) -> Samples<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        self.head(name, kind, help);
        Samples { text: &mut self.0, name }
    }

    /// A metric without labels.
    pub(super) fn one(&mut self, name: &'static str, kind: Kind, help: &str, value: impl Display) {
        self.begin(name, kind, help).sample(&[], value);
    }

    /// A histogram of times, in seconds.
    pub(super) fn times<'h, 'l>(
        &mut self,
        name: &'static str,
        help: &str,
        series: impl IntoIterator<Item = (Vec<(&'l str, &'l str)>, &'h Histogram)>,
    ) {
        self.head(name, "histogram", help);
        for (labels, histogram) in series {
            self.histogram(name, &labels, &histogram.read(), seconds);
        }
    }

    /// A histogram of numbers.
    pub(super) fn lengths(&mut self, name: &'static str, help: &str, histogram: &Histogram) {
        self.head(name, "histogram", help);
        self.histogram(name, &[], &histogram.read(), |number| number.to_string());
    }

    /// The whole text.
    pub(super) fn text(self) -> String {
        self.0
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn histogram(&mut self, name: &str, labels: Labels<'_>, read: &Reading, unit: fn(u64) -> String) {
        let part = |part: &str| format!("{name}_{part}");
        for (bound, count) in &read.buckets {
            let bound = unit(*bound);
            sample(&mut self.0, &part("bucket"), &[labels, &[("le", &bound)]].concat(), count);
        }
        sample(&mut self.0, &part("bucket"), &[labels, &[("le", "+Inf")]].concat(), read.count);
        sample(&mut self.0, &part("sum"), labels, unit(read.sum));
        sample(&mut self.0, &part("count"), labels, read.count);
    }
}

/// Where the samples of a metric go.
pub(super) struct Samples<'p> {
    text: &'p mut String,
    name: &'static str,
}

impl Samples<'_> {
    /// One more.
    pub(super) fn sample(&mut self, labels: Labels<'_>, value: impl Display) {
        sample(self.text, self.name, labels, value);
    }
}

fn sample(text: &mut String, name: &str, labels: Labels<'_>, value: impl Display) {
    text.push_str(name);
    for (index, (label, value)) in labels.iter().enumerate() {
        let _ = write!(text, "{}{label}=\"", if index == 0 { "{" } else { "," });
        for character in value.chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                plain => text.push(plain),
            }
        }
        text.push('"');
    }
    if !labels.is_empty() {
        text.push('}');
    }
    let _ = writeln!(text, " {value}");
}

/// Nanoseconds as seconds, exactly and without an exponent.
fn seconds(nanos: u64) -> String {
    let (whole, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let text = format!("{whole}.{rest:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact() {
        let shown = [0, 25_000, 1_000_000_000, 2_500_000_000, u64::MAX].map(seconds);
        assert_eq!(shown, ["0", "0.000025", "1", "2.5", "18446744073.709551615"]);
    }

    #[test]
    fn labels_cannot_break_out() {
        let mut page = Page::default();
        page.begin("a", Kind::Gauge, "b").sample(&[("c", "\"} 1\n\\"), ("d", "e")], 2);
        assert_eq!(page.text(), "# HELP a b\n# TYPE a gauge\na{c=\"\\\"} 1\\n\\\\\",d=\"e\"} 2\n");
    }

    #[test]
    fn a_histogram_is_cumulative_and_ends_with_everything() {
        let (histogram, mut page) = (Histogram::new(&[1, 2]), Page::default());
        for value in [1, 2, 3] {
            histogram.observe(value);
        }
        page.lengths("a", "b", &histogram);
        let wanted =
            "a_bucket{le=\"1\"} 1\na_bucket{le=\"2\"} 2\na_bucket{le=\"+Inf\"} 3\na_sum 6\na_count 3\n";
        assert!(page.text().ends_with(wanted));
    }
}
