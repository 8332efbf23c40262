//! Taking turns: each round measures everything once, and a ratio is one of two figures of the same round.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::{
    Outcome,
    load::{self, Script},
    machine,
    process::{Process, computed},
};

/// Rounds that count.
pub const ROUNDS: usize = 5;
/// How long one server is measured in one round.
pub const TURN: Duration = Duration::from_secs(2);
/// A turn in which somebody else computed for more than this part of it is taken again.
const DISTURBED: f64 = 0.06;
/// Waiting for quiet takes no longer than this, all turns together.
const PATIENCE: Duration = Duration::from_secs(45);

/// A server that takes its turns.
pub struct Contender<'a> {
    /// Its name in the report.
    pub name: &'static str,
    /// Where `wrk` goes.
    pub url: String,
    /// With what.
    pub script: Script,
    /// The processes that do the work.
    pub processes: Vec<&'a Process>,
}

/// What one server did in all rounds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Series {
    /// Its name.
    pub name: &'static str,
    /// Answers a second, by round.
    pub rates: Vec<f64>,
    /// Processor time for each answer in µs, by round.
    pub costs: Vec<f64>,
}

/// Several servers, measured in turns.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Taken {
    /// By server.
    pub series: Vec<Series>,
    /// Turns that somebody else disturbed, although they were taken again.
    pub disturbed: usize,
}

/// A median with the lowest and the highest.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Figure {
    /// The median.
    pub median: f64,
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

impl Figure {
    /// Of some figures.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let median = match figures.len() {
            0 => f64::NAN,
            count if count % 2 == 0 => f64::midpoint(figures[middle - 1], figures[middle]),
            _ => figures[middle],
        };
        Self {
            median,
            low: figures.first().copied().unwrap_or(f64::NAN),
            high: figures.last().copied().unwrap_or(f64::NAN),
        }
    }

    /// Of the ratios of two series, round by round.
    pub fn ratio(of: &[f64], to: &[f64]) -> Self {
        Self::of(of.iter().zip(to).map(|(of, to)| of / to))
    }
}

impl Taken {
    /// The series of a server.
    pub fn of(&self, name: &str) -> &Series {
        self.series.iter().find(|series| series.name == name).expect("every name is one that was measured")
    }

    /// What one does beside another.
    pub fn ratio(&self, of: &str, to: &str) -> Figure {
        Figure::ratio(&self.of(of).rates, &self.of(to).rates)
    }
}

/// Warms every server up, then measures them in turns. `between` is called after each round.
///
/// # Errors
/// When one gives an answer that is not good.
pub fn take(contenders: &[Contender<'_>], mut between: impl FnMut(usize) -> Outcome<()>) -> Outcome<Taken> {
    let mut taken = Taken {
        series: contenders
            .iter()
            .map(|contender| Series { name: contender.name, ..Series::default() })
            .collect(),
        disturbed: 0,
    };
    for contender in contenders {
        load::most(&contender.url, &contender.script, Duration::from_secs(1))?;
    }
    let mut patience = PATIENCE;
    for round in 0..ROUNDS {
        for (contender, series) in contenders.iter().zip(&mut taken.series) {
            let (rate, cost) = loop {
                let begin = Instant::now();
                let (rate, cost, disturbed) = turn(contender)?;
                if !disturbed {
                    break (rate, cost);
                }
                if patience.is_zero() {
                    taken.disturbed += 1;
                    break (rate, cost);
                }
                machine::wait_until_quiet(Duration::from_secs(10).min(patience))?;
                patience = patience.saturating_sub(begin.elapsed());
            };
            series.rates.push(rate);
            series.costs.push(cost);
        }
        between(round)?;
    }
    Ok(taken)
}

/// One turn: answers a second, µs of processor time for each, and whether somebody else computed meanwhile.
fn turn(contender: &Contender<'_>) -> Outcome<(f64, f64, bool)> {
    let servers = || contender.processes.iter().map(|process| process.computed()).sum::<Duration>();
    let ours = || servers() + computed(std::process::id()).unwrap_or_default();
    let (before, served, worked) = (machine::ticks()?, servers(), ours());
    let rate = load::most(&contender.url, &contender.script, TURN)?;
    let (after, served, worked) = (machine::ticks()?, servers() - served, ours() - worked);
    let busy = (after.busy - before.busy) as f64 / machine::ticks_per_second();
    let foreign = busy - worked.as_secs_f64();
    let answers = rate * TURN.as_secs_f64();
    Ok((rate, served.as_secs_f64() * 1e6 / answers, foreign > DISTURBED * TURN.as_secs_f64()))
}
