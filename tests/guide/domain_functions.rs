/// What `lib/cache/generation-cache.ts` of the guide becomes.
mod generation_cache {
    use millpond::{Lookup, cached, prefix};
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct GenerationResult {
        pub id: String,
        pub url: String,
    }

    /// `getGenerationWithCache`
    #[cached(prefix = prefix::GENERATION, ttl = "extended", key = "<id>")]
    pub async fn generation(id: &str) -> Result<GenerationResult, std::io::Error> {
        Ok(GenerationResult {
            id: id.to_owned(),
            url: format!("https://example.com/{id}.png"),
        })
    }

    /// `cacheGenerationResult`
    pub async fn store(result: &GenerationResult) -> Result<(), millpond::Error> {
        generation::entry(&result.id).put(result).await
    }

    /// `getCachedGeneration`
    pub async fn stored(id: &str) -> Result<Option<GenerationResult>, millpond::Error> {
        generation::entry(id).get().await.map(Lookup::into_value)
    }
}

use generation_cache::{GenerationResult, generation, store, stored};

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    assert_eq!(stored("a1").await?, None);
    let result = generation("a1").await.expect("the model answers");
    assert_eq!(stored("a1").await?, Some(result));

    let better = GenerationResult {
        id: "a1".to_owned(),
        url: "https://example.com/better.png".to_owned(),
    };
    store(&better).await?;
    assert_eq!(generation("a1").await.expect("it is cached"), better);
    generation::invalidate("a1").await?; // invalidateGenerationCache
    assert_eq!(stored("a1").await?, None);
    Ok(())
}
