//! Answers of a language model that are asked for again cost nothing: cached under the hash of the prompt
//! and its parameters, compressed, and limited only where the model would really be called.
//!
//! `cargo run --example ai_responses` uses the embedded engine and a model that is made up. With
//! `UPSTASH_REDIS_REST_URL` and `UPSTASH_REDIS_REST_TOKEN` set the answers go to that database, and a second
//! run finds them.

use millpond::{Millpond, RateLimited, cached, rate_limited};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What the answer depends on. All of it is hashed into the key, whatever it holds and however long it is.
#[derive(Clone, Serialize)]
struct Request<'a> {
    model: &'a str,
    prompt: &'a str,
    temperature: f32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Answer {
    text: String,
    tokens: u32,
}

#[derive(Debug)]
enum AiError {
    /// The model refused or failed; that is not cached.
    Model(&'static str),
    Limited(RateLimited),
}

impl From<RateLimited> for AiError {
    fn from(refusal: RateLimited) -> Self {
        Self::Limited(refusal)
    }
}

/// Tokens that were paid for.
static TOKENS: AtomicU32 = AtomicU32::new(0);

/// The model: it takes its time, and money.
async fn call_model(request: &Request<'_>) -> Result<Answer, AiError> {
    if request.prompt.trim().is_empty() {
        return Err(AiError::Model("the prompt is empty"));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let sentence = format!("{} has thought about “{}”. ", request.model, request.prompt);
    let answer = Answer {
        text: sentence.repeat(100),
        tokens: 1_000,
    };
    TOKENS.fetch_add(answer.tokens, Ordering::Relaxed);
    Ok(answer)
}

// The limit stands above the cache, so it counts misses: ten calls of the model a minute for each user.
#[rate_limited(kind = "GENERATION", id = user_id)]
#[cached(
    prefix = "ai",
    ttl = "1h",
    key = "<request:sha256>",
    skip(user_id),
    compress
)]
async fn ask(user_id: u64, request: Request<'_>) -> Result<Answer, AiError> {
    call_model(&request).await
}

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    let pond = Millpond::from_env()?;
    millpond::install(pond.clone())?;
    let sky = Request {
        model: "pond-1",
        prompt: "Why is the sky blue?",
        temperature: 0.2,
    };

    println!("key: {}", ask::entry(sky.clone()).key());
    let first = ask(1, sky.clone()).await.expect("the model answers");
    let again = ask(2, sky.clone()).await.expect("the answer is cached");
    println!("the same answer: {}", first == again);
    println!("tokens paid for: {}", TOKENS.load(Ordering::Relaxed));

    // Other parameters, another answer.
    let warmer = Request {
        temperature: 0.9,
        ..sky.clone()
    };
    ask(1, warmer).await.expect("the model answers");
    println!("tokens paid for: {}", TOKENS.load(Ordering::Relaxed));

    let empty = Request {
        prompt: " ",
        ..sky.clone()
    };
    match ask(1, empty).await {
        Err(AiError::Model(what)) => println!("not cached: {what}"),
        other => println!("unexpected: {other:?}"),
    }

    // A user who wants too much at once is refused; what is cached is still answered.
    let mut refused = 0;
    for n in 0..12 {
        let prompt = format!("Tell me fact number {n}.");
        let request = Request {
            prompt: &prompt,
            ..sky.clone()
        };
        if let Err(AiError::Limited(refusal)) = ask(3, request).await {
            refused += 1;
            if refused == 1 {
                println!("{refusal}");
            }
        }
    }
    println!("refused: {refused} of 12");
    let cached = ask(3, sky.clone()).await;
    println!("answered from the cache all the same: {}", cached.is_ok());

    let explanation = pond.explain(ask::entry(sky).key()).await?;
    println!("\n{explanation}");
    Ok(())
}
