use millpond::cached;

#[tokio::test]
#[cached(prefix = "works")]
async fn it_works() -> u64 {
    7
}

fn main() {}
