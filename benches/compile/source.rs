//! The functions that are compiled. Each looks a user up and returns `Result<Option<UserN>, DbError>`.

use std::fmt::{self, Display, Write};

pub(crate) const FUNCTIONS: usize = 200;

/// What stands above each function.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Plain,
    Millpond,
    Cached,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Millpond, Self::Cached];

    /// What the crate of this kind depends on, beside serde.
    pub(crate) fn dependency(self, repository: &str) -> String {
        match self {
            Self::Plain => String::new(),
            Self::Millpond => format!(
                "millpond = {{ path = {:?} }}",
                format!("{repository}/runtime")
            ),
            Self::Cached => {
                "cached = { version = \"4.1\", features = [\"redis_tokio\"] }".to_owned()
            }
        }
    }

    fn attribute(self, number: usize) -> String {
        match self {
            Self::Plain => String::new(),
            Self::Millpond => {
                format!(
                    "#[millpond::cached(prefix = \"user{number}\", ttl = \"long\", key = \"<id>\")]"
                )
            }
            Self::Cached => "#[cached::macros::concurrent_cached(redis = true, ttl_secs = 3600, \
                             map_error = |error| DbError(format!(\"{error:?}\")))]"
                .to_owned(),
        }
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Millpond => "millpond",
            Self::Cached => "cached 4.1, Redis",
        })
    }
}

/// How many functions return the same type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Types {
    Own,
    Shared,
}

impl Types {
    const fn functions_of_one(self) -> usize {
        match self {
            Self::Own => 1,
            Self::Shared => 10,
        }
    }
}

impl Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "each with a type of its own",
            Self::Shared => "ten for each type",
        })
    }
}

/// The text of the crate. An async function is compiled only where something polls it, so each has a
/// caller that answers in JSON and is boxed, as a handler behind a router.
pub(crate) fn text(kind: Kind, types: Types) -> Result<String, fmt::Error> {
    let mut text = String::from(HEAD);
    for number in 0..FUNCTIONS.div_ceil(types.functions_of_one()) {
        write!(
            text,
            "
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User{number} {{
    pub id: u64,
    pub name: String,
    pub email: Option<String>,
    pub roles: Vec<String>,
    pub active: bool,
    pub visits: u32,
}}
"
        )?;
    }
    for number in 0..FUNCTIONS {
        let attribute = kind.attribute(number);
        let user = number / types.functions_of_one();
        write!(
            text,
            "
{attribute}
pub async fn get_user_{number}(id: u64) -> Result<Option<User{user}>, DbError> {{
    let Some(name) = find(id).await? else {{
        return Ok(None);
    }};
    Ok(Some(User{user} {{
        id,
        name,
        email: None,
        roles: Vec::new(),
        active: true,
        visits: 0,
    }}))
}}

pub fn handle_{number}(id: u64) -> Answer<String> {{
    Box::pin(async move {{
        let user = get_user_{number}(id).await?;
        serde_json::to_string(&user).map_err(|error| DbError(error.to_string()))
    }})
}}
"
        )?;
    }
    Ok(text)
}

const HEAD: &str = "\
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::pin::Pin;

#[derive(Clone, Debug)]
pub struct DbError(pub String);

impl std::fmt::Display for DbError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DbError {}

pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, DbError>> + Send>>;

pub fn find(id: u64) -> Answer<Option<String>> {
    Box::pin(std::future::ready(Ok(Some(id.to_string()))))
}
";
