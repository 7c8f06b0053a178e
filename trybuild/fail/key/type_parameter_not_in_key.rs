use millpond::cached;

#[cached(prefix = "row", key = "<id>")]
async fn load<T: Default>(id: u64) -> Result<T, String> {
    Ok((id, T::default()).1)
}

fn main() {}
