//! The future is `Send` where the body's is, and may be neither.
use std::{cell::Cell, rc::Rc};

use millpond::{cached, invalidates, updates};

#[cached(prefix = "send")]
async fn send(id: &str) -> Result<String, std::rc::Weak<u8>> {
    Ok(id.to_owned())
}

#[cached(prefix = "sends")]
async fn sends(id: &str, more: String) -> Result<String, String> {
    tokio::task::yield_now().await;
    Ok(id.to_owned() + &more)
}

#[cached(prefix = "local", skip(cell))]
async fn local(id: u64, cell: Rc<Cell<u64>>) -> u64 {
    cell.set(id);
    tokio::task::yield_now().await;
    cell.get()
}

#[invalidates(sends(id, String::new()))]
async fn rename(id: &str) -> Result<(), String> {
    tokio::task::yield_now().await;
    drop(id.to_owned());
    Ok(())
}

#[updates(sends(id, String::new()))]
async fn replace(id: &str) -> Result<String, String> {
    tokio::task::yield_now().await;
    Ok(id.to_owned())
}

fn assert_send<T: Send>(value: T) {
    drop(value);
}

fn main() {
    assert_send(sends("a", String::new()));
    assert_send(millpond::refresh(sends("a", String::new())));
    assert_send(rename("a"));
    assert_send(replace("a"));
    drop((send("a"), local(1, Rc::default())));
}
