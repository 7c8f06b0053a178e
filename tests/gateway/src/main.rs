//! Starts a Redis and a gateway in front of it, to try a client by hand.

use millpond_gateway::{Gateway, Options, RedisServer};
use std::io;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    if !RedisServer::available() {
        return Err(io::Error::other(
            "redis-server is not on the PATH; tests/run installs it",
        ));
    }
    let port = std::env::args()
        .nth(1)
        .map_or(Ok(0), |port| port.parse())
        .map_err(io::Error::other)?;
    let redis = RedisServer::start()?;
    let database = redis.database();
    let gateway = Gateway::start_with(
        &database,
        Options {
            port,
            ..Options::default()
        },
    )
    .await?;
    println!("export UPSTASH_REDIS_REST_URL={}", gateway.url());
    println!("export UPSTASH_REDIS_REST_TOKEN={}", gateway.token());
    println!("# the Redis behind it: {}", database.url());
    println!("# Ctrl-C ends both");
    tokio::signal::ctrl_c().await
}
