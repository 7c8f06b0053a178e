use millpond::cached;

type Outer<T> = Result<T, std::fmt::Error>;

#[cached(prefix = "user")]
async fn get_user(user_id: u64) -> Outer<Option<Outer<u64>>> {
    Ok(Some(Ok(user_id)))
}

fn main() {}
