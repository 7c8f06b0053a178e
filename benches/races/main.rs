//! What happens in a race, and on a hot key whose source is in trouble: beside `amalgam-cache`, `moka`, `cached` and no
//! cache.
//!
//! `cargo bench -p millpond-benches --bench races` prints the tables of `docs/races.md`; `-- probes` and `-- stampede` one
//! half each.

mod peer;
mod probes;
mod source;
mod stampede;

use std::error::Error;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    // Bodies that panic are part of it.
    std::panic::set_hook(Box::new(|_| {}));
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(2).enable_all().build()?;
    let half = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    runtime.block_on(async {
        if half.as_deref() != Some("stampede") {
            probes::report().await?;
        }
        if half.as_deref() != Some("probes") {
            stampede::report().await?;
        }
        Ok(())
    })
}
