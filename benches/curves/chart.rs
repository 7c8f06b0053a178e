//! A chart of several series over one axis. Both axes are logarithmic unless all values of one lie between 0 and 1.

use crate::svg::Svg;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 520.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 280.0;

pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Series {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        let (name, points) = (name.into(), Vec::new());
        Self { name, points }
    }
}

/// What an axis measures, and how its values are written.
#[derive(Clone, Copy)]
pub(crate) struct Axis {
    pub(crate) title: &'static str,
    pub(crate) shown: fn(f64) -> String,
}

pub(crate) fn draw(title: &str, (across, up): (Axis, Axis), all: &[Series]) -> String {
    let points = || all.iter().flat_map(|series| series.points.iter().copied());
    let xs = Scale::of(points().map(|(x, _)| x));
    let ys = Scale::of(points().map(|(_, y)| y));
    let x = |value| LEFT + xs.place(value) * (RIGHT - LEFT);
    let y = |value| BOTTOM - ys.place(value) * (BOTTOM - TOP);
    let mut svg = Svg::new(WIDTH, HEIGHT, title);
    svg.text((LEFT, 18.0), "start", title);
    for tick in ys.ticks() {
        svg.grid((LEFT, y(tick)), (RIGHT, y(tick)));
        svg.text((LEFT - 8.0, y(tick) + 4.0), "end", (up.shown)(tick));
    }
    for tick in xs.ticks() {
        svg.grid((x(tick), TOP), (x(tick), BOTTOM));
        svg.text((x(tick), BOTTOM + 18.0), "middle", (across.shown)(tick));
    }
    let middle = f64::midpoint(LEFT, RIGHT);
    svg.text((middle, BOTTOM + 42.0), "middle", across.title);
    svg.text((RIGHT + 20.0, TOP), "start", up.title);
    for (number, series) in all.iter().enumerate() {
        svg.line(number, series.points.iter().map(|&(px, py)| (x(px), y(py))));
        let at = TOP + 22.0 * (f64::from(u32::try_from(number).unwrap_or(0)) + 1.0);
        let sample = [(RIGHT + 20.0, at - 4.0), (RIGHT + 44.0, at - 4.0)];
        svg.line(number, sample.into_iter());
        svg.text((RIGHT + 50.0, at), "start", &series.name);
    }
    svg.finish()
}

enum Scale {
    /// From 0 to 1.
    Share,
    /// Between two powers of ten.
    Powers(f64, f64),
}

impl Scale {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(0.0, f64::max);
        if most <= 1.0 {
            return Self::Share;
        }
        let from = least.log10().floor();
        Self::Powers(from, most.log10().ceil().max(from + 1.0))
    }

    fn place(&self, value: f64) -> f64 {
        match self {
            Self::Share => value,
            Self::Powers(from, to) => (value.log10() - from) / (to - from),
        }
    }

    fn ticks(&self) -> Vec<f64> {
        match self {
            Self::Share => (0_u32..=5).map(|fifth| f64::from(fifth) / 5.0).collect(),
            Self::Powers(from, to) => {
                let powers = std::iter::successors(Some(*from), |power| Some(power + 1.0));
                let powers = powers.take_while(|power| power <= to);
                powers.map(|power| 10_f64.powf(power)).collect()
            }
        }
    }
}
