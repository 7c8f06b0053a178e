use millpond::cached;

#[cached(prefix = "user", skip(pool, pool))]
async fn get_user(user_id: u64, pool: &u8) -> u64 {
    user_id + u64::from(*pool)
}

fn main() {}
