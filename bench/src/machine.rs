//! The machine: what it is, and whether it is quiet enough to measure on.

use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::Outcome;

/// Where everything that is measured runs.
pub const SERVERS: usize = 0;
/// Where the load comes from.
pub const LOAD: usize = 1;

/// Below this much idle time of all cores the machine is not quiet.
const QUIET: f64 = 0.93;

/// Processor, cores and kernel in one line.
pub fn describe() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{}, {} cores, Linux {}", model.trim_start_matches([' ', '\t', ':']), cores(), kernel.trim())
}

/// How many cores there are.
pub fn cores() -> usize {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cpu.lines().filter(|line| line.starts_with("processor")).count()
}

/// The load averages of the last 1, 5 and 15 minutes.
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// What all cores have done since they were started, in clock ticks.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    /// For processes, and what a hypervisor took.
    pub busy: u64,
    /// Everything.
    pub all: u64,
}

/// Reads the counters of all cores.
pub fn ticks() -> Outcome<Ticks> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().ok_or("/proc/stat is empty")?;
    let figures: Vec<u64> =
        line.split_ascii_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    let at = |index: usize| figures.get(index).copied().unwrap_or(0);
    // user, nice, system and steal; interrupts are nobody's.
    Ok(Ticks { busy: at(0) + at(1) + at(2) + at(7), all: figures.iter().take(8).sum() })
}

/// How many ticks a second has.
pub fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

/// The idle part of all cores over a short while.
pub fn idle() -> Outcome<f64> {
    let before = ticks()?;
    sleep(Duration::from_millis(500));
    let after = ticks()?;
    let all = (after.all - before.all).max(1);
    Ok(1.0 - (after.busy - before.busy) as f64 / all as f64)
}

/// Waits until nobody else computes; gives up after `patience` and says how idle the machine is.
pub fn wait_until_quiet(patience: Duration) -> Outcome<f64> {
    let end = Instant::now() + patience;
    loop {
        let idle = idle()?;
        if idle >= QUIET || Instant::now() >= end {
            return Ok(idle);
        }
        sleep(Duration::from_secs(1));
    }
}

/// Pins this thread, and what it starts, to a core.
pub fn pin(core: usize) -> Outcome<()> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}
