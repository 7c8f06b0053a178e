//! What the crates that are linked into this binary cache, invalidate and limit: the attributes tell the linker, and
//! [`catalogue`](crate::catalogue()) shows it as data, as a table, as JSON and as a picture.
//!
//! ```standalone_crate
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use millpond::{cached, invalidates};
//!
//! #[cached(prefix = "invoice", ttl = "1h", key = "<id>")]
//! async fn get_invoice(id: u64) -> Option<String> { None }
//!
//! #[invalidates(get_invoice(id))]
//! async fn pay(id: u64) {}
//!
//! let catalogue = millpond::catalogue();
//! println!("{catalogue}");                     // a table
//! let invoice = catalogue.function("get_invoice").unwrap();
//! assert_eq!((invoice.key().as_str(), invoice.ttl.as_str()), ("invoice:<id>", "1h"));
//! assert!(invoice.invalidated_by[0].mutation.ends_with("::pay"));
//! catalogue.check().unwrap();                  // no two functions can have one key
//! # });
//! ```
//!
//! A test of a service can hold [`Catalogue::check`], and the binary itself can print the table: what it says is true of
//! the binary that prints it.
//!
//! # What it cannot see
//!
//! - A crate that the binary never names is not linked, and nothing of it is here: a `use` of it is enough. It is in a
//!   test of its own crate.
//! - Limits of layers and limits that are asked by hand; [`Millpond::stats`](crate::Millpond::stats) counts them.
//! - Invalidations by hand: `get_user::invalidate(id)`, `Tag::invalidate`, patterns.
//! - A prefix or lifetime such as `Self::PREFIX` is shown as text until the function has been called.
//! - A mutation that names a method (`self.get_user(id)`) does not say of which type: if two methods of that name are
//!   cached, the edge is [`Possible`](Certainty::Possible).
//!
//! Without the feature `catalogue` nothing of this is in a binary. On `wasm32-unknown-unknown` it relies on the constructors
//! that `inventory` documents for Rust 1.85 and newer, which no test of millpond runs yet. Where nothing was collected,
//! functions appear when they are first called.
//!
//! `#![forbid(warnings)]` in a crate makes rustc warn of an `allow` that `inventory` writes; `deny(warnings)` does not.

mod check;
mod collect;
mod edges;
mod entries;
mod graph;
mod listing;
mod names;
mod report;
pub(crate) mod site;
mod svg;
mod table;

pub use check::{Collision, Collisions};
pub use entries::{
    Certainty, Edge, Effect, Function, Instance, Limit, Mutation, Place, Tag, Target,
};
pub use listing::Catalogue;
pub(crate) use report::report_once;

/// What this binary caches, invalidates and limits by attributes; see [the module](mod@crate::catalogue).
///
/// Each call looks anew: it costs about a microsecond for each function, and is not meant for a request.
///
/// ```
/// let catalogue = millpond::catalogue();
/// assert!(catalogue.to_json().starts_with('{'));
/// ```
#[must_use]
pub fn catalogue() -> Catalogue {
    collect::catalogue()
}

impl Catalogue {
    /// The first function whose path ends with this name.
    ///
    /// ```
    /// assert!(millpond::catalogue().function("no_such_function").is_none());
    /// ```
    pub fn function(&self, name: &str) -> Option<&Function> {
        let is_meant = |path: &str| {
            path.strip_suffix(name)
                .is_some_and(|before| before.is_empty() || before.ends_with("::"))
        };
        self.functions
            .iter()
            .find(|function| is_meant(&function.name))
    }

    /// Whether no two functions can have a key in common, unless one says `shares`. It compares those whose prefix the
    /// compiler knows or that have been called; functions with different `on` are not compared.
    ///
    /// # Errors
    /// [`Collisions`], with every pair.
    ///
    /// ```standalone_crate
    /// millpond::catalogue().check()?;
    /// # Ok::<_, millpond::catalogue::Collisions>(())
    /// ```
    pub fn check(&self) -> Result<(), Collisions> {
        check::check(&self.compared)
    }

    /// All of it as JSON.
    ///
    /// ```
    /// let json = millpond::catalogue().to_json();
    /// assert!(json.contains("\"functions\":["));
    /// ```
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// A picture: functions → keys and tags ← mutations. It is readable on light and on dark ground.
    ///
    /// ```
    /// assert!(millpond::catalogue().to_svg().starts_with("<svg"));
    /// ```
    pub fn to_svg(&self) -> String {
        svg::picture(&graph::Graph::of(self))
    }
}
