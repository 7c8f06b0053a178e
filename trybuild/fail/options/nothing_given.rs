use millpond::cached;

#[cached]
async fn fetch_session(session_id: u64) -> u64 {
    session_id
}

fn main() {}
