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
mod nearest;
mod parse;
mod surroundings;
mod template;
mod tokens;

/// Caches what an `async fn` returns, or any `fn` in this process only.
///
/// ```text
/// #[cached(prefix = "user", ttl = "medium", key = "<user_id>")]
/// async fn get_user(user_id: u64) -> Result<Option<User>, DbError> { db::find_user(user_id).await }
///
/// get_user(42).await?;                       // as before: the cache changes no signature
/// invalidate_user!(42).await?;               // or get_user::invalidate(42).await?
/// get_user::entry(42).get().await?;          // what is cached: also put, exists, ttl, key
/// millpond::refresh(get_user(42)).await?;    // runs the body and stores what it returns
/// millpond::uncached(get_user(42)).await?;   // runs the body, the cache left as it is
/// ```
///
/// It stands on free functions, on methods (`&self`, `&mut self`, `self: Arc<Self>`, `self`), on associated
/// functions, and on the native `async fn`s of traits and their `impl`s (with `companion = false`). The value
/// implements `Serialize` and `DeserializeOwned`; what it is, and whether the function can fail, the compiler
/// decides by traits, so an alias of `Result` is a `Result`.
///
/// Only `Ok` is cached. `None`, in `Ok` too, is cached as `__NULL__`. Whatever the cache does, the function
/// returns what its body returns.
///
/// # Options
///
/// | option | meaning | default |
/// |---|---|---|
/// | `prefix = "user"`, or the path of a `&'static str` constant | first segment of the key | required |
/// | `key = "<user_id>:posts"` | the rest of the key, see below | every argument in order, joined by `:` |
/// | `ttl = "short"`, `"medium"`, `"long"`, `"extended"`, `"week"`, `"90s"`, `"1.5h"` (`ms s m h d w`), or a constant `Duration` | how long a value is kept: 1 minute, 5 minutes, 1 hour, 1 day, 7 days | `"medium"` |
/// | `ttl_of = path` | a `fn(&T) -> Duration`: the lifetime comes from the value, such as the `expires_in` of a token; zero means that it is not stored | `ttl` |
/// | `jitter = 0.1` | up to this fraction is taken off each lifetime at random, so that entries written together do not expire together | `Builder::ttl_jitter`, 0.05 |
/// | `null_ttl = …`, as `ttl` | how long a `None` is kept | `"short"` |
/// | `null = false` | `None` is not cached | `true` |
/// | `stale_while_revalidate = "30s"`, as `ttl` | for that long after the lifetime the old value is returned at once, while one load runs in the background | off |
/// | `stale_if_error = "1h"`, as `ttl` | for that long after the lifetime the old value is returned if the body fails | off |
/// | `soft_timeout = "200ms"`, as `ttl` | the old value of `stale_if_error` is returned if the body takes longer, too; it goes on in the background and its value is stored | none |
/// | `refresh_ahead = 0.8`, or `"xfetch"` | from that fraction of the lifetime on, one caller starts a load in the background; `"xfetch"`: at random, the likelier the longer the body takes | off |
/// | `skip(pool, trace_id)` | arguments, generic parameters, `self` and `Self` that are deliberately not in the key; nothing is asked of their types | none |
/// | `flight = "process"`, `"cluster"` or `"off"` | who loads a cold key: one caller per process, one in all processes of a database, or everyone | `"process"` |
/// | `compress` | a value of 1 KiB of JSON or more is stored as gzip, where that makes it smaller | off |
/// | `encrypt` | every value, a `None` too, is stored encrypted (AES-256-GCM), and only such a value is read; needs a key, see below | off |
/// | `when = expr` | uses the cache only if this, over the arguments, is true | always |
/// | `unless = path` | a `fn(&T) -> bool`, or a closure that captures nothing: such a result is not stored | never |
/// | `share_errors = false` | callers who wait for one load run their own body where it fails, instead of sharing an error that is `Clone` | `true` |
/// | `guard = false` | plain `GET`, `SET` and `DEL`, for values that are never invalidated, see below | `true` |
/// | `tags(org(org_id), "team:<team_id>")` | groups that are invalidated at once: calls of functions with `#[tag]`, or templates; at most 16 | none |
/// | `tags_of = path` | a `fn(&T)` that gives tags (a `Vec<Tag>`, an `Option<Tag>`, an array): groups that the value itself names, such as the authors of a post, see below | none |
/// | `all` | the function gets `invalidate_all()`, and a method `get_user_all(..)` | off |
/// | `batch = ids, of = get_user(ids)` | the batch form of another cached function, see below; of the other options it takes `when` and `crate` | |
/// | `local = "5s"`, as `ttl` | this process also keeps the value itself, for at most that long, see below | off |
/// | `local_plain` | with `local = "5s"` and `encrypt`: decrypted values may be in the memory of this process | |
/// | `local = "only"` | values stay in this process as they are, see below | off |
/// | `version = 2` | goes into the key, so that a new type starts cold | none |
/// | `on = expr` | the `Millpond` to use, such as `self.pond` | the current one |
/// | `shares = get_user` | a cached function whose entries this one uses on purpose, under the same prefix and key; both cache the same type | none |
/// | `companion = "name"`, `companion = false` | name of the type (of the function `name_entry` beside a method), or none | the function's name |
/// | `invalidate = "name"`, `invalidate = false` | name of the macro, or none | `invalidate_` and the function's name without a leading `get_`, `fetch_`, `find_`, `load_` or `read_` |
/// | `in_impl` | a function without receiver stands in an `impl`; a receiver or `Self` shows it too | |
/// | `crate = path` | where `millpond` is | `::millpond` |
///
/// # The key
///
/// `<name>` is an argument, a variable that its pattern binds, or a `const` parameter, and needs `Display`;
/// `<name.field>` and `<self.field>` are fields; `<name?>` is an `Option`; `<name:sha256>` is the hash of the
/// value's JSON and needs `Serialize`. `<<` and `>>` are angle brackets; `{` and `}` are Redis Cluster hash
/// tags. Between two placeholders stands a `:`.
///
/// Everything that a call depends on is in the key or in `skip(..)`, or one call would return another's value:
///
/// - every argument;
/// - `self`: a method writes `<self.field>`, or `skip(self)` where all values of the type give the same answer;
/// - every `const` parameter, as `<N>`;
/// - every type parameter that no argument mentions, or that is part of the value: `prefix = T::PREFIX`, or `skip(T)`.
///   What a skipped argument mentions is skipped with it.
///
/// The parameters of an `impl`, and the type that a default method of a trait is called on, do not show in the
/// function. They are compared when it runs: the first time that two types meet under one prefix and template, an
/// error names both. `skip(Self)` says that they share entries on purpose. A type that is in the key by `Display`, such
/// as an `Id<K>`, has to render what tells its values apart.
///
/// Arguments with the same JSON have the same hash. A `HashSet` has no order, so equal ones have different JSON: where
/// it is the argument, the function runs uncached and says so once; inside of a struct nothing shows it, so use a
/// `BTreeSet` there.
///
/// # Values
///
/// A value comes back as serde reads it: a field with `#[serde(skip)]` has its default. A function whose values cannot
/// be read back stops storing them after three, with one warning. That is so of floats in `untagged` and internally
/// tagged enums and under `flatten`, if some crate of the program turns on `arbitrary_precision` of `serde_json`.
///
/// # Compressed and encrypted values
///
/// With `compress`, what a value takes in the database counts against `Builder::max_value_bytes`, and it may have 8
/// times as many bytes before. With `encrypt`, the key comes from `Builder::encryption_key` or the environment
/// variable `MILLPOND_ENCRYPTION_KEY`. Without one the function runs uncached, which is logged once, and `put` of its
/// entry is an error; nothing is stored in plain text. A value that was tampered with, that stood under another key,
/// or that somebody stored unencrypted is a miss. With both options a value is compressed first, so that its length
/// tells something of its content.
///
/// Each option needs the feature of the same name of `millpond`, which is on by default; without it the build stops.
/// `get` of an entry and `Millpond::get` open what they find, whatever the options.
///
/// # Old values
///
/// With `stale_while_revalidate`, `stale_if_error`, `soft_timeout` or `refresh_ahead` the body may run in the background,
/// where it owns its arguments. Nothing changes for the caller: what is borrowed as `&T` or `Option<&T>` is cloned, and
/// only when such a load starts; everything else moves, and must be `Send + 'static`, the body's future `Send`. An
/// argument that cannot be owned is an error at that argument: a `&mut`, a type with another lifetime, or one that is
/// not `Clone`; so is one that the signature takes apart. `self` counts: `&self` asks for `Clone`. In the background
/// the current `Millpond` is the same; task-locals and the caller's span are not there. The `impl` of a trait has no
/// place for the body, so write an inherent method. A function that calls itself does so through a `fn` that
/// returns a boxed future.
///
/// One load of a key runs in the background at a time. It reads the cache once more first, so that what another
/// process loaded meanwhile is seen; its value is stored under the same rules as any other; one that fails changes nothing.
/// The next try for that key then comes after a second, and after twice as long each time, up to 30 s.
/// `Millpond::flush` waits for it. Windows begin where the lifetime of the value ended, by the clock of the server and
/// counted from the start of its load, and nothing prolongs them. After an invalidation nothing is old.
///
/// # Groups
///
/// A value with tags remembers a random word of each, and is a miss once a tag was invalidated: here, in another process,
/// or by other software. The words are read with the value, by the same command. An argument of a tag that is not in the
/// key becomes one of `entry`. A tag is an expression, so `org(org_id.clone())` where the body needs the argument too.
///
/// With `tags_of`, the value names groups by itself. The names of these tags begin with `~`: to invalidate one takes two
/// commands, since a load that is under way does not know yet which tags its value will have. A hit reads such tags by a
/// second command. A value with more than 16 tags, or with one of another name, is not stored, which is logged once.
///
/// ```text
/// #[millpond::tag("~author:<id>")]
/// fn author(id: AuthorId) -> Tag;
///
/// #[cached(prefix = "post", key = "<id>", tags_of = |post: &Post| post.authors.iter().copied().map(author).collect::<Vec<_>>())]
/// async fn get_post(id: u64) -> Result<Post, DbError> { … }
///
/// author::invalidate(7).await?;              // every post of which the author is one
/// ```
///
/// # Several items at once
///
/// ```text
/// #[cached(batch = ids, of = get_user(ids))]          // in `of`, the name stands for one item
/// async fn get_users(ids: &[u64]) -> Result<HashMap<u64, User>, DbError> { db::users(ids).await }
/// ```
///
/// The list is a `&[T]`, a `Vec<T>` or a `&Vec<T>`, where `T: Clone`; the function returns a `HashMap`, a `BTreeMap`, a `Vec` of pairs,
/// or a `Vec<Option<V>>` in the order of the items. The entries, and all options of them, are those of the function for
/// one, which returns a `V` or an `Option<V>`, where `V: 'static`. The body gets the distinct items that are missing,
/// never an empty list, and its error is the answer, whatever was cached. Items that it does not return are cached as
/// `None`, where the function for one caches that. Order and duplicates of the list are kept. An item that is returned twice, and a
/// list of another length, are not stored, which is logged once. Around the cache, the body gets the list as it is.
///
/// # Values that this process keeps, too
///
/// With `local = "5s"`, this process keeps what it read or stored, as it is: a hit sends and decodes nothing and clones the
/// value, or the `Arc` it is behind. The value needs `Clone + Send + Sync + 'static`, beside serde. It is used for at most
/// that long, counted from when its read or its store left, by the larger of the wall clock and the monotonic one, and
/// never for longer than its lifetime counted from there. `None`s are kept too.
///
/// What this process changes, it never sees as it was: an invalidation (of the entry, a tag, `all`, a pattern, by
/// `#[invalidates]` or by hand), a `put`, `#[updates]` or `refresh` removes what is kept before it is sent and again when
/// it is answered, and what was read meanwhile is not kept. What *another* process changes is seen when `local` is over.
/// Raw commands (`command`, pipelines) count as those of another process. The batch form of the function looks here first,
/// item by item, and keeps what it reads and loads. The methods of an entry, such as `get`, read the store.
///
/// Windows of old values begin as ever: nothing old is kept, nor anything that `refresh_ahead` would load again. All that
/// a `Millpond` keeps shares one bound, `Builder::local_bytes`; a value counts with its length as JSON.
///
/// # Values that stay in this process
///
/// With `local = "only"`, a value is kept as it is, for its lifetime at most: it needs `Clone + Send + Sync + 'static`
/// and no serde, nothing is sent, and a hit clones it, or the `Arc` it is behind. The function may be a plain `fn`: a
/// caller that finds nothing while another one loads waits on its thread, and a body that calls its own function for the
/// same key runs it. Two such functions never share an entry, so `prefix` may be left out; it is then the name of the
/// function, for statistics. `entry` gives a `LocalEntry`, with the same methods, none of which has to be awaited; so
/// `get_user::invalidate(7)` acts at once, and may be awaited. A removal, a `put` or `#[updates]` during a load wins.
/// `compress`, `encrypt`, `guard` and `shares` have no meaning here.
///
/// # Values that are never invalidated
///
/// With `guard = false`, a miss takes two commands on the server instead of four, and a body may take as long as it
/// likes: for answers that are stored under the hash of a prompt, or records that never change. What is given up: an
/// invalidation is a plain `DEL`, and a load that was under way stores its older value afterwards; `#[updates]` stores
/// whatever else was written meanwhile; a write that arrives late is not refused. The lifetime alone bounds
/// how long such a value is served.
///
/// # What stands beside the function
///
/// Beside a free function, a type of its name holds `entry` and `invalidate`, and a macro invalidates. Both take the
/// arguments that are in the key or in `on`, destructured ones whole, and only those generic parameters that these or
/// the return type mention. The macro works wherever it was imported, without the function:
/// `use users::invalidate_user;`. Beside a method stands `name_entry(&self, ..)`, since an `impl` can hold neither a
/// type nor a macro.
///
/// `millpond::refresh(get_user(7))` and `millpond::uncached(get_user(7))` act on the call itself, for functions, methods
/// and traits alike, so they contain what other attributes made of it.
///
/// # Errors
///
/// All mistakes of an attribute are reported at once, each at the token that must change: an option that is
/// unknown, given twice, not supported yet, or has a value of the wrong form; a placeholder that names no argument;
/// an argument that is not in the key; two placeholders without a `:` between them; a duration without a unit
/// or of zero; a sync `fn`; a borrowed or `impl Trait` return; a value that serde cannot store and read back; a
/// part without `Display`; a `Result` inside an `Option` or another `Result`. A function that `#[async_trait]`
/// has rewritten cannot be cached: put the attribute on a function that it calls.
///
/// If the macro's name is taken (`get_user` and `find_user` both ask for `invalidate_user!`), name one of them
/// with `invalidate = "…"`. If a module or an imported type has the function's name (`mod config` beside
/// `async fn config`, or `use uuid::Uuid` beside `async fn Uuid`), name the companion with `companion = "…"`. The macro
/// is called by its name alone, after `use users::invalidate_user;`, and not by a path.
///
/// # What it expands to
///
/// A free function:
///
/// ```text
#[doc = include_str!("../expansions/cached.rs")]
/// ```
///
/// A method:
///
/// ```text
#[doc = include_str!("../expansions/cached_method.rs")]
/// ```
///
/// A function that is not async:
///
/// ```text
#[doc = include_str!("../expansions/local.rs")]
/// ```
#[proc_macro_attribute]
pub fn cached(options: TokenStream, item: TokenStream) -> TokenStream {
    let options = options.into();
    if model::batch::is_meant(&options) {
        let check = model::batch::check;
        return expand::attribute(options, &item.into(), check, expand::batch::expand).into();
    }
    let check = model::cache::check;
    expand::attribute(options, &item.into(), check, expand::cache::expand).into()
}

/// Invalidates entries of cached functions when the function has changed what they hold.
///
/// ```text
/// #[invalidates(get_user(user_id), get_posts(user_id), self.get_team(team_id))]
/// async fn rename_user(&self, user_id: u64, team_id: u64, name: &str) -> Result<(), DbError> { … }
///
/// #[invalidates(get_user(output.id))]
/// async fn create_user(name: &str) -> Result<User, DbError> { … }
/// ```
///
/// The list names cached functions with the arguments of their `entry`, so the compiler checks path, number
/// and types, and a rename breaks the build instead of the cache. A path means a free function, wherever it
/// stands; `self.f(..)`, `Self::f(..)` and `Type::f(..)` mean a method. The arguments are expressions over
/// those of the function; the body may consume what they were made from. A function with `#[tag]` stands there for
/// every entry under that tag, and `get_posts(..)` for every entry of a function with `all`. In an argument that names `output`, that is
/// a reference to the success value, and the entry is worked out when there is one.
///
/// It acts when the body returned `Ok`, or returned at all where it returns no `Result`; and also, in the
/// background, when the call was dropped or panicked after it had begun, since the change may have been made.
///
/// # Options
///
/// | option | meaning | default |
/// |---|---|---|
/// | `after = "always"` | also when the body returned `Err` | after `Ok` |
/// | `crate = path` | where `millpond` is | `::millpond` |
///
/// # Errors
///
/// Besides those of the arguments: an empty list, something that is not a call, a sync `fn`, an `impl Trait`
/// return (which hides success), an argument that is itself named `output`. "Expected type, found function"
/// at a name means that this function is not `#[cached]`, or has `companion = false`.
///
/// # What it expands to
///
/// `#[invalidates(get_user(user_id), get_org(output.org))]`:
///
/// ```text
#[doc = include_str!("../expansions/invalidates.rs")]
/// ```
#[proc_macro_attribute]
pub fn invalidates(options: TokenStream, item: TokenStream) -> TokenStream {
    let check = model::mutation::check_invalidates;
    let expand = expand::mutation::expand;
    expand::attribute(options.into(), &item.into(), check, expand).into()
}

/// Stores what the function returns in entries of cached functions.
///
/// ```text
/// #[updates(get_user(user.id))]
/// async fn save_user(user: &User) -> Result<User, DbError> { … }
/// ```
///
/// The list is that of `#[invalidates]`, without `output`. The success value must be what the cached function
/// holds, or a `T` where that is an `Option<T>`. It is stored only where nobody else wrote or invalidated
/// since the function was called; else the entry is invalidated.
///
/// The list may name tags and `get_posts(..)` too, which are invalidated, and so may an `#[invalidates]` on the same function.
/// A tag of the entry itself moves in the same step as the entry, so that the stored value is found.
///
/// The only option is `crate = path`, where `millpond` is.
///
/// # Errors
///
/// Those of `#[invalidates]`, and: a function that returns nothing, a value of another type.
///
/// # What it expands to
///
/// `#[updates(get_user(user_id))]`:
///
/// ```text
#[doc = include_str!("../expansions/updates.rs")]
/// ```
#[proc_macro_attribute]
pub fn updates(options: TokenStream, item: TokenStream) -> TokenStream {
    let check = model::mutation::check_updates;
    let expand = expand::mutation::expand;
    expand::attribute(options.into(), &item.into(), check, expand).into()
}

/// Makes a function that gives a tag, by which cached values are invalidated together.
///
/// ```text
/// #[millpond::tag("org:<org_id>")]
/// pub fn org(org_id: OrgId) -> Tag;
///
/// #[cached(prefix = "posts", key = "<org_id>:<page>", tags(org(org_id)))]
/// async fn org_posts(org_id: OrgId, page: u32) -> Result<Vec<Post>, DbError> { … }
///
/// #[invalidates(org(org_id))]                // one command, however many entries
/// async fn rename_org(org_id: OrgId, name: &str) -> Result<(), DbError> { … }
///
/// org::invalidate(org_id).await?;            // by hand
/// ```
///
/// The template is that of a key, and names every argument. Behind it, `crate = path` says where `millpond` is.
///
/// # Errors
///
/// A template that is empty or broken; an argument that is not in it; a body, a receiver, `async`; a missing return
/// type.
///
/// # What it expands to
///
/// ```text
#[doc = include_str!("../expansions/tag.rs")]
/// ```
#[proc_macro_attribute]
pub fn tag(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::tag::expand(options.into(), item.into()).into()
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
/// | `id = user_id` | who is limited, anything with `Display`, and no literal; without it all callers share one budget |
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
/// Attributes that stand together are one decision, whatever names they were imported under: one script takes from
/// all limits or from none, so a caller whom one limit refuses costs the others nothing. The refusal that lasts longest is
/// told. The same limit for two identifiers that turn out equal is checked with the sum. `on_outage` is each
/// attribute's own; those with another `on` are decided separately, the one nearest the function first.
///
/// ```text
/// #[rate_limited(kind = EXPORT, id = user_id)]
/// #[rate_limited(limit = 100, per = "1m")]   // everybody together
/// async fn export(user_id: u64) -> Result<Report, ApiError> { … }
/// ```
///
/// `#[cached]`, or an attribute that wraps the body (`#[instrument]`), between them makes two decisions. On Redis Cluster,
/// where different identifiers are on different nodes, the limits are taken in turn, and given back if a later one
/// refuses; another caller may then be refused meanwhile, but never are too many admitted. `Limiter::and` and
/// `Limiter::and_for` do the same by hand.
///
/// Beside `#[cached]`, the order says what is counted:
///
/// ```text
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
/// both orders. A refusal is not shared: callers who wait for a load that is refused are checked themselves.
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
/// `#[rate_limited(kind = "GENERATION", id = user_id, cost = prompts.len())]` on
/// `async fn generate(user_id: &str, prompts: Vec<String>)`:
///
/// ```text
#[doc = include_str!("../expansions/rate_limited.rs")]
/// ```
#[proc_macro_attribute]
pub fn rate_limited(options: TokenStream, item: TokenStream) -> TokenStream {
    let check = model::limit::check;
    expand::attribute(options.into(), &item.into(), check, expand::limit::expand).into()
}

/// Builds a `Key` by the rules of the attributes, from variables in scope.
///
/// ```text
/// key!("user:<user_id>:posts:<page?>")
/// key!(prefix::PAYMENT, "invoice:<order.id>")
/// key!(crate = my_crate::millpond, "user:<user_id>")
/// ```
///
/// The first segment, up to the first `:`, is the prefix and holds no placeholder; with the path of a constant
/// in front, the whole template is what follows the prefix. Each variable is borrowed.
///
/// # Errors
///
/// Those of a template, and: no prefix, arguments after the template, a variable that is not in scope.
///
/// # What it expands to
///
/// `let key = key!("user:<user_id>:<page?>");`
///
/// ```text
#[doc = include_str!("../expansions/key.rs")]
/// ```
#[proc_macro]
pub fn key(input: TokenStream) -> TokenStream {
    expand::key::expand(input.into()).into()
}
