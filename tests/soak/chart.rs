//! The chart: one panel for each measure, over the time, with the faults as shades.

use crate::Sample;
use crate::svg::Svg;
use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 70.0;
const PANEL: f64 = 110.0;
const GAP: f64 = 34.0;

/// About as many as there are pixels for two each; of what lies between, the most is shown.
const POINTS: usize = 320;

type Measure = fn(&Sample) -> f64;

pub(crate) fn of(samples: &[Sample]) -> String {
    let panels: [(&str, Measure); 4] = [
        ("memory, MiB", |it| it.memory_mib),
        ("tasks", |it| it.tasks),
        ("sockets", |it| it.sockets),
        ("calls per sample", |it| it.calls),
    ];
    let last = samples.last().map_or(1.0, |sample| sample.at.as_secs_f64());
    let x = |sample: &Sample| LEFT + sample.at.as_secs_f64() / last * (WIDTH - LEFT - 10.0);
    let height = (PANEL + GAP) * 4.0 + 10.0;
    let label = format!("Memory, tasks, sockets and calls over {last:.0} seconds");
    let mut svg = Svg::new(WIDTH, height, label);
    for (number, (name, of)) in (0_u32..).zip(panels) {
        let top = f64::from(number) * (PANEL + GAP) + 22.0;
        let bottom = top + PANEL;
        let most = samples.iter().map(of).fold(1.0, f64::max);
        let y = |value: f64| bottom - value / most * PANEL;
        let mut faults = String::new();
        for phase in samples.chunk_by(|one, other| one.is_well == other.is_well) {
            let (first, last) = (x(&phase[0]), x(&phase[phase.len() - 1]));
            if !phase[0].is_well {
                write!(faults, "M{first:.1} {top}V{bottom:.0}H{last:.1}V{top}z").unwrap();
            }
        }
        svg.area("fault", &faults);
        svg.grid((LEFT, bottom), (WIDTH, bottom));
        svg.grid((LEFT, top), (WIDTH, top));
        svg.text((LEFT, top - 7.0), "start", name);
        svg.text((LEFT - 8.0, top + 8.0), "end", format_args!("{most:.0}"));
        svg.text((LEFT - 8.0, bottom), "end", 0);
        let chunks = samples.chunks(samples.len().div_ceil(POINTS).max(1));
        let highest = chunks.filter_map(|chunk| {
            let by_value = |one: &&Sample, other: &&Sample| of(one).total_cmp(&of(other));
            chunk.iter().max_by(by_value)
        });
        svg.line(0, highest.map(|it| (x(it), y(of(it)))));
    }
    svg.finish()
}
