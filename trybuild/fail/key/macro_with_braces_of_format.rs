use millpond::key;

pub fn key_of(user_id: u64) -> millpond::Key {
    let _ = user_id;
    key!("user:{user_id}")
}

fn main() {}
