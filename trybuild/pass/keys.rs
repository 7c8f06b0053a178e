//! `key!` over variables in scope.
use millpond::{Key, key};

mod prefix {
    pub const PAYMENT: &str = "payment";
}

struct User {
    id: u64,
    tags: Vec<&'static str>,
}

fn in_a_function<T: std::fmt::Display>(value: &T) -> Key {
    key!("generic:<value>")
}

impl User {
    fn key(&self) -> Key {
        key!("user:<self.id>:tags:<self.tags:sha256>")
    }
}

macro_rules! user_key {
    ($id:expr) => {{
        let id = $id;
        key!("user:<id>")
    }};
}

fn main() {
    let user = User { id: 3, tags: vec!["a"] };
    let page: Option<u32> = None;
    let r#type = "x";
    let _: Key = key!("user:<user.id>:posts");
    let _: Key = key!("user:{<user.id>}:<page?>:<type>",);
    let _: Key = key!(prefix::PAYMENT, "invoice:<user.id>");
    let _: Key = key!(crate = ::millpond, "constant");
    let _: Key = key!("constant:x");
    let _: Key = user.key();
    let _: Key = user_key!(4);
    let _: Key = in_a_function(&3);
}
