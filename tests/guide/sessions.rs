use millpond::{SessionId, ttl};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Session {
    user_id: Option<u64>,
}

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    // Hashed: the database holds no id. It ends after a day without use, and after a week in any case. Also:
    // `.encrypted()`.
    let sessions = millpond::current()
        .sessions::<Session>(ttl::EXTENDED)
        .hashed()
        .sliding()
        .absolute(ttl::WEEK);
    let id = sessions.create(&Session { user_id: None }).await?; // createSession

    // At login another id, so that one that somebody planted is worth nothing.
    let id = sessions
        .rotate(&id)
        .await?
        .expect("it was there a moment ago");
    sessions.update(&id, &Session { user_id: Some(7) }).await?;

    let cookie = id.as_str().to_owned();
    let id: SessionId = cookie.parse()?; // checked; never shown in logs
    assert_eq!(sessions.get(&id).await?, Some(Session { user_id: Some(7) })); // getSession
    assert!(sessions.destroy(&id).await?);
    Ok(())
}
