//! How many callers the counts of a limit name: clients choose their names, so a database must not hold all of them,
//! however many processes count.

mod support;

use millpond::limit::Limit;
use millpond::{Builder, ManualClock, Millpond, Reply};
use millpond_gateway::needs_redis;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use support::gateway;

const LIMIT: Limit = Limit::fixed_window("VISITS", 3, Duration::from_secs(3_600)).under("visits");
const KEY: &str = "visits:events:1767225600000";

fn pond(builder: Builder) -> Millpond {
    let builder = builder.clock(ManualClock::new()).limit_analytics(true);
    let builder = builder.limit_budget(Duration::from_secs(5));
    builder.build().unwrap()
}

/// What is counted: member and number.
async fn counted(pond: &Millpond) -> BTreeMap<String, u64> {
    let reply = pond.command(["ZRANGE", KEY, "0", "-1", "WITHSCORES"]).await;
    let Reply::Array(items) = reply.unwrap() else {
        panic!("members and scores")
    };
    let text = |reply: &Reply| reply.clone().parse::<String>().unwrap();
    let pairs = items.chunks(2);
    pairs
        .map(|pair| (text(&pair[0]), text(&pair[1]).parse().unwrap()))
        .collect()
}

fn names(counted: &BTreeMap<String, u64>) -> BTreeSet<String> {
    let members = counted.keys();
    let name = |member: &String| -> String {
        let member: serde_json::Value = serde_json::from_str(member).unwrap();
        member["identifier"].as_str().unwrap().to_owned()
    };
    let names = members.map(name);
    names.filter(|name| name != "%others").collect()
}

async fn visits(pond: &Millpond, ids: impl IntoIterator<Item = String>) {
    for id in ids {
        pond.limiter(&LIMIT).check(id).await.unwrap();
    }
}

async fn two_processes_name_two_hundred_callers(processes: [Millpond; 2]) {
    let [one, two] = &processes;
    // Each process names the hundred that it sees first; the database has room for those of one.
    visits(one, (0..150).map(|id| format!("one {id}"))).await;
    visits(two, (0..150).map(|id| format!("two {id}"))).await;
    one.flush().await.unwrap();
    two.flush().await.unwrap();
    let first = counted(one).await;
    let of_one: BTreeSet<_> = (0..100).map(|id| format!("one {id}")).collect();
    assert_eq!(names(&first), of_one);
    assert_eq!(first.values().sum::<u64>(), 300, "{first:?}");

    // Those who come often get the other half, from whichever process sees them, and also when they are refused.
    for pond in &processes {
        for _ in 0..6 {
            visits(pond, (0..80).map(|id| format!("often {id}"))).await;
        }
        visits(
            pond,
            (100..180).flat_map(|id| vec![format!("often {id}"); 6]),
        )
        .await;
        pond.flush().await.unwrap();
    }
    let all = counted(one).await;
    let named = names(&all);
    assert_eq!(named.len(), 200, "{named:?}");
    assert_eq!(
        named
            .iter()
            .filter(|name| name.starts_with("often"))
            .count(),
        100
    );
    assert_eq!(all.values().sum::<u64>(), 300 + 2 * 960, "nothing is lost");
    assert!(all.len() <= 402, "{}", all.len());
    // Who has a name keeps it, with both outcomes.
    visits(one, std::iter::repeat_n("one 7".to_owned(), 5)).await;
    one.flush().await.unwrap();
    let after = counted(two).await;
    assert_eq!(names(&after), named);
    let of = |success: bool| {
        let member = format!("{{\"identifier\":\"one 7\",\"success\":{success}}}");
        after.get(&member).copied()
    };
    assert_eq!((of(true), of(false)), (Some(3), Some(3)));
    let left = one.command(["PTTL", KEY]).await.unwrap();
    let left = left.parse::<u64>().unwrap();
    assert!(left > 29 * 24 * 3_600_000, "{left}");
}

#[tokio::test]
async fn two_processes_name_two_hundred_callers_over_rest() {
    let gateway = gateway(needs_redis!()).await;
    let process = || pond(Millpond::builder().upstash(gateway.url(), gateway.token()));
    two_processes_name_two_hundred_callers([process(), process()]).await;
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn two_processes_name_two_hundred_callers_over_resp() {
    let database = needs_redis!().database();
    let process = || pond(Millpond::builder().redis(database.url()));
    two_processes_name_two_hundred_callers([process(), process()]).await;
}

#[tokio::test]
async fn the_embedded_engine_counts_what_redis_counts() {
    let gateway = gateway(needs_redis!()).await;
    let real = pond(Millpond::builder().upstash(gateway.url(), gateway.token()));
    let embedded = pond(Millpond::builder().memory());
    for pond in [&real, &embedded] {
        for round in 0..3 {
            // What somebody else wrote, names with quotes and one that ends as a member does.
            let theirs = [
                "ZINCRBY",
                KEY,
                "2",
                "{\"identifier\":\"npm\",\"success\":\"denied\"}",
            ];
            pond.command(theirs).await.unwrap();
            let odd = ["\"", "a\\", "x\",\"success\":true}", "é 🏔", "%others", "\n"];
            visits(pond, odd.map(String::from)).await;
            visits(pond, (0..60).map(|id| format!("{round} {id}"))).await;
            pond.flush().await.unwrap();
        }
    }
    let (there, here) = (counted(&real).await, counted(&embedded).await);
    assert_eq!(there, here);
    assert_eq!(there.values().sum::<u64>(), 3 * (2 + 6 + 60));
}

/// A service in another language named everybody.
#[tokio::test]
async fn a_set_that_others_have_filled_gets_no_more_names() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(Millpond::builder().upstash(gateway.url(), gateway.token()));
    for id in 0..1_000 {
        let member = format!("{{\"identifier\":\"{id}\",\"success\":true}}");
        pond.command(["ZINCRBY", KEY, "1", &member]).await.unwrap();
    }
    visits(&pond, ["7", "newcomer"].map(String::from)).await;
    pond.flush().await.unwrap();
    let counted = counted(&pond).await;
    let of = |id: &str| {
        let member = format!("{{\"identifier\":\"{id}\",\"success\":true}}");
        counted.get(&member).copied()
    };
    assert_eq!(
        (of("7"), of("newcomer"), of("%others")),
        (Some(2), None, Some(1))
    );
}
