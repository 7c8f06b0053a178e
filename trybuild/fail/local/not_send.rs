use std::rc::Rc;

use millpond::cached;

#[cached(local = "only")]
fn get_user(id: u64) -> Rc<u64> {
    Rc::new(id)
}

fn main() {}
