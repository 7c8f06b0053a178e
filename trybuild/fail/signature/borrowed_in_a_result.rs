use millpond::cached;

#[cached(prefix = "user")]
async fn get_user(names: &[u64]) -> Result<Option<&[u64]>, String> {
    Ok(Some(names))
}

fn main() {}
