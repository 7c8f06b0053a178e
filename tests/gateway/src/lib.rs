//! The Upstash REST protocol in front of a real Redis, for tests.
