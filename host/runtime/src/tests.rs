//! What components may do and what they may not, against the real engine. The guests are in `tests/guests`.
mod harness;

mod call;
mod compile;
mod cve;
mod hostile;
mod pool;
mod reach;
mod shares;
mod storage;
