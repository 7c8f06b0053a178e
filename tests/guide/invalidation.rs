use millpond::{Lookup, cached, invalidates};

#[cached(prefix = "post", key = "<post_id>")]
async fn post(post_id: u64) -> Option<String> {
    Some("text".to_owned())
}

#[cached(prefix = "user", key = "<user_id>:posts")]
async fn user_posts(user_id: u64) -> Vec<u64> {
    vec![7]
}

// GOOD: what the mutation changes, and what is related, stands on the mutation.
#[invalidates(post(post_id), user_posts(user_id))]
async fn delete_post(post_id: u64, user_id: u64) -> Result<(), std::io::Error> {
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    post(7).await;
    user_posts(42).await;
    delete_post(7, 42).await.expect("the database answers");
    assert_eq!(post::entry(7).get().await?, Lookup::Miss);
    assert_eq!(user_posts::entry(42).get().await?, Lookup::Miss);

    // AVOID, unless there is no other way: millpond::current().invalidate_pattern("user:*").await?
    Ok(())
}
