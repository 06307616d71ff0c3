//! The backplane over NATS: core subjects, JetStream streams.
use async_nats as _;
