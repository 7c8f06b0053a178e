//! The example service of `examples/axum_api.rs`, run as a reader of it runs it.

use super::example::executable;
use super::process::CONFIGURATION;
use reqwest::{Client, Response, StatusCode};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A process of it. It ends with its owner.
pub(crate) struct Service {
    pub(crate) url: String,
    pub(crate) client: Client,
    _process: Child,
}

impl Service {
    /// Starts it on a free port, with nothing configured but this.
    pub(crate) async fn start(environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(executable("axum_api"));
        for name in CONFIGURATION {
            command.env_remove(name);
        }
        let mut process = command
            .env("ADDRESS", "127.0.0.1:0")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines
            .next_line()
            .await
            .unwrap()
            .expect("the example says where it listens");
        let url = line.strip_prefix("listening on ").expect(&line).to_owned();
        Self {
            url,
            client: Client::new(),
            _process: process,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        let response = self
            .client
            .get(format!("{}{path}", self.url))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.text().await.unwrap()
    }

    /// Asks for a picture, of which a user gets ten a minute.
    pub(crate) async fn draw(&self, user: &str) -> Response {
        let request = self
            .client
            .post(format!("{}/images", self.url))
            .header("x-user", user);
        request.send().await.unwrap()
    }

    /// Gives user 1 another name.
    pub(crate) async fn rename(&self, name: &str) -> StatusCode {
        let rename = self
            .client
            .put(format!("{}/users/1", self.url))
            .header("content-type", "application/json")
            .body(format!(r#"{{"name":"{name}"}}"#));
        rename.send().await.unwrap().status()
    }
}
