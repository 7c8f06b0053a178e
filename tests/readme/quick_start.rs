use millpond::{cached, invalidates};

#[cached(prefix = "user", ttl = "5m", key = "<id>")]
async fn get_user(id: u64) -> Option<String> {
    println!("asking the database for user {id}");
    Some(format!("user {id}"))
}

#[invalidates(get_user(id))]
async fn rename_user(id: u64, name: &str) -> std::io::Result<()> {
    println!("renaming user {id} to {name}");
    Ok(())
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    get_user(7).await; // asks the database
    get_user(7).await; // answers from the cache
    rename_user(7, "Ada").await?;
    get_user(7).await; // asks again
    Ok(())
}
