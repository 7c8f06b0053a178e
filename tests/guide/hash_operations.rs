use serde::Deserialize;

#[derive(Deserialize)]
struct UserPrefs {
    theme: String,
    language: String,
}

#[tokio::main]
async fn main() -> Result<(), millpond::Error> {
    let prefs = millpond::current().hash("user:123:prefs");
    prefs.set("theme", "dark").await?;
    prefs.set("language", "en").await?;

    let theme: Option<String> = prefs.get("theme").await?;
    assert_eq!(theme.as_deref(), Some("dark"));

    let all: UserPrefs = prefs.get_all().await?.expect("it was set above");
    assert_eq!((all.theme.as_str(), all.language.as_str()), ("dark", "en"));
    Ok(())
}
