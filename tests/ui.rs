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

/// What the compiler suggests has a name that can be looked up. Where a bound stands is another matter: that is code.
#[test]
fn no_help_names_what_is_private() {
    let mut named = Vec::new();
    for kind in std::fs::read_dir("trybuild/fail").unwrap() {
        for file in std::fs::read_dir(kind.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path
                .extension()
                .is_none_or(|extension| extension != "stderr")
            {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let helps = text.lines().map(str::trim_start);
            let helps =
                helps.filter(|line| line.starts_with("= help: ") || line.starts_with("help: "));
            for help in helps.filter(|help| help.contains("__private")) {
                named.push(format!("{}: {help}", path.display()));
            }
        }
    }
    assert!(named.is_empty(), "{}", named.join("\n"));
}
