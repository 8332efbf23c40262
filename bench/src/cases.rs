//! What is measured, part by part.

mod doors;
mod inside;
pub(crate) mod memory;
mod scale;
mod streaming;

use std::path::Path;

use panelgate_bench::{
    Outcome, plot,
    process::Process,
    report::{Row, Target, number},
    rounds::{Figure, Series, Taken},
};

use crate::Ground;

/// A part of the bench.
type Part = fn(&mut Ground) -> Outcome<()>;

/// All parts, in their order.
pub(crate) const ALL: &[(&str, Part)] = &[
    ("sidecar", doors::sidecar),
    ("proxies", doors::proxies),
    ("flood", doors::flood),
    ("assertion", doors::assertion),
    ("streaming", streaming::streaming),
    ("connections", doors::connections),
    ("handshakes", doors::handshakes),
    ("scale", scale::scale),
    ("curves", scale::curves),
    ("memory", memory::memory),
    ("rotations", inside::rotations),
    ("tokens", inside::tokens),
    ("cores", inside::cores),
    ("allocations", inside::allocations),
    ("instructions", inside::instructions),
    ("profile", doors::profile),
];

/// The picture of all ratios.
pub(crate) fn picture(ground: &Ground) -> Outcome<()> {
    let ratios: Vec<_> = ground
        .report
        .rows
        .iter()
        .filter(|row| row.unit.is_empty())
        .map(|row| {
            let target = match row.target {
                Target::AtLeast(target) | Target::AtMost(target) => Some(target),
                Target::Told => None,
            };
            // Pictures have one scale; what is far beyond it has its figure beside the bar.
            (row.what.clone(), row.reached.median.min(3.0), target.filter(|target| *target <= 3.0))
        })
        .collect();
    if ratios.is_empty() {
        Ok(())
    } else {
        plot::bars(&ground.out.join("ratios.svg"), "Reached beside target", &ratios)
    }
}

impl Ground {
    fn row(&mut self, what: &str, target: Target, reached: Figure, unit: &'static str, note: String) {
        self.report.rows.push(Row { what: what.to_owned(), target, reached, unit, note });
    }

    /// Tells of turns that somebody else computed in.
    fn disturbed(&mut self, taken: &Taken) {
        let turns: usize = taken.series.iter().map(|series| series.rates.len()).sum();
        let names: Vec<&str> = taken.series.iter().map(|series| series.name).collect();
        let what = format!("{} of {turns} turns were disturbed by others", taken.disturbed);
        self.report.quiet.push((names.join(", "), what));
    }

    fn dir(&self) -> &Path {
        self.work.path()
    }

    fn floor<const N: usize>(&self, name: &str, args: [&str; N]) -> Outcome<Process> {
        let args: Vec<&str> = ["floor"].into_iter().chain(args).collect();
        Process::start(name, &self.this, &args, self.dir())
    }
}

/// Rate and cost of a server, for notes.
fn told(series: &Series) -> String {
    let (rate, cost) = (Figure::of(series.rates.iter().copied()), Figure::of(series.costs.iter().copied()));
    format!("{} {}/s at {} µs", series.name, number(rate.median), number(cost.median))
}
