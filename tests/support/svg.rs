//! Drawings for the documentation. They take their colours from who looks at them, so they are readable in light and
//! dark.

use std::fmt::{Display, Write as _};

const STYLE: &str = "\
.text { fill: #1f2328; font: 12px system-ui, sans-serif } .grid { stroke: #d0d7de } .fault { fill: #cf222e; opacity: .12 } \
.line { fill: none; stroke-width: 1.6 } \
.c0 { stroke: #0969da } .c1 { stroke: #bc4c00 } .c2 { stroke: #1a7f37 } .c3 { stroke: #8250df } .c4 { stroke: #57606a } \
.c5 { stroke: #bf3989 } \
@media (prefers-color-scheme: dark) { .text { fill: #e6edf3 } .grid { stroke: #3d444d } .fault { fill: #ff7b72; opacity: .2 } \
.c0 { stroke: #58a6ff } .c1 { stroke: #f0883e } .c2 { stroke: #3fb950 } .c3 { stroke: #bc8cff } .c4 { stroke: #9198a1 } \
.c5 { stroke: #f778ba } }";

/// How many colours lines have.
pub(crate) const COLOURS: usize = 6;

pub(crate) struct Svg(String);

impl Svg {
    pub(crate) fn new(width: f64, height: f64, label: impl Display) -> Self {
        Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-label=\"{label}\"><style>{STYLE}</style>\n"
        ))
    }

    fn add(&mut self, line: std::fmt::Arguments<'_>) {
        // A String takes everything.
        let _ = writeln!(self.0, "{line}");
    }

    /// `anchor`: which end of the text stands there, or its middle.
    pub(crate) fn text(&mut self, (x, y): (f64, f64), anchor: &str, text: impl Display) {
        self.add(format_args!(
            "<text class=\"text\" x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    pub(crate) fn grid(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.add(format_args!(
            "<line class=\"grid\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    pub(crate) fn line(&mut self, colour: usize, points: impl Iterator<Item = (f64, f64)>) {
        let points: Vec<_> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (colour, points) = (colour % COLOURS, points.join(" "));
        self.add(format_args!(
            "<polyline class=\"line c{colour}\" points=\"{points}\"/>"
        ));
    }

    #[allow(dead_code, reason = "not every drawing has areas")]
    pub(crate) fn area(&mut self, class: &str, path: &str) {
        self.add(format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
    }

    pub(crate) fn finish(self) -> String {
        self.0 + "</svg>\n"
    }
}
