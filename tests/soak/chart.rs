//! The chart: one panel for each measure, over the time, with the faults as shades. It takes its colours from who looks
//! at it, so it is readable in light and dark.

use crate::Sample;
use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 70.0;
const PANEL: f64 = 110.0;
const GAP: f64 = 34.0;

/// About as many as there are pixels for two each; of what lies between, the most is shown.
const POINTS: usize = 320;

const STYLE: &str = "\
.text { fill: #1f2328; font: 12px system-ui, sans-serif } .grid { stroke: #d0d7de } .fault { fill: #cf222e; opacity: .12 } \
.line { fill: none; stroke: #0969da; stroke-width: 1.4 } \
@media (prefers-color-scheme: dark) { .text { fill: #e6edf3 } .grid { stroke: #3d444d } .fault { fill: #ff7b72; opacity: .2 } \
.line { stroke: #58a6ff } }";

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
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Memory, tasks, sockets and calls over {last:.0} seconds\"><style>{STYLE}</style>\n"
    );
    for (number, (name, of)) in (0_u32..).zip(panels) {
        let top = f64::from(number) * (PANEL + GAP) + 22.0;
        let most = samples.iter().map(of).fold(1.0, f64::max);
        let y = |value: f64| top + PANEL - value / most * PANEL;
        let mut faults = String::new();
        for phase in samples.chunk_by(|one, other| one.is_well == other.is_well) {
            let (first, last) = (x(&phase[0]), x(&phase[phase.len() - 1]));
            if !phase[0].is_well {
                write!(
                    faults,
                    "M{first:.1} {top}V{:.0}H{last:.1}V{top}z",
                    top + PANEL
                )
                .unwrap();
            }
        }
        writeln!(svg, "<path class=\"fault\" d=\"{faults}\"/>").unwrap();
        let bottom = top + PANEL;
        writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{WIDTH}\" y2=\"{bottom}\"/>"
        )
        .unwrap();
        writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{top}\" x2=\"{WIDTH}\" y2=\"{top}\"/>"
        )
        .unwrap();
        let label = top - 7.0;
        writeln!(
            svg,
            "<text class=\"text\" x=\"{LEFT}\" y=\"{label}\">{name}</text>"
        )
        .unwrap();
        writeln!(
            svg,
            "<text class=\"text\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{most:.0}</text>",
            LEFT - 8.0,
            top + 8.0
        )
        .unwrap();
        writeln!(
            svg,
            "<text class=\"text\" x=\"{:.0}\" y=\"{bottom}\" text-anchor=\"end\">0</text>",
            LEFT - 8.0
        )
        .unwrap();
        let points: Vec<_> = samples
            .chunks(samples.len().div_ceil(POINTS).max(1))
            .filter_map(|chunk| {
                chunk
                    .iter()
                    .max_by(|one, other| of(one).total_cmp(&of(other)))
            })
            .map(|it| format!("{:.1},{:.1}", x(it), y(of(it))))
            .collect();
        writeln!(
            svg,
            "<polyline class=\"line\" points=\"{}\"/>",
            points.join(" ")
        )
        .unwrap();
    }
    svg + "</svg>\n"
}
