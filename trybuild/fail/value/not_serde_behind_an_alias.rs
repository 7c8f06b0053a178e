use millpond::cached;

pub struct User {
    pub id: u64,
}

type Users = Vec<User>;

#[cached(prefix = "users")]
async fn get_users(team: u64) -> Users {
    vec![User { id: team }]
}

fn main() {}
