#![expect(clippy::needless_raw_string_hashes, reason = "as expect-test writes them")]
mod config;
mod http_allow;
mod logs;
mod metrics;
mod push;
mod timers;
mod token;
mod traces;
