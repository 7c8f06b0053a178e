use millpond::cached;

#[cached(prefix = "posts", key = "<id>", tags("all posts"), all, guard = false)]
async fn posts(id: u64) -> u64 {
    id
}

fn main() {}
