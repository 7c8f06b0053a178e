//! How far measurements lie apart.

/// The median of some measurements, and between which the middle 80 % lie.
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    pub(crate) fn of(mut numbers: Vec<f64>) -> Self {
        numbers.sort_by(f64::total_cmp);
        let at = |percent: usize| numbers[(numbers.len() - 1) * percent / 100];
        Self {
            low: at(10),
            median: at(50),
            high: at(90),
        }
    }
}
