use millpond::cached;

#[cached(prefix = "user", refresh_ahead = 80)]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

#[cached(prefix = "team", refresh_ahead = 0)]
async fn get_team(team_id: u64) -> u64 {
    team_id
}

#[cached(prefix = "post", refresh_ahead = 1.0)]
async fn get_post(post_id: u64) -> u64 {
    post_id
}

#[cached(prefix = "page", refresh_ahead = "fetch")]
async fn get_page(page_id: u64) -> u64 {
    page_id
}

fn main() {}
