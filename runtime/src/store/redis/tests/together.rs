//! Reads that leave together: each of their callers is told at its own time that it is late, and what nobody waits for does
//! not leave.

use super::*;
use std::future::Future;
use tokio::runtime::Runtime;

type Sent = std::pin::Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;

/// Deadlines are kept together as long as they come in order, so that nothing here may wait for less than what came before.
const SHORT: Duration = Duration::from_millis(300);

/// A store whose calls leave together.
async fn gathering() -> (Server, Arc<Redis>) {
    let server = Server::start().await;
    let (store, _) = client(&server.url(), |_| {});
    one(&store, once("SET a 1")).await.unwrap();
    let reads: Vec<_> = queued(&store, |_| SHORT)
        .into_iter()
        .map(tokio::spawn)
        .collect();
    for read in reads {
        read.await.unwrap().unwrap();
    }
    (server, store)
}

/// Reads that wait to leave together, by somebody who has polled each of them once.
fn queued(store: &Arc<Redis>, within: impl Fn(usize) -> Duration) -> Vec<Sent> {
    (0..20)
        .map(|at| {
            let (store, within) = (Arc::clone(store), within(at));
            let sent = async move { send(&store, within, [read("GET a")]).await.remove(0) };
            Box::pin(sent) as Sent
        })
        .collect()
}

fn waiting_bytes(store: &Redis) -> usize {
    let pipeline = store.0.pipelines.current(|| unreachable!()).unwrap();
    pipeline.bytes()
}

async fn poll_once(sent: &mut Sent) {
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(sent.as_mut().poll(cx))).await;
    assert!(polled.is_pending(), "from a server that holds its answers");
}

#[tokio::test]
async fn each_of_those_who_leave_together_is_late_at_its_own_time() {
    let (server, store) = gathering().await;
    server.hold();
    // Later ones have more time, then less: those have timers of their own.
    for within in [|at: u64| 300 + 2 * at, |at: u64| 400 - 2 * at] {
        let reads = queued(&store, |at| Duration::from_millis(within(at as u64)));
        let began = std::time::Instant::now();
        let reads: Vec<_> = reads.into_iter().map(tokio::spawn).collect();
        for (at, read) in reads.into_iter().enumerate() {
            let error = tokio::time::timeout(LONG, read).await.expect("it is told");
            let error = error.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout);
            let (own, text) = (within(at as u64), error.to_string());
            // Who is last may learn it from the exchange, which ends then.
            let is_told = text.contains(&format!("no answer within {own}ms"));
            let is_last = (0..20).all(|at| within(at) <= own);
            assert!(
                is_told || is_last && text.contains("did not answer in time"),
                "{text}"
            );
            assert!(began.elapsed() >= Duration::from_millis(own));
        }
    }
    let next = spawn(&store, read("GET a"));
    server.release();
    assert_eq!(next.await.unwrap().unwrap(), bulk(b"1"));
    // Their deliveries end a little later than their callers.
    let is_over = async {
        while waiting_bytes(&store) > 0 {
            tokio::task::yield_now().await;
        }
    };
    let is_over = tokio::time::timeout(LONG, is_over).await;
    is_over.expect("nothing is kept of them");
}

#[tokio::test]
async fn who_goes_away_before_it_leaves_asks_for_nothing() {
    let (server, store) = gathering().await;
    server.hold();
    let mut reads = queued(&store, |_| LONG);
    for read in &mut reads {
        poll_once(read).await;
    }
    let kept = reads.split_off(15);
    let before = server.log().len();
    drop(reads);
    server.release();
    for read in kept {
        assert_eq!(read.await.unwrap(), bulk(b"1"));
    }
    let asked = server.log().len() - before;
    assert_eq!(asked, 5);
}

fn current_thread() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// Its runtime is not driven any more, so nothing there can tell it.
#[test]
fn who_waits_on_a_runtime_that_stands_still_is_late_elsewhere() {
    let here = current_thread();
    let (server, store, mut reads) = here.block_on(async {
        let (server, store) = gathering().await;
        server.hold();
        let mut reads = queued(&store, |_| SHORT);
        for read in &mut reads {
            poll_once(read).await;
        }
        (server, store, reads)
    });
    let last = reads.pop().unwrap();
    let error = current_thread().block_on(async {
        let late = tokio::time::timeout(LONG, last).await;
        late.expect("it is told").unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Timeout);
    here.block_on(async {
        server.release();
        assert_eq!(one(&store, read("GET a")).await.unwrap(), bulk(b"1"));
    });
}
