//! How a hit gets slower: with callers, keys, the size of values, processes and distance.
//!
//! `cargo bench -p millpond-benches --bench curves` draws the charts of `docs/performance.md`; `-- local` and `-- remote`
//! some of them.

mod chart;
mod distance;
#[path = "../hits/gateway.rs"]
mod gateway;
mod load;
mod local;
mod remote;
#[path = "../../tests/support/svg.rs"]
mod svg;

use chart::{Axis, Series};
use std::error::Error;
use std::path::Path;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["gateway", port, number] => {
            runtime.block_on(gateway::serve(port.parse()?, number.parse()?))
        }
        ["client", port] => runtime.block_on(remote::client(port.parse()?)),
        ["local", ..] => local::draw(),
        ["remote", ..] => runtime.block_on(remote::draw()),
        _ => {
            local::draw()?;
            runtime.block_on(remote::draw())
        }
    }
}

/// Draws what was measured into docs/curves, and prints it.
fn save(file: &str, title: &str, axes: (Axis, Axis), all: &[Series]) -> Outcome {
    let (across, up) = axes;
    println!("\n{title}: {} against {}", up.title, across.title);
    for Series { name, points } in all {
        let points = points.iter();
        let points: Vec<_> = points
            .map(|(x, y)| format!("{} {}", (across.shown)(*x), (up.shown)(*y)))
            .collect();
        println!("  {name}: {}", points.join(", "));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/curves");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(file).with_extension("svg");
    std::fs::write(path, chart::draw(title, axes, all))?;
    Ok(())
}
