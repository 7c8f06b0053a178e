use millpond::cached;

#[cached(prefix = "user", key = "<T>:<id>")]
async fn load<T: Default>(id: u64) -> u64 {
    id
}

fn main() {}
