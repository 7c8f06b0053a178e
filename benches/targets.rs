//! What was measured, beside the target of each path.

/// One row of the table.
pub(crate) struct Measured {
    pub(crate) path: &'static str,
    pub(crate) against: &'static str,
    /// Which quantity.
    pub(crate) of: &'static str,
    /// Nothing where the machine lacks what measures it.
    pub(crate) value: Option<f64>,
    pub(crate) most: f64,
}

pub(crate) fn print(rows: &[Measured]) {
    println!("\n### Against the targets\n");
    println!("| | against | of | measured | target | |");
    println!("|---|---|---|--:|--:|---|");
    for row in rows {
        let Measured {
            path,
            against,
            of,
            value,
            most,
        } = row;
        let (value, verdict) = match value {
            Some(value) if value <= most => (shown(*value), "reached"),
            Some(value) => (shown(*value), "**missed**"),
            None => ("not measured".to_owned(), ""),
        };
        let most = shown(*most);
        println!("| {path} | {against} | {of} | {value} | ≤ {most} | {verdict} |");
    }
}

/// What is there before a line of millpond: how much of a target it leaves.
#[allow(dead_code, reason = "not every benchmark has floors")]
pub(crate) fn print_floors(rows: &[Measured]) {
    println!("\n### The least that can be reached\n");
    println!("| | against | of | measured | target |");
    println!("|---|---|---|--:|--:|");
    for row in rows {
        let value = row.value.map_or_else(|| "not measured".to_owned(), shown);
        let (path, against, of, most) = (row.path, row.against, row.of, shown(row.most));
        println!("| {path} | {against} | {of} | {value} | ≤ {most} |");
    }
}

/// Ratios have two decimals, counts have none.
fn shown(value: f64) -> String {
    if value.fract() == 0.0 || value >= 1_000.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}
