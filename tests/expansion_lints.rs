//! No lint fires in a user's crate because of what the attributes write, even where it is forbidden
//! and cannot be allowed. That this file compiles, under clippy too, is the test.

mod types {
    #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
    pub struct User {
        pub id: u64,
    }
}

/// Nothing but the functions is used: what stands beside them is dead.
// What `inventory` writes has an `allow` of its own, which `forbid(warnings)` refuses.
#[cfg_attr(not(feature = "catalogue"), forbid(warnings))]
#[cfg_attr(feature = "catalogue", deny(warnings))]
#[forbid(
    unused,
    dead_code,
    unused_macros,
    unused_imports,
    non_camel_case_types,
    unreachable_pub,
    unreachable_code,
    unnameable_types,
    missing_docs,
    missing_debug_implementations,
    missing_copy_implementations,
    elided_lifetimes_in_paths,
    single_use_lifetimes,
    unused_lifetimes,
    unused_qualifications,
    redundant_lifetimes,
    let_underscore_drop,
    unused_results,
    non_local_definitions,
    unsafe_code,
    clippy::all,
    clippy::pedantic,
    clippy::nursery
)]
pub mod forbidding {
    use std::{fmt::Display, sync::Arc};

    use millpond::{Key, RateLimited, cached, invalidates, key, rate_limited, updates};
    use serde::{Serialize, de::DeserializeOwned};

    use crate::types::User;

    /// An extractor.
    #[derive(Clone, Copy, Debug)]
    pub struct Path<T>(
        /// What it extracts.
        pub T,
    );

    /// What goes wrong.
    #[derive(Clone, Copy, Debug)]
    pub struct DbError;

    /// Public, so its macro is exported.
    ///
    /// # Errors
    /// None.
    #[cached(prefix = "user", key = "<user_id>")]
    pub async fn get_user(user_id: String) -> Result<Option<User>, DbError> {
        if user_id.is_empty() {
            return Err(DbError);
        }
        Ok(user_id.parse().ok().map(|id| User { id }))
    }

    #[cached(prefix = "page", key = "<id>", skip(lang), unless = Vec::is_empty)]
    async fn get_page(Path(id): Path<u64>, lang: &str) -> Vec<String> {
        vec![format!("{id}{lang}")]
    }

    #[cached(prefix = "never_invalidated", version = 2, null = false)]
    async fn person(mut person: u64, other: impl Display + Send) -> Option<u64> {
        person += 1;
        other
            .to_string()
            .parse::<u64>()
            .ok()
            .map(|other| other + person)
    }

    #[cached(prefix = "generic", skip(T, N))]
    async fn generic<T: Serialize + DeserializeOwned + Default, const N: usize>(
        id: u64,
    ) -> (T, u64) {
        (T::default(), id + u64::try_from(N).unwrap_or_default())
    }

    /// A store.
    #[derive(Clone, Copy, Debug)]
    pub struct Store {
        tenant: u64,
    }

    impl Store {
        /// Of tenant 1.
        #[must_use]
        pub const fn new() -> Self {
            Self { tenant: 1 }
        }

        /// Reads the tenant.
        #[cached(prefix = "store", key = "<self.tenant>:<id>")]
        pub async fn get(&self, id: String) -> u64 {
            self.tenant + id.parse::<u64>().unwrap_or_default()
        }

        #[cached(prefix = "shared", key = "<id>", skip(self))]
        async fn shared(self: Arc<Self>, id: &u64) -> u64 {
            self.tenant + id
        }

        #[cached(prefix = "plain", in_impl)]
        async fn plain(id: u64) -> u64 {
            id
        }

        /// Changes something.
        #[invalidates(self.get(id.clone()), Self::plain(*output))]
        pub async fn change(&mut self, id: String) -> u64 {
            self.tenant += 1;
            drop(id);
            self.tenant
        }
    }

    impl Default for Store {
        fn default() -> Self {
            Self::new()
        }
    }

    /// Changes a user.
    ///
    /// # Errors
    /// None.
    #[invalidates(get_user(user_id.to_owned()), get_page(Path(output.id)), after = "always")]
    pub async fn rename(user_id: &str) -> Result<User, DbError> {
        get_user(user_id.to_owned()).await?.ok_or(DbError)
    }

    /// Replaces a user.
    ///
    /// # Errors
    /// None.
    #[updates(get_user(user_id.to_owned()))]
    pub async fn replace(user_id: &str) -> Result<User, DbError> {
        rename(user_id).await
    }

    impl From<RateLimited> for DbError {
        fn from(_: RateLimited) -> Self {
            Self
        }
    }

    /// Limited by everything.
    ///
    /// # Errors
    /// When it is called too often.
    #[rate_limited(kind = "API", id = user_id, on_outage = "allow")]
    #[rate_limited(limit = 5, per = "1h", id = format!("{user_id}"), cost = parts.len())]
    #[rate_limited(limit = millpond::limit::PUBLIC, cost = 2)]
    pub async fn limited(user_id: &str, parts: Vec<u64>) -> Result<u64, DbError> {
        drop(user_id.to_owned());
        Ok(parts.into_iter().sum())
    }

    /// A key.
    #[must_use]
    pub fn user_key(id: u64, page: Option<u32>) -> Key {
        key!("user:<id>:<page?>")
    }

    /// Uses the private ones.
    pub async fn all(store: Store) -> u64 {
        let pages = get_page(Path(1), "en").await;
        let (one, two) = generic::<u64, 3>(1).await;
        let person = person(3, 4).await.unwrap_or_default();
        let shared = Arc::new(store).shared(&4).await + Store::plain(5).await;
        one + two + person + shared + u64::try_from(pages.len()).unwrap_or_default()
    }
}

#[tokio::test]
async fn what_is_forbidden_everywhere_else_runs() {
    use forbidding::{Store, all, limited, rename, replace, user_key};

    millpond::Millpond::memory()
        .scope(async {
            assert_eq!(all(Store::new()).await, 1 + 3 + 8 + 5 + 5 + 1);
            assert_eq!(rename("7").await.map(|user| user.id).unwrap(), 7);
            assert!(replace("x").await.is_err());
            assert_eq!(Store::new().change("3".to_owned()).await, 2);
            assert_eq!(Store::new().get("3".to_owned()).await, 4);
            assert_eq!(limited("3", vec![1, 2]).await.unwrap(), 3);
            assert_eq!(user_key(4, None).as_str(), "user:4:%-");
        })
        .await;
}
