//! `local = "only"`, wherever a function can stand.
#![deny(unused)]

use std::{cell::Cell, fmt::Display, sync::Arc};

use millpond::{cached, invalidates, updates};

/// Not `Serialize`.
#[derive(Clone)]
pub struct Handler(fn(u64) -> u64);

pub type Res<T> = Result<T, Error>;

/// Neither `Send` nor `Clone`.
pub struct Error(#[allow(dead_code)] std::rc::Rc<u8>);

#[cached(local = "only")]
pub fn handler(id: u64) -> Handler {
    let _ = id;
    Handler(|n| n + 1)
}

#[cached(local = "only", key = "<id>", skip(log))]
pub async fn shared(id: u64, log: &mut Vec<u64>) -> Res<Option<Arc<Handler>>> {
    tokio::task::yield_now().await;
    log.push(id);
    Ok(Some(Arc::new(Handler(|n| n))))
}

#[cached(local = "only", key = "<text>")]
fn unsized_text(text: &str) -> Arc<str> {
    text.into()
}

#[cached(local = "only", skip(cell))]
async fn not_send(id: u64, cell: std::rc::Rc<Cell<u64>>) -> u64 {
    tokio::task::yield_now().await;
    cell.set(id);
    id
}

#[cached(local = "only", key = "<id>", companion = false, null = false, jitter = 0.5, flight = "off")]
fn alone<T: Display + ?Sized>(id: &T) -> Option<String> {
    Some(id.to_string())
}

#[cached(local = "only", skip(value, T))]
fn generic<T: Clone + Send + Sync + 'static>(id: u64, value: T) -> T {
    let _ = id;
    value
}

struct Repo<'a>(&'a str);

trait Names {
    fn name(&self, id: u64) -> String;
}

impl Names for Repo<'_> {
    #[cached(local = "only", key = "<self.0>:<id>", companion = false)]
    fn name(&self, id: u64) -> String {
        format!("{} {id}", self.0)
    }
}

impl Repo<'_> {
    #[cached(local = "only", key = "<self.0>:<id>", all)]
    pub fn find(&mut self, id: u64) -> Option<u64> {
        Some(id)
    }

    #[cached(local = "only", prefix = "made")]
    fn made(id: u64) -> Result<Self, String>
    where
        Self: 'static,
    {
        Err(id.to_string())
    }
}

impl Clone for Repo<'_> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

#[invalidates(shared(id), handler(id))]
async fn change(id: u64) {
    let _ = id;
}

#[updates(unsized_text("a"))]
async fn replace(to: &str) -> Arc<str> {
    to.into()
}

mod elsewhere {
    use super::{invalidate_handler, invalidate_shared};

    pub async fn remove(id: u64) -> Result<(), millpond::Error> {
        drop(invalidate_handler!(id));
        invalidate_shared!(id).await
    }
}

fn assert_send<T: Send>(value: T) {
    drop(value);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!((handler(1).0)(1), 2);
    let mut log = Vec::new();
    for _ in 0..2 {
        assert!(matches!(shared(1, &mut log).await, Ok(Some(_))));
    }
    assert_eq!(log, [1]);
    assert_eq!(&*unsized_text("a"), "a");
    assert_eq!(&*replace("b").await, "b");
    assert_eq!(&*unsized_text("a"), "b");
    assert_eq!(not_send(1, std::rc::Rc::default()).await, 1);
    assert_eq!(alone("x").as_deref(), Some("x"));
    assert_eq!(generic(1, 'c'), 'c');
    let mut repo = Repo("r");
    assert_eq!(repo.name(1), "r 1");
    assert_eq!(repo.find(1), Some(1));
    drop(repo.find_entry(1).invalidate());
    drop(repo.find_all().invalidate());
    assert!(Repo::made(1).is_err());
    change(1).await;
    elsewhere::remove(1).await.unwrap();
    assert_send(change(1));
    assert_send(replace("c"));
}
