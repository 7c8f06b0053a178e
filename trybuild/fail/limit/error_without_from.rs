use millpond::rate_limited;

struct ApiError;

#[rate_limited(kind = "API")]
async fn export(user_id: u64) -> Result<(), ApiError> {
    let _ = user_id;
    Ok(())
}

fn main() {}
