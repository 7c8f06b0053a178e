//! What the catalogue has entries for: functions, tags, mutations, limits, and how they hang together.

use serde::Serialize;
use std::fmt;

/// Where something is written. `Display` gives `src/users.rs:12`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Place {
    /// The file, as the compiler was given it.
    pub file: String,
    /// The line of the attribute.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A cached function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Function {
    /// Its path: module and name.
    pub name: String,
    /// Where it is written.
    pub place: Place,
    /// The first segment of its keys.
    pub prefix: String,
    /// The rest of its keys.
    pub template: String,
    /// The option `version`.
    pub version: Option<u32>,
    /// How long a value is fresh: `5m`, or `Self::TTL` until the first call.
    pub ttl: String,
    /// Other options that are not the default, as they would be written. What names the companions, and which
    /// arguments are skipped, is not among them.
    pub options: Vec<String>,
    /// The return type, as written.
    pub returns: String,
    /// Its tags, as written.
    pub tags: Vec<String>,
    /// The paths of its batch forms.
    pub batches: Vec<String>,
    /// The types that it was called on so far, at most 64.
    pub instances: Vec<Instance>,
    /// What invalidates or updates it; where this is empty, values end with their lifetime only.
    pub invalidated_by: Vec<Edge>,
}

impl Function {
    /// The form of its keys, without a namespace: `user:<id>`, `user@2:<id>`.
    ///
    /// ```
    /// for function in millpond::catalogue().functions {
    ///     println!("{}", function.key());
    /// }
    /// ```
    pub fn key(&self) -> String {
        let mut key = match self.version {
            Some(version) => format!("{}@{version}", self.prefix),
            None => self.prefix.clone(),
        };
        if !self.template.is_empty() {
            key.push(':');
            key.push_str(&self.template);
        }
        key
    }
}

/// The types of a call: a generic function, or a method, can have several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Instance {
    /// The type around the function.
    pub owner: Option<String>,
    /// The type of the value.
    pub value: String,
}

/// What a mutation does to a function or a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Edge {
    /// The path of the mutation.
    pub mutation: String,
    /// Where the mutation is written.
    pub place: Place,
    /// What it does.
    pub effect: Effect,
    /// The tag through which it does, if it names a tag.
    pub tag: Option<String>,
    /// How sure that is.
    pub certainty: Certainty,
}

/// What a mutation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Effect {
    /// The value is removed.
    Invalidates,
    /// The returned value is stored.
    Updates,
}

/// Whether what a mutation or a function names is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Certainty {
    /// The compiler resolved the name, or only one thing has it.
    Declared,
    /// Several methods or tags have this name; it is one of them.
    Possible,
}

/// A declared tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Tag {
    /// The path of its function.
    pub name: String,
    /// Where it is written.
    pub place: Place,
    /// Its template.
    pub template: String,
    /// The paths of the functions whose entries it groups.
    pub functions: Vec<String>,
    /// What invalidates it.
    pub invalidated_by: Vec<Edge>,
}

/// A function with `#[invalidates]` or `#[updates]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Mutation {
    /// Its path.
    pub name: String,
    /// Where it is written.
    pub place: Place,
    /// What it names.
    pub targets: Vec<Target>,
}

/// What a mutation names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Target {
    /// As written: `get_user(user_id)`.
    pub text: String,
    /// What becomes of it.
    pub effect: Effect,
    /// The paths of the functions that it can be, through a tag too. None of them is in this binary if it is empty.
    pub functions: Vec<String>,
    /// The path of the tag that it is.
    pub tag: Option<String>,
    /// How sure that is.
    pub certainty: Certainty,
}

/// A limit on a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Limit {
    /// The path of the function.
    pub name: String,
    /// Where it is written.
    pub place: Place,
    /// The kind, as [`stats`](crate::Millpond::stats) has it; nothing for a limit that is worked out for each call.
    pub kind: Option<String>,
    /// The numbers: `10 per 1m, sliding window`; as written where they are worked out for each call.
    pub rule: String,
    /// Who is limited, as written; empty where everyone shares one budget.
    pub caller: String,
    /// What happens while the store does not answer, if the function says.
    pub on_outage: Option<String>,
}
