//! Small charts, drawn here as SVG paths so that the pages need no script for them.

use std::fmt::Write as _;

/// A line over an area, in a box of the given size.
pub(crate) struct LineChart {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// The `d` of the line.
    pub(crate) line: String,
    /// The `d` of the area below it.
    pub(crate) area: String,
}

impl LineChart {
    /// Scales `values` from zero to their greatest over the whole box.
    pub(crate) fn new(values: &[u32], width: u32, height: u32) -> Self {
        let line = path(values, f64::from(width), f64::from(height));
        let area = format!("{line}L{width} {height}L0 {height}Z");
        Self { width, height, line, area }
    }
}

/// One horizontal bar of a bar chart.
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: u32,
    /// 0 to 100 of the longest.
    pub(crate) percent: u32,
}

/// Bars in the order given, scaled to the longest.
pub(crate) fn bars(rows: impl IntoIterator<Item = (String, u32)>) -> Vec<Bar> {
    let rows: Vec<_> = rows.into_iter().collect();
    let longest = rows.iter().map(|(_, value)| *value).max().unwrap_or(0).max(1);
    rows.into_iter().map(|(label, value)| Bar { label, value, percent: value * 100 / longest }).collect()
}

/// A series that looks like traffic: the same for the same `base`, with weekends and a little noise.
pub(crate) fn series(base: u32, length: u32) -> Vec<u32> {
    (0..length)
        .map(|at| {
            let noise = at.wrapping_mul(2_654_435_761).wrapping_add(base.wrapping_mul(40_503)) >> 16;
            let quiet = if at % 7 >= 5 { base / 3 } else { 0 };
            base + noise % (base / 3 + 1) - quiet + base * at / (length * 4)
        })
        .collect()
}

fn path(values: &[u32], width: f64, height: f64) -> String {
    let top = f64::from(values.iter().copied().max().unwrap_or(0).max(1));
    let steps = f64::from(u32::try_from(values.len().saturating_sub(1)).unwrap_or(1).max(1));
    let mut line = String::new();
    for (at, value) in (0_u32..).zip(values) {
        let x = f64::from(at) / steps * width;
        // A margin of 8 % keeps the stroke inside the box.
        let y = height - f64::from(*value) / top * height * 0.92;
        let pen = if at == 0 { 'M' } else { 'L' };
        // Writing to a String cannot fail.
        let _ = write!(line, "{pen}{x:.1} {y:.1}");
    }
    line
}
