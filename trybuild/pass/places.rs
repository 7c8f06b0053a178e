//! In nested modules, in function bodies, from a `macro_rules!`, and twice with one prefix.
use millpond::{cached, invalidates};

mod outer {
    pub mod inner {
        use millpond::cached;

        #[cached(prefix = "user")]
        pub async fn get_user(id: u64) -> u64 {
            id
        }

        #[cached(prefix = "user", key = "<id>:posts")]
        pub(in crate::outer) async fn get_posts(id: u64) -> Vec<u64> {
            vec![id]
        }

        #[cached(prefix = "secret")]
        pub(super) async fn secret(id: u64) -> u64 {
            id
        }
    }

    pub use inner::{get_user, invalidate_user};

    pub async fn all(id: u64) -> usize {
        let _ = invalidate_user!(id).await;
        let _ = inner::get_posts::invalidate(id).await;
        inner::get_posts(id).await.len() + usize::try_from(inner::secret(id).await).unwrap_or_default()
    }
}

mod importer {
    use crate::outer::invalidate_user;

    pub async fn forget(id: u64) {
        let _ = invalidate_user!(id).await;
    }
}

#[invalidates(outer::get_user(id), outer::inner::get_user(id + 1), crate::outer::get_user(id))]
async fn rename(id: u64) {
    let _ = id;
}

async fn in_a_body(id: u64) -> u64 {
    #[cached(prefix = "local")]
    async fn get_local(id: u64) -> u64 {
        id
    }

    #[cached(prefix = "public")]
    pub async fn get_public(id: u64) -> u64 {
        id
    }

    #[invalidates(get_local(id), get_public(id))]
    async fn forget(id: u64) {
        let _ = id;
    }

    forget(id).await;
    let _ = invalidate_local!(id).await;
    let _ = invalidate_public!(id).await;
    get_local(id).await
}

macro_rules! lookups {
    ($($name:ident($argument:ident: $ty:ty) -> $output:ty = $prefix:literal, $ttl:expr;)*) => {
        $(
            #[cached(prefix = $prefix, ttl = $ttl, key = "<id>:<fixed>", skip($argument))]
            async fn $name(id: u64, fixed: bool, $argument: $ty) -> $output {
                let _ = fixed;
                <$output>::from(id + u64::from($argument))
            }
        )*
    };
}

lookups! {
    first(extra: u8) -> u64 = "first", "5m";
    second(extra: u32) -> u64 = "second", std::time::Duration::from_secs(9);
}

fn main() {
    drop((rename(1), in_a_body(2), outer::all(3), importer::forget(4)));
    drop((first(1, true, 2), second(2, false, 3), first::entry(1, true), invalidate_second!(1, false)));
}
