//! What the service of `examples/axum_api.rs` caches, invalidates and limits: a table, and the graph as a picture.
//!
//! ```text
//! cargo run --example catalogue                # writes target/catalogue.svg
//! cargo run --example catalogue docs/catalogue.svg
//! ```
//!
//! A service does the same in its own binary, since the catalogue is that of the binary which prints it.

#[allow(dead_code, reason = "the service does not run here")]
#[path = "axum_api.rs"]
mod service;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let catalogue = millpond::catalogue();
    println!("{catalogue}");
    let path = std::env::args().nth(1);
    let path = path.unwrap_or_else(|| "target/catalogue.svg".to_owned());
    std::fs::write(&path, catalogue.to_svg())?;
    println!("functions -> keys <- mutations: {path}");
    // In a test, this holds that no two functions can have one key.
    catalogue.check()?;
    Ok(())
}
