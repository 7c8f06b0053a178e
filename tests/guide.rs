//! docs/guide.md: every name of the TypeScript guide has a row, and every program in it is a test.

use std::collections::BTreeSet;

const GUIDE: &str = include_str!("../docs/guide.md");

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
    assert_eq!(chapters[CHAPTERS.len()..], ["From TypeScript to Rust"]);
    // Links within the page lead somewhere.
    let anchors: BTreeSet<String> = GUIDE
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || " -".contains(*c));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect();
    for link in GUIDE.split("](#").skip(1) {
        let anchor = link.split(')').next().unwrap_or_default();
        assert!(anchors.contains(anchor), "#{anchor}");
    }
}

#[test]
fn every_program_of_the_guide_is_a_test() {
    let mut inside = false;
    let mut programs = 0;
    for line in GUIDE.lines().filter(|line| line.starts_with("```")) {
        let kind = line.trim_start_matches('`');
        if !inside {
            // Rust that is not run would be marked: `rust,ignore`, `rust,no_run`.
            assert!(["rust", "bash", "json", "text"].contains(&kind), "{line}");
            programs += usize::from(kind == "rust");
        }
        inside = !inside;
    }
    assert!(programs > 20, "{programs} programs");
}

/// Somebody who tests may have a database in the environment, with keys such as `user:42`.
#[test]
fn no_program_of_the_guide_can_reach_a_database_of_whoever_tests() {
    let programs = GUIDE.split("```rust\n").skip(1);
    for program in programs.filter_map(|rest| rest.split("```\n").next()) {
        let (_, main) = program.split_once("fn main() ").expect("a whole program");
        let (_, body) = main.split_once('\n').unwrap_or_default();
        let is_async = program.contains("async fn main()");
        let installs = "#     millpond::install(millpond::Millpond::memory()).unwrap();\n";
        assert!(!is_async || body.starts_with(installs), "{program}");
        assert!(is_async || !program.contains(".await"), "{program}");
    }
}
