use millpond::cached;

struct Database;

#[cached(prefix = "user", key = "<id>", skip(database), stale_while_revalidate = "1h")]
async fn get_user(id: u64, database: &Database) -> u64 {
    let _ = database;
    id
}

fn main() {}
