//! The runtime under another name.
pub mod reexports {
    pub use ::millpond as pond;
}

use reexports::pond::{cached, invalidates, key, updates};

// Nothing may reach for `::millpond` by a name that is taken.
#[allow(unused)]
mod millpond {}

#[cached(prefix = "user", crate = reexports::pond)]
async fn get_user(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[invalidates(get_user(id), crate = crate::reexports::pond)]
async fn rename(id: u64) -> u64 {
    id
}

#[updates(get_user(id), crate = reexports::pond)]
async fn replace(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {
    let id = 3;
    let _ = key!(crate = reexports::pond, "user:<id>");
    drop((rename(1), replace(2), invalidate_user!(1)));
}
