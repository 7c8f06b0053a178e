//! The published npm clients and millpond on one database.

mod support;

use millpond_gateway::needs_redis;
use support::{gateway, needs_npm, node};

#[tokio::test]
async fn the_npm_clients_find_in_the_gateway_what_upstash_promises() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let said = node("smoke.mjs", &[], &gateway).await;
    assert!(said.lines().count() >= 20, "only these checks ran:\n{said}");
}
