//! What is read from others, held against random bytes: `tests/fuzz/run reply`.
//!
//! A target is a function of bytes that panics where something is wrong. `tests/corpus.rs` runs each of them with
//! what is kept in `corpus`, and with random changes of it, on the stable compiler.

pub mod address;
pub mod envelope;
pub mod key;
pub mod reply;
pub mod template;

// What the parser of templates uses, where it looks for it.
#[allow(dead_code, unreachable_pub, reason = "a part of another crate")]
#[path = "../../../macros/src/errors.rs"]
mod errors;
#[allow(dead_code, unreachable_pub, reason = "a part of another crate")]
#[path = "../../../macros/src/nearest.rs"]
mod nearest;
#[allow(dead_code, unreachable_pub, reason = "a part of another crate")]
#[path = "../../../macros/src/tokens.rs"]
mod tokens;

#[allow(dead_code, unreachable_pub, reason = "a part of another crate")]
#[path = "../../../runtime/src/store/upstash/answer.rs"]
mod answer;

/// What the parser of answers uses, where it looks for it.
mod error {
    pub(crate) use millpond::ErrorKind;

    /// With the constructor that the error of millpond keeps to itself.
    #[derive(Debug)]
    pub(crate) struct Error {
        pub(crate) kind: ErrorKind,
        pub(crate) message: String,
    }

    impl Error {
        pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
            let message = message.into();
            Self { kind, message }
        }
    }
}

/// The same.
mod store {
    pub(crate) mod command {
        pub(crate) use millpond::Reply;
    }

    pub(crate) mod transport {
        /// What came for one command.
        #[derive(Debug)]
        pub(crate) enum Answer {
            Reply(millpond::Reply),
            Error(String),
            Unreadable(crate::error::Error),
        }
    }
}

/// Holds something against bytes, and panics where it does not hold.
pub type Target = fn(&[u8]);

/// The targets by their names, as `corpus` has them.
pub const TARGETS: [(&str, Target); 5] = [
    ("template", template::run),
    ("envelope", envelope::run),
    ("reply", reply::run),
    ("key", key::run),
    ("address", address::run),
];

/// The target of this name.
///
/// # Panics
///
/// When there is none.
pub fn named(name: &str) -> Target {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no target {name}")).1
}

/// What the program of a target holds: under `cargo fuzz` it is the fuzzer, else it runs the files that it is given.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::named($name)(data));

        #[cfg(not(fuzzing))]
        fn main() {
            for file in std::env::args().skip(1) {
                $crate::named($name)(&std::fs::read(file).expect("a file"));
            }
        }
    };
}
