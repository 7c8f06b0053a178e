//! The attributes of `millpond`. Use them through that crate, which re-exports them.
//!
//! `tokens → parse (options, function, template) → model (every rule) → expand (one site, one key, one call)`
// Only macros leave this crate; `pub` marks the face of a module.
#![allow(unreachable_pub)]

use proc_macro::TokenStream;

mod errors;
mod expand;
mod function;
mod model;
mod parse;
mod template;

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn cached(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(
        options.into(),
        &item.into(),
        model::cache::check,
        expand::cache::expand,
    )
    .into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn invalidates(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(
        options.into(),
        &item.into(),
        model::mutation::check_invalidates,
        expand::mutation::expand,
    )
    .into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn updates(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(
        options.into(),
        &item.into(),
        model::mutation::check_updates,
        expand::mutation::expand,
    )
    .into()
}

/// Limits how often an `async fn` runs: a check in front of its body lets the call through, or refuses it
/// through the return type.
///
/// # Options
///
/// | option | meaning |
/// |---|---|
/// | `kind = "API"` | a built-in limit: `"API"` 100 a minute, `"GENERATION"` 10, `"AUTH"` 5, `"PUBLIC"` 200 |
/// | `kind = EXPORT` | the path of a `Limit` constant |
/// | `limit = 5, per = "1h"` | a limit in place, of a number or a constant and a duration: `"250ms"`, `"90s"`, `"1h"`, or a `const Duration` |
/// | `algorithm = "sliding_window"` | of that limit: this, which is the default, `"fixed_window"`, or `"token_bucket"`, which starts with `limit` tokens and gets as many back in every `per` |
/// | `limit = plan.limit()` | without `per`: an expression that gives the `Limit` of this call |
/// | `id = user_id` | who is limited, anything with `Display`; without it all callers share one budget |
/// | `cost = prompt.len()` | how many units the call takes, a whole number; 1 without it |
/// | `on_outage = "local"` | while the store cannot answer: count in this process (also what happens without the option, unless the `Limit` says otherwise), `"allow"`, or `"deny"` |
/// | `on = self.pond` | the `Millpond` to use instead of the current one |
/// | `crate = my_crate::millpond` | where the runtime is, if not at `::millpond` |
///
/// `limit`, `id`, `cost` and `on` are expressions over the arguments, destructured ones too. They are worked
/// out before the body, and borrow what they name. An `id` that turns out empty is refused.
///
/// # Refusals
///
/// The function returns `Result<_, E>`, or an alias of it, where `E: From<RateLimited>`. With the feature
/// `axum`, a handler may also return `Response` or `impl IntoResponse`; it answers 429 by itself, with the
/// headers that say when to come back. The other status codes are those of `RateLimited::status`.
///
/// # Several attributes
///
/// Attributes rewrite the function in place, as `#[instrument]` does: the one nearest the function wraps last
/// and so runs first, the opposite of tower's layers. A call that a later limit refuses has been counted by
/// the earlier ones. `Limiter::and` takes from all of several limits or from none.
///
/// Beside `#[cached]`, the order says what is counted:
///
/// ```ignore
/// #[rate_limited(kind = "API", id = id)]   // above: misses only
/// #[cached(prefix = "user")]
/// async fn only_misses(id: u64) -> Result<User, ApiError> { … }
///
/// #[cached(prefix = "user")]
/// #[rate_limited(kind = "API", id = id)]   // below: every call
/// async fn every_call(id: u64) -> Result<User, ApiError> { … }
/// ```
///
/// `refresh` and `uncached` of a cached function contain what stands above `#[cached]`, and are limited in
/// both orders. Above `#[cached]`, callers who wait for one load share its refusal, if their error is `Clone`.
///
/// `#[rate_limited]` stands above `#[tokio::test]` and other attributes that make the function a sync one.
///
/// # Budgets
///
/// A limit with a kind counts wherever that kind is named, in every process on the same database. A limit in
/// place is named by its module, its function and its numbers, so methods of one name and with one limit, in
/// one module, share a budget: give them kinds. Built-in kinds, and kinds of your own, can have other numbers
/// from start-up: `Millpond::builder().limit(..)`. A limit that is worked out per call belongs to the kind
/// that it was made of.
///
/// # What it expands to
///
/// ```ignore
/// #[rate_limited(kind = "GENERATION", id = user_id)]
/// async fn generate(user_id: &str, prompt: String) -> Result<Image, ApiError> {
///     model::run(prompt).await
/// }
/// // becomes
/// async fn generate(user_id: &str, prompt: String) -> Result<Image, ApiError> {
///     let call = ::millpond::__private::LimitCall::new({
///             const __LIMIT: ::millpond::Limit = ::millpond::limit::GENERATION;
///             __LIMIT
///         })
///         .id(&(user_id));
///     if let ::core::result::Result::Err(refusal) = ::millpond::__private::admit(call)
///         .await
///     {
///         return <Result<Image, ApiError> as ::millpond::__private::Refuse>::refuse(refusal);
///     }
///     {
///         model::run(prompt).await
///     }
/// }
/// ```
#[proc_macro_attribute]
pub fn rate_limited(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(
        options.into(),
        &item.into(),
        model::limit::check,
        expand::limit::expand,
    )
    .into()
}

#[allow(missing_docs)]
#[proc_macro]
pub fn key(input: TokenStream) -> TokenStream {
    expand::key::expand(input.into()).into()
}
