//! The pictures of the report.

use std::path::Path;

use plotters::prelude::*;

use crate::Outcome;

/// One line of a picture.
pub struct Line<'a> {
    /// What it is.
    pub name: &'a str,
    /// Its points.
    pub points: Vec<(f64, f64)>,
}

const COLOURS: [RGBColor; 4] =
    [RGBColor(37, 99, 235), RGBColor(220, 38, 38), RGBColor(22, 163, 74), RGBColor(147, 51, 234)];

/// Lines over a logarithmic axis.
///
/// # Errors
/// When the file cannot be written.
pub fn curves(
    file: &Path,
    title: &str,
    axes: (&str, &str),
    lines: &[Line<'_>],
    from_zero: bool,
) -> Outcome<()> {
    let all = || lines.iter().flat_map(|line| line.points.iter().copied());
    let ends = |figures: &mut dyn Iterator<Item = f64>| {
        figures.fold((f64::MAX, f64::MIN), |(low, high), figure| (low.min(figure), high.max(figure)))
    };
    let (left, right) = ends(&mut all().map(|point| point.0));
    let (low, high) = ends(&mut all().map(|point| point.1));
    let low = if from_zero { 0.0 } else { low };
    let root = SVGBackend::new(file, (760, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d((left..right.max(left + 1.0)).log_scale(), low..high * 1.1)?;
    chart.configure_mesh().x_desc(axes.0).y_desc(axes.1).light_line_style(WHITE).draw()?;
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let colour = *colour;
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)))?
            .label(line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        chart.draw_series(line.points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
    }
    if lines.len() > 1 {
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .position(SeriesLabelPosition::UpperLeft)
            .draw()?;
    }
    Ok(root.present()?)
}

/// Ratios beside their targets.
///
/// # Errors
/// When the file cannot be written.
pub fn bars(file: &Path, title: &str, rows: &[(String, f64, Option<f64>)]) -> Outcome<()> {
    let height = u32::try_from(rows.len())? * 34 + 70;
    let root = SVGBackend::new(file, (900, height)).into_drawing_area();
    root.fill(&WHITE)?;
    root.draw(&Text::new(title.to_owned(), (12, 12), ("sans-serif", 18)))?;
    let most =
        rows.iter().flat_map(|(_, reached, target)| [Some(*reached), *target]).flatten().fold(1.0, f64::max);
    let x = |value: f64| 380 + (value / most * 430.0) as i32;
    for (at, (name, reached, target)) in (0_i32..).zip(rows) {
        let y = 46 + at * 34;
        root.draw(&Text::new(name.clone(), (12, y + 4), ("sans-serif", 13)))?;
        root.draw(&Rectangle::new([(x(0.0), y), (x(*reached), y + 20)], COLOURS[0].mix(0.7).filled()))?;
        root.draw(&Text::new(format!("{reached:.2}"), (x(*reached) + 6, y + 4), ("sans-serif", 13)))?;
        if let Some(target) = target {
            root.draw(&PathElement::new(
                [(x(*target), y - 4), (x(*target), y + 24)],
                COLOURS[1].stroke_width(2),
            ))?;
        }
    }
    Ok(root.present()?)
}
