//! The app's log, which `wakeline dev` and `wakeline logs` show. What is printed to stdout or stderr goes there, too.

use std::fmt;

use crate::host;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For following the flow of control.
    Trace,
    /// For who develops the handler.
    Debug,
    /// For who watches the app.
    Info,
    /// Something odd.
    Warn,
    /// Something failed.
    Error,
}

/// Writes a line; the macros [`info!`](crate::info) and so on are the short form.
pub fn log(level: Level, message: fmt::Arguments<'_>) {
    match message.as_str() {
        Some(message) => host::log(level, message),
        None => host::log(level, &message.to_string()),
    }
}

/// Logs a line as [`Level::Trace`], with `format!`'s syntax.
#[macro_export]
macro_rules! trace {
    ($($message:tt)+) => { $crate::log::log($crate::log::Level::Trace, ::core::format_args!($($message)+)) };
}

/// Logs a line as [`Level::Debug`], with `format!`'s syntax.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::log::log($crate::log::Level::Debug, ::core::format_args!($($message)+)) };
}

/// Logs a line as [`Level::Info`], with `format!`'s syntax.
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::log::log($crate::log::Level::Info, ::core::format_args!($($message)+)) };
}

/// Logs a line as [`Level::Warn`], with `format!`'s syntax.
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::log::log($crate::log::Level::Warn, ::core::format_args!($($message)+)) };
}

/// Logs a line as [`Level::Error`], with `format!`'s syntax.
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::log::log($crate::log::Level::Error, ::core::format_args!($($message)+)) };
}
