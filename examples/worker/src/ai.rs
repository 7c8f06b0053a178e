//! Answers of a model, cached under the hash of the prompt. (The guide's `cachedAICall`.)
//!
//! Requests at the edge share nothing in the process, so those that ask the same at the same time ask the model each.
//! With the feature `one-load`, one of them asks for all.

use crate::answer::{self, Answer};
use crate::origin::{Origin, OriginError};
use millpond::cached;

#[cfg_attr(not(feature = "one-load"), cached(prefix = "ai", ttl = "1h", key = "<prompt:sha256>", skip(origin), compress))]
#[cfg_attr(
    feature = "one-load",
    cached(prefix = "ai", ttl = "1h", key = "<prompt:sha256>", skip(origin), compress, flight = "cluster")
)]
async fn ask(origin: &Origin, prompt: &str) -> Result<String, OriginError> {
    let answer = origin.send("POST", "/model", Some(prompt)).await?;
    answer.ok_or_else(|| OriginError("there is no model".to_owned()))
}

pub async fn respond(origin: &Origin, prompt: &str) -> Answer {
    match ask(origin, prompt).await {
        Ok(text) => answer::text(200, &text),
        Err(OriginError(what)) => answer::text(502, &what),
    }
}
