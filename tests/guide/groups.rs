use millpond::{Tag, cached, invalidates};

#[millpond::tag("org:<org_id>")]
fn org(org_id: u64) -> Tag;

// Every page of every list of an organisation, without a list of the pages.
#[cached(prefix = "posts", key = "<org_id>:<page>", tags(org(org_id)), all)]
async fn org_posts(org_id: u64, page: u32) -> Vec<String> {
    vec![format!("post of {org_id} on page {page}")]
}

// One command, however many pages are cached.
#[invalidates(org(org_id))]
async fn rename_org(org_id: u64, _name: &str) -> Result<(), std::io::Error> {
    Ok(())
}

// Every post of an author, who is known from the post alone.
#[millpond::tag("~author:<name>")]
fn author(name: &str) -> Tag;

#[cached(prefix = "post", key = "<id>", tags_of = |names: &Vec<String>| names.iter().map(|name| author(name)).collect::<Vec<_>>())]
async fn authors_of(id: u64) -> Vec<String> {
    vec![format!("author {id}"), "Ada".to_owned()]
}

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    let loads = || millpond::current().stats().prefix("posts").loads;
    org_posts(7, 1).await;
    org_posts(7, 2).await;
    org_posts(8, 1).await;
    rename_org(7, "Ada & Co").await.expect("the database answers");
    org_posts(7, 1).await;
    org_posts(8, 1).await;
    assert_eq!(loads(), 4); // the page of the other organisation was a hit

    org::invalidate(7).await?; // by hand
    org_posts::invalidate_all().await?; // every page of every organisation
    org_posts(8, 1).await;
    assert_eq!(loads(), 5);

    authors_of(1).await;
    author::invalidate("Ada").await?; // all that she has written
    authors_of(1).await;
    assert_eq!(millpond::current().stats().prefix("post").loads, 2);
    Ok(())
}
