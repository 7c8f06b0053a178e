//! What the attributes write, as pages that the documentation shows: `UPDATE_EXPECT=1 cargo test -p
//! millpond-macros` writes them anew.
use expect_test::{ExpectFile, expect_file};
use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

use super::{attribute, cache, key, limit, mutation, tag};
use crate::model;

fn cached(options: &str, item: &str) -> TokenStream {
    let (options, item) = (options.parse().unwrap(), item.parse().unwrap());
    attribute(options, &item, model::cache::check, cache::expand)
}

fn check(tokens: TokenStream, page: &ExpectFile) {
    page.assert_eq(&prettyplease::unparse(&syn::parse2(tokens).unwrap()));
}

#[test]
fn a_cached_function() {
    let written = cached(
        r#"prefix = "user", key = "<user_id>:profile", ttl = "1h""#,
        "/// Looks a user up.\npub async fn get_user(user_id: u64) -> Result<Option<User>, DbError> { db::find(user_id).await }",
    );
    check(written, &expect_file!["../../expansions/cached.rs"]);
}

#[test]
fn a_cached_method() {
    let written = cached(
        r#"prefix = "user", key = "<self.tenant>:<user_id>", on = self.pond"#,
        "async fn get_user(&self, user_id: u64) -> Option<User> { self.db.find(user_id).await }",
    );
    let written = quote!(impl Repo { #written });
    check(written, &expect_file!["../../expansions/cached_method.rs"]);
}

#[test]
fn a_function_whose_values_stay_in_this_process() {
    let written = cached(
        r#"local = "only", key = "<country>""#,
        "fn prices(country: &str) -> Arc<Prices> { Prices::read(country) }",
    );
    check(written, &expect_file!["../../expansions/local.rs"]);
}

#[test]
fn a_tag() {
    let item = "pub fn org(org_id: OrgId) -> Tag;";
    let written = tag::expand(quote!("org:<org_id>"), item.parse().unwrap());
    check(written, &expect_file!["../../expansions/tag.rs"]);
}

#[test]
fn a_function_that_invalidates() {
    let options = "get_user(user_id), get_org(output.org)".parse().unwrap();
    let item = "async fn rename(user_id: u64, name: &str) -> Result<User, DbError> { db::rename(user_id, name).await }";
    let check_options = model::mutation::check_invalidates;
    let written = attribute(
        options,
        &item.parse().unwrap(),
        check_options,
        mutation::expand,
    );
    check(written, &expect_file!["../../expansions/invalidates.rs"]);
}

#[test]
fn a_function_that_updates() {
    let options = "get_user(user_id)".parse().unwrap();
    let item = "async fn rename(user_id: u64, name: &str) -> Result<User, DbError> { db::rename(user_id, name).await }";
    let check_options = model::mutation::check_updates;
    let written = attribute(
        options,
        &item.parse().unwrap(),
        check_options,
        mutation::expand,
    );
    check(written, &expect_file!["../../expansions/updates.rs"]);
}

#[test]
fn a_rate_limited_function() {
    let options = r#"kind = "GENERATION", id = user_id, cost = prompts.len()"#;
    let item = "async fn generate(user_id: &str, prompts: Vec<String>) -> Result<Vec<Image>, ApiError> { model::run(prompts).await }";
    let (options, item) = (options.parse().unwrap(), item.parse().unwrap());
    let written = attribute(options, &item, model::limit::check, limit::expand);
    check(written, &expect_file!["../../expansions/rate_limited.rs"]);
}

#[test]
fn a_rate_limited_handler() {
    let options = r#"limit = 5, per = "1h", id = user_id"#;
    let item = "async fn export(Path(user_id): Path<u64>) -> impl IntoResponse { db::export(user_id).await }";
    let (options, item) = (options.parse().unwrap(), item.parse().unwrap());
    let written = attribute(options, &item, model::limit::check, limit::expand);
    check(
        written,
        &expect_file!["../../expansions/rate_limited_handler.rs"],
    );
}

#[test]
fn a_key() {
    let written = key::expand(r#""user:<user_id>:<page?>""#.parse().unwrap());
    let written = quote!(fn main() { let key = #written; });
    check(written, &expect_file!["../../expansions/key.rs"]);
}

/// The tokens with their places, groups opened.
fn places(tokens: TokenStream) -> Vec<(String, usize, usize)> {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Group(group) => places(group.stream()),
            other => {
                let start = other.span().start();
                vec![(other.to_string(), start.line, start.column)]
            }
        })
        .collect()
}

#[test]
fn every_token_of_the_function_keeps_its_place() {
    let item = "
/// Documented.
#[must_use]
pub(crate) async fn get_user<'a, T: Send>(Path(user_id): Path<u64>, mut page: &'a T) -> Result<Vec<User>, DbError>
where
    T: Clone,
{
    page = page.clone();
    db::find(user_id, page).await?.map(|user| user.name)
}";
    let written = places(cached(
        r#"prefix = "user", key = "<user_id>", skip(page)"#,
        item,
    ));
    for token in places(item.parse().unwrap()) {
        assert!(written.contains(&token), "{token:?} has moved");
    }
}

#[test]
fn a_mistake_leaves_the_function_as_it_was() {
    let item = "async fn get_user(user_id: u64) -> u64 { user_id }";
    let written = cached("tll = 3", item).to_string();
    let untouched: TokenStream = item.parse().unwrap();
    assert!(written.starts_with(&untouched.to_string()), "{written}");
    assert!(written.contains("compile_error"), "{written}");
}

/// Every option of every attribute, with a value of every form: whatever is wrong is said in our own words.
#[test]
fn no_sentence_of_darling_reaches_a_user() {
    use crate::model::{cache, limit, mutation, option::Options};

    const VALUES: [&str; 12] = [
        "",
        " = 3",
        " = -3",
        " = 3m",
        " = 1.5",
        " = \"x y\"",
        " = true",
        " = word",
        " = a::B",
        " = f(1)",
        "(1 + 2)",
        "(\"x\")",
    ];
    fn names<O: Options>() -> Vec<&'static str> {
        let names = O::KNOWN.iter().map(|(name, _)| *name);
        names
            .chain(O::LATER.iter().copied())
            .chain(["banana"])
            .collect()
    }
    let function = || {
        syn::parse_str("async fn get_user(user_id: u64) -> Result<u64, E> { db(user_id).await }")
            .unwrap()
    };
    let mut said = Vec::new();
    let mut hear = |name: &str, check: &dyn Fn(TokenStream) -> Option<syn::Error>| {
        for value in VALUES {
            for options in [
                format!("{name}{value}"),
                format!("{name}{value}, {name}{value}"),
            ] {
                let errors = check(options.parse().unwrap());
                said.extend(
                    errors
                        .into_iter()
                        .flatten()
                        .map(|error| (options.clone(), error.to_string())),
                );
            }
        }
    };
    for name in names::<cache::Given>() {
        hear(name, &|options| {
            cache::check(options, function())
                .err()
                .map(|refused| refused.errors)
        });
    }
    for name in names::<limit::Given>() {
        hear(name, &|options| {
            limit::check(options, function())
                .err()
                .map(|refused| refused.errors)
        });
    }
    for name in names::<mutation::Given>() {
        hear(name, &|options| {
            mutation::check_invalidates(options, function())
                .err()
                .map(|refused| refused.errors)
        });
    }
    for name in names::<mutation::GivenUpdate>() {
        hear(name, &|options| {
            mutation::check_updates(options, function())
                .err()
                .map(|refused| refused.errors)
        });
    }
    assert!(said.len() > 1_000);
    for (options, error) in said {
        let of_darling = [
            "Unexpected",
            "Unknown",
            "Missing field",
            "Duplicate",
            "Unsupported",
            "cannot be read",
            "Did you mean",
            "expected identifier",
            "expected literal",
        ];
        assert!(
            !of_darling.iter().any(|words| error.contains(words)),
            "{options}: {error}"
        );
        let first = error.chars().next().unwrap();
        assert!(
            !first.is_uppercase() && !error.ends_with('.'),
            "{options}: {error}"
        );
        assert!(
            error.contains("; ") || error.starts_with("there is no") || error.contains("write"),
            "{options}: {error}"
        );
    }
}
