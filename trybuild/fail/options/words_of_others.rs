use millpond::cached;

#[cached(namespace = "user", template = "<user_id>", max_age = 60, cache_null = false, client = pond)]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

#[cached(prefix = "page", expiry = "5m", ignore_args(pool), only_if = page > 1, sync_writes = true, gzip)]
async fn get_page(page: u64, pool: u64) -> u64 {
    page + pool
}

fn main() {}
