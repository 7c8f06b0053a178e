use millpond::key;

const PREFIX: &str = "user:posts";

pub fn key_of(id: u64) -> millpond::Key {
    key!(PREFIX, "<id>")
}

fn main() {}
