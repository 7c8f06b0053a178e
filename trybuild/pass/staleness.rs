//! Every form of an argument that a load in the background can own, and every receiver.
#![deny(warnings)]
use std::{borrow::Cow, collections::HashMap, fmt::Display, path::Path, sync::Arc, time::Duration};

use millpond::{Millpond, cached};

const WINDOW: Duration = Duration::from_secs(30);

#[derive(Clone)]
struct Pool;

#[cached(prefix = "a", key = "<name>:<part?>:<path:sha256>", skip(pool, list, bytes), stale_while_revalidate = "30s")]
async fn borrowed(
    name: &str,
    part: Option<&str>,
    path: &Path,
    pool: &Pool,
    list: &[u8],
    bytes: &Vec<u8>,
) -> Option<String> {
    let _ = (pool, list, bytes, path);
    part.map(|part| format!("{name} {part}"))
}

#[cached(
    prefix = "b",
    key = "<id>",
    skip(pool, names, shared, word, format, text),
    stale_if_error = WINDOW,
    soft_timeout = "200ms",
    refresh_ahead = "xfetch"
)]
async fn owned<'a>(
    id: u64,
    pool: Arc<Pool>,
    mut names: HashMap<String, u64>,
    shared: &'a Arc<Pool>,
    word: &'static str,
    format: fn(&str) -> String,
    text: Cow<'static, str>,
) -> Result<u64, String> {
    names.insert(format(word) + &text, id);
    drop(pool);
    let _ = shared;
    Ok(names.len() as u64)
}

#[cached(prefix = "c", key = "<id>:<N>:<wanted>", when = wanted, skip(_unused), refresh_ahead = 0.8, companion = false)]
async fn generic<T: Display + Clone + Send + Sync + 'static, const N: usize>(
    id: &T,
    wanted: bool,
    _unused: [u8; N],
) -> String
where
    T: PartialEq,
{
    id.to_string()
}

#[cached(prefix = "d", stale_while_revalidate = "1m", stale_if_error = "1h", guard = false)]
async fn shown(id: impl Display + Send + 'static) -> String {
    id.to_string()
}

#[derive(Clone)]
struct Repo {
    pond: Millpond,
    reads: u64,
}

impl Repo {
    const WINDOW: Duration = Duration::from_secs(60);

    #[cached(prefix = "e", key = "<id>", on = self.pond, skip(self), stale_while_revalidate = Self::WINDOW)]
    pub async fn by_reference(&self, id: u64) -> u64 {
        self.reads + id
    }

    #[cached(prefix = "f", skip(self), stale_if_error = "1h")]
    async fn by_arc(self: Arc<Self>, id: u64) -> Result<u64, String> {
        Ok(self.reads + id)
    }

    #[cached(prefix = "g", key = "<id>", skip(self), refresh_ahead = 0.5)]
    async fn by_value(mut self, id: u64) -> u64 {
        self.reads += 1;
        self.reads + id
    }

    #[cached(prefix = "h", in_impl, stale_while_revalidate = "1m")]
    async fn without(id: u64) -> u64 {
        id
    }
}

/// One that calls itself.
#[cached(prefix = "i", stale_while_revalidate = "1m")]
async fn sum(n: u64) -> u64 {
    if n == 0 { 0 } else { n + again(n - 1).await }
}

fn again(n: u64) -> std::pin::Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(sum(n))
}

fn send<T: Send>(value: T) -> T {
    value
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let pond = Millpond::memory();
    let repo = Repo { pond: pond.clone(), reads: 1 };
    pond.scope(async {
        let path = Path::new("/");
        assert!(send(borrowed("a", Some("b"), path, &Pool, &[], &vec![])).await.is_some());
        let shared = Arc::new(Pool);
        let upper = str::to_uppercase as fn(&str) -> String;
        let owned = owned(1, Arc::clone(&shared), HashMap::new(), &shared, "w", upper, "t".into());
        assert_eq!(send(owned).await, Ok(1));
        assert_eq!(send(generic::<_, 2>(&7, true, [0, 0])).await, "7");
        assert_eq!(shown("x").await, "x");
        assert_eq!(send(repo.by_reference(1)).await, 2);
        assert_eq!(Arc::new(repo.clone()).by_arc(1).await, Ok(2));
        assert_eq!(repo.clone().by_value(1).await, 3);
        assert_eq!(Repo::without(1).await, 1);
        assert_eq!(sum(4).await, 10);
    })
    .await;
}
