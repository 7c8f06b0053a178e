use millpond::cached;

#[cached(
    prefix = "posts",
    key = "<id>",
    tags("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17:<id>")
)]
async fn posts(id: u64) -> u64 {
    id
}

fn main() {}
