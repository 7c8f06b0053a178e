//! What compiles and what does not, with the words in which it is said.

/// The messages of `trybuild/fail` are those of Rust 1.95; other compilers may word theirs differently.
#[test]
fn every_positive_form_compiles_and_runs() {
    trybuild::TestCases::new().pass("trybuild/pass/*.rs");
}

#[test]
fn every_mistake_is_a_compile_error_that_says_what_to_write() {
    trybuild::TestCases::new().compile_fail("trybuild/fail/*/*.rs");
}
