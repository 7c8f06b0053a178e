//! `runtime/docs/guide.md`: every name of the TypeScript guide has a row, and every program in it is a file of this folder, which
//! runs in a process of its own without any configuration.
//!
//! The comment above a block of Rust in the guide names the file; `UPDATE_EXPECT=1` copies the files into the guide.

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const GUIDE: &str = include_str!("../../runtime/docs/guide.md");

/// The functions, constants, fields and options of the two documents that the guide comes from.
const NAMES: &str = "
    cacheGet cacheSet cacheDelete cacheGetOrSet cacheExists cacheTTL cacheInvalidatePattern
    cacheSetIfNotExists cacheHashSet cacheHashGet cacheHashGetAll cacheIncrement cacheDecrement buildCacheKey
    cacheUserData getCachedUserData invalidateUserCache cacheConfig getCachedConfig
    cacheGenerationResult getCachedGeneration getGenerationWithCache invalidateGenerationCache
    getUserById updateUser deletePost getUserOrNull processWithLock
    checkRateLimit rateLimitMiddleware createRateLimitHeaders getRateLimitIdentifier
    createCustomRateLimiter createRateLimiter webhookRateLimiter exportRateLimiter expensiveOpLimiter.limit
    waitUntil success limit remaining reset pending response headers
    result.success result.limit result.remaining result.reset result.pending
    Redis redis redis.get redis.setex redis.incr Ratelimit Ratelimit.slidingWindow ratelimit.limit
    cachedAICall createHash createSession getSession randomUUID incrementPageView getPageViews
    CACHE_PREFIX CACHE_PREFIX.USER CACHE_PREFIX.SESSION CACHE_PREFIX.CONFIG CACHE_PREFIX.API
    CACHE_PREFIX.MODEL CACHE_PREFIX.GENERATION CACHE_PREFIX.IMAGE CACHE_PREFIX.VIDEO CACHE_PREFIX.PAYMENT
    CACHE_PREFIX.ANALYTICS TTL_SHORT TTL_MEDIUM TTL_LONG TTL_EXTENDED TTL_WEEK TTL_REALTIME TTL_MONTH
    CACHE_NULL_SENTINEL RATE_LIMIT_CONFIG API GENERATION AUTH PUBLIC WEBHOOK EXPORT
    UPSTASH_REDIS_REST_URL UPSTASH_REDIS_REST_TOKEN UPSTASH_REDIS_URL UPSTASH_REDIS_TOKEN
    enableAutoPipelining retry readYourWrites
";

/// What its table of default settings lists.
const SETTINGS: [&str; 6] = [
    "Auto Pipelining",
    "Retry Count",
    "Retry Backoff",
    "Read Your Writes",
    "Rate Limit Analytics",
    "Ephemeral Cache",
];

/// Its chapters, in their order.
const CHAPTERS: [&str; 11] = [
    "Quick start",
    "Core concepts",
    "Configuration",
    "Caching data",
    "Rate limiting",
    "Best practices",
    "Adding new features",
    "Common patterns",
    "Troubleshooting",
    "Settings",
    "Quick reference",
];

/// The rows of the table whose head is this, as cells.
fn table(head: &str) -> Vec<Vec<&'static str>> {
    let lines = GUIDE.lines().skip_while(|line| *line != head).skip(2);
    let rows: Vec<_> = lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(!rows.is_empty(), "no table {head}");
    rows
}

/// What stands between backticks.
fn code(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_name_of_the_typescript_guide_has_a_row() {
    let rows = table("| TypeScript | Rust |");
    let mut there = BTreeSet::new();
    for row in &rows {
        let [typescript, rust] = row[..] else {
            panic!("a row of two cells: {row:?}");
        };
        assert!(!rust.is_empty(), "{typescript}");
        for name in code(typescript) {
            assert!(there.insert(name), "two rows for {name}");
        }
    }
    let wanted: BTreeSet<&str> = NAMES.split_whitespace().chain(SETTINGS).collect();
    let missing: Vec<_> = wanted.difference(&there).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
    let unknown: Vec<_> = there.difference(&wanted).collect();
    assert!(unknown.is_empty(), "not names of the guide: {unknown:?}");
}

#[test]
fn every_setting_of_the_typescript_guide_has_a_row() {
    let rows = table("| setting of the guide | value there | here |");
    let there: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(there, SETTINGS);
}

#[test]
fn the_chapters_are_those_of_the_typescript_guide() {
    let chapters: Vec<&str> = GUIDE
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    assert_eq!(chapters[..CHAPTERS.len()], CHAPTERS);
    let others = [
        "What to alert on, and what to do",
        "Logs and traces",
        "From TypeScript to Rust",
    ];
    assert_eq!(chapters[CHAPTERS.len()..], others);
}

/// Each file as a module with a test that runs its `main`, and the list of the files.
macro_rules! programs {
    ($($name:ident)*) => {
        $(#[cfg(all(feature = "axum", feature = "encrypt", feature = "redis", feature = "upstash"))]
        #[allow(dead_code, unreachable_pub, unused_variables, clippy::all, clippy::pedantic, reason = "it is written for its reader")]
        mod $name {
            include!(concat!(stringify!($name), ".rs"));

            #[test]
            fn runs() {
                super::support::program::alone(concat!(stringify!($name), "::runs"), main);
            }
        })*

        const PROGRAMS: &[&str] = &[$(stringify!($name)),*];
    };
}

programs! {
    quick_start configuration cache_aside basic_operations hash_operations counter_operations convenience_functions
    rate_limits middleware own_limits invalidation groups old_values hot_values in_this_process own_constants domain_functions testing database_queries
    api_responses outage_of_a_limit distributed_lock null_results ai_responses sessions page_views batches several_commands
    explaining_a_miss asking_a_limit quick_reference traces
}

/// The guide with the programs as they are in their files, and the names of the files in the order of the guide.
fn with_programs(guide: &str, folder: &Path) -> (String, Vec<String>) {
    let mut text = String::new();
    let mut names = Vec::new();
    let mut lines = guide.lines();
    let mut before = "";
    while let Some(line) = lines.next() {
        text.push_str(line);
        text.push('\n');
        if line == "```rust" {
            let name = before
                .strip_prefix("<!-- tests/guide/")
                .and_then(|rest| rest.strip_suffix(".rs -->"))
                .unwrap_or_else(|| panic!("no comment names the file of a program: {before:?}"));
            let program = folder.join(format!("tests/guide/{name}.rs"));
            text.push_str(&fs::read_to_string(program).expect("the file of the program"));
            text.push_str("```\n");
            names.push(name.to_owned());
            lines.by_ref().find(|line| *line == "```");
        }
        before = line;
    }
    (text, names)
}

#[test]
fn every_program_of_the_guide_is_a_file_that_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (text, names) = with_programs(GUIDE, root);
    assert_eq!(
        names, PROGRAMS,
        "the programs of the guide, and those that run"
    );
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(root.join("runtime/docs/guide.md"), text).expect("the guide can be written");
    } else {
        assert!(
            text == GUIDE,
            "runtime/docs/guide.md differs from tests/guide/*.rs; run\n    UPDATE_EXPECT=1 cargo test --test guide"
        );
    }
}

#[test]
fn every_block_of_the_guide_names_a_language_and_is_shown_whole() {
    let mut inside = false;
    for line in GUIDE.lines() {
        if let Some(language) = line.strip_prefix("```") {
            let known = ["rust", "bash", "json", "text"].contains(&language);
            assert!(if inside { language.is_empty() } else { known }, "{line}");
            inside = !inside;
        }
        // Only rustdoc hides such a line; GitHub shows it.
        let hidden = inside && (line == "#" || line.starts_with("# "));
        assert!(!hidden, "{line}");
    }
}
