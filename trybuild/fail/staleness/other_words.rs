use millpond::cached;

#[cached(prefix = "user", stale = "1h")]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

#[cached(prefix = "team", stale_on_error = "1h")]
async fn get_team(team_id: u64) -> u64 {
    team_id
}

#[cached(prefix = "post", refresh = 0.8)]
async fn get_post(post_id: u64) -> u64 {
    post_id
}

fn main() {}
