use millpond::cached;
use std::rc::Rc;

#[cached(prefix = "user", key = "<id>", skip(names), stale_while_revalidate = "1h")]
async fn get_user(id: u64, names: Rc<str>) -> u64 {
    id + names.len() as u64
}

fn main() {}
