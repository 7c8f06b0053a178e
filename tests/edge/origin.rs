//! The service behind the Worker, which counts who asks it.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Users by id, and how often each path was asked for.
#[derive(Clone, Default)]
pub(crate) struct Origin(Arc<Mutex<Data>>);

#[derive(Default)]
struct Data {
    users: HashMap<u64, String>,
    asked: HashMap<String, usize>,
    /// Whether it answers with an error.
    is_broken: bool,
    /// What the model waits for.
    thinks: Option<oneshot::Receiver<()>>,
}

impl Origin {
    /// Starts it, with Ada as user 1; its address.
    pub(crate) async fn start() -> (Self, String) {
        let origin = Self::default();
        origin.data().users.insert(1, "Ada".to_owned());
        let app = Router::new()
            .route("/users/{id}", get(user).put(rename))
            .route("/model", post(think))
            .with_state(origin.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (origin, address)
    }

    /// How often this path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.data().asked.get(path).copied().unwrap_or_default()
    }

    pub(crate) fn set(&self, id: u64, name: &str) {
        self.data().users.insert(id, name.to_owned());
    }

    pub(crate) fn breaks(&self, is_broken: bool) {
        self.data().is_broken = is_broken;
    }

    /// The next answer of the model takes until this is used.
    pub(crate) fn thinks(&self) -> oneshot::Sender<()> {
        let (done, thinks) = oneshot::channel();
        self.data().thinks = Some(thinks);
        done
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, path: String) -> Result<MutexGuard<'_, Data>, StatusCode> {
        let mut data = self.data();
        *data.asked.entry(path).or_default() += 1;
        if data.is_broken {
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        }
        Ok(data)
    }
}

async fn user(State(origin): State<Origin>, Path(id): Path<u64>) -> Result<String, StatusCode> {
    let data = origin.count(format!("/users/{id}"))?;
    data.users.get(&id).cloned().ok_or(StatusCode::NOT_FOUND)
}

async fn rename(
    State(origin): State<Origin>,
    Path(id): Path<u64>,
    name: String,
) -> Result<StatusCode, StatusCode> {
    origin
        .count(format!("PUT /users/{id}"))?
        .users
        .insert(id, name);
    Ok(StatusCode::NO_CONTENT)
}

async fn think(State(origin): State<Origin>, prompt: String) -> Result<String, StatusCode> {
    let thinks = origin.count("/model".to_owned())?.thinks.take();
    if let Some(thinks) = thinks {
        // A test that is over says nothing.
        let _ = thinks.await;
    }
    Ok(format!("a long answer to {prompt}. ").repeat(100))
}
