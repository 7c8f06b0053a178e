//! `panic = "abort"` on a runtime without timers: there is no panic that could be caught.

use millpond::{cached, invalidates, ErrorKind, Millpond};
use std::time::Duration;

#[cached(prefix = "user", key = "<id>")]
async fn get_user(id: u64) -> Result<u64, String> {
    tokio::task::yield_now().await;
    Ok(id)
}

#[invalidates(get_user(id))]
async fn rename(id: u64) -> Result<(), String> {
    let _ = id;
    Ok(())
}

fn main() {
    let bare = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let pond = Millpond::memory();
    bare.block_on(pond.scope(async {
        // The second call waits for the first.
        let calls = [pond.spawn(get_user(7)), pond.spawn(get_user(7))];
        for call in calls {
            assert_eq!(call.await.unwrap(), Ok(7));
        }
        rename(7).await.unwrap();

        let life = Duration::from_secs(30);
        let guard = pond.lock("lock:x", life).await.unwrap();
        let second = pond
            .lock("lock:x", life)
            .wait(Duration::from_millis(5))
            .await;
        assert_eq!(second.unwrap_err().kind(), ErrorKind::Locked);
        assert!(guard.release().await.unwrap());
    }));
}
