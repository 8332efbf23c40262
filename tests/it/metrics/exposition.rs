//! Reads the text format of Prometheus, and lets promtool read it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use crate::support::process::program;

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: String,
}

/// All that was said at one time.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// Without the head of the answer.
    pub(super) text: String,
    pub(super) samples: Vec<Sample>,
}

impl Page {
    /// Reads an answer of `/metrics`.
    pub(super) fn read(answer: &str) -> Self {
        let (head, text) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        assert!(head.contains("200 OK") && head.contains("text/plain; version=0.0.4"), "{head}");
        let samples = text.lines().filter(|line| !line.starts_with('#')).map(Sample::read).collect();
        Self { text: text.to_owned(), samples }
    }

    /// The sum over all series of a metric that have these labels; only of whole numbers.
    ///
    /// # Panics
    /// When there is none.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> i64 {
        let has = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(*label).is_some_and(|own| own == value))
        };
        let values: Vec<i64> = self.samples.iter().filter(has).map(Sample::count).collect();
        assert!(!values.is_empty(), "there is no {name} with {labels:?}:\n{}", self.text);
        values.iter().sum()
    }

    /// Every metric with its kind and the names of its labels.
    pub(super) fn metrics(&self) -> BTreeMap<String, (String, BTreeSet<String>)> {
        let kinds = self.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let mut metrics: BTreeMap<String, (String, BTreeSet<String>)> =
            kinds.map(|(name, kind)| (name.to_owned(), (kind.to_owned(), BTreeSet::new()))).collect();
        for sample in &self.samples {
            let base = base_name(&sample.name, |name| metrics.contains_key(name));
            let (_, labels) = metrics.get_mut(&base).unwrap_or_else(|| panic!("{base} has no TYPE"));
            labels.extend(sample.labels.keys().filter(|label| *label != "le").cloned());
        }
        metrics
    }
}

/// The metric that a series belongs to.
pub(super) fn base_name(series: &str, is_metric: impl Fn(&str) -> bool) -> String {
    let parts = ["_bucket", "_sum", "_count"].iter().filter_map(|part| series.strip_suffix(part));
    let base = parts.into_iter().find(|name| is_metric(name));
    base.unwrap_or(series).to_owned()
}

impl Sample {
    /// Its value, if that is a whole number.
    pub(super) fn count(&self) -> i64 {
        self.value.parse().unwrap_or_else(|_| panic!("{self:?}"))
    }

    fn read(line: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let pairs = labels.strip_suffix('}').unwrap_or_default().split("\",");
        let labels = pairs.filter_map(|pair| pair.trim_end_matches('"').split_once("=\""));
        assert!(value.parse::<f64>().is_ok(), "{line}");
        Self {
            name: name.to_owned(),
            labels: labels.map(|(label, value)| (label.to_owned(), value.to_owned())).collect(),
            value: value.to_owned(),
        }
    }
}

/// Runs promtool, with something to read.
///
/// # Panics
/// With what it says, if it has anything to say against it.
pub(super) fn promtool(arguments: &[&str], folder: &Path, input: &str) -> String {
    let mut promtool = Command::new(program("promtool"));
    promtool.args(arguments).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = promtool.stderr(Stdio::piped()).spawn().expect("promtool starts");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("promtool reads");
    let output = child.wait_with_output().expect("promtool ends");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "promtool {arguments:?} complains:\n{said}");
    said
}
