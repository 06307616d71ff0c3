use router::{Failure, Limit, Refusal};
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};

use crate::{
    bindings,
    imports::log::cut,
    limits::{LimitHit, Limits},
};

/// Bytes of a trap's description.
const TEXT_BYTES_MAX: usize = 8 << 10;

/// Says why a call ended in a trap. `memory_denied`: memory had been refused before; `stderr`: what the guest said
/// last, for Rust its panic message.
pub(crate) fn of_trap(
    error: &wasmtime::Error,
    memory_denied: bool,
    stderr: &str,
    limits: &Limits,
) -> Failure {
    if error.is::<PoolConcurrencyLimitError>() {
        return Failure::Unavailable(format!("this node runs as much as it may: {error}"));
    }
    if let Some(hit) = error.downcast_ref::<LimitHit>() {
        return Failure::Limit(with_backtrace(&hit.to_string(), error));
    }
    // wasmtime has no type for it; a test holds us to the text.
    if error
        .root_cause()
        .to_string()
        .contains("fuel allocated for hostcalls")
    {
        let text = Limit::HostBytesPerCall.describe(limits.host_bytes_per_call);
        return Failure::Limit(with_backtrace(&text, error));
    }
    let mut text = error
        .downcast_ref::<Trap>()
        .map_or_else(|| error.root_cause().to_string(), Trap::to_string);
    let stderr = stderr.trim_end();
    if !stderr.is_empty() {
        text = format!("{text}\n{stderr}");
    }
    if memory_denied {
        let limit = Limit::MemoryBytes.describe(limits.memory_bytes);
        return Failure::Limit(with_backtrace(&format!("{limit}: {text}"), error));
    }
    Failure::Trapped(with_backtrace(&text, error))
}

/// Says why an instance could not be made. A guest's own code may have run, and be at fault.
pub(crate) fn of_start(
    error: &wasmtime::Error,
    memory_denied: bool,
    stderr: &str,
    limits: &Limits,
) -> Failure {
    if memory_denied
        || error.is::<Trap>()
        || error.is::<LimitHit>()
        || error.is::<PoolConcurrencyLimitError>()
    {
        return of_trap(error, memory_denied, stderr, limits);
    }
    Failure::Unavailable(format!("the component could not be started: {error:#}"))
}

/// An error that a handler returned.
pub(crate) fn of_error(error: bindings::Error) -> Failure {
    use bindings::Error;
    Failure::Returned(match error {
        Error::Failed(text) | Error::Other(text) => text,
        Error::NotFound => "not found".to_owned(),
        Error::Invalid(text) => format!("invalid: {text}"),
        Error::LimitExceeded(text) => format!("limit exceeded: {text}"),
    })
}

/// A refusal of `handle-connect`.
pub(crate) fn of_refusal(refusal: bindings::Refusal) -> Failure {
    use bindings::Refusal as From;
    let refusal = match refusal {
        From::Unauthorised(message) | From::Other(message) => Refusal { message, data: None },
        From::Custom((message, data)) => Refusal {
            message,
            data: Some(data),
        },
    };
    let json = refusal
        .data
        .as_ref()
        .map(|data| serde_json::from_str::<&serde_json::value::RawValue>(data));
    match json {
        Some(Err(error)) => Failure::Returned(format!("refusal's data must be JSON: {error}")),
        _ => Failure::Refused(refusal),
    }
}

fn with_backtrace(text: &str, error: &wasmtime::Error) -> String {
    let text = match error.downcast_ref::<WasmBacktrace>() {
        Some(backtrace) if !backtrace.frames().is_empty() => format!("{text}\n{backtrace}"),
        _ => text.to_owned(),
    };
    cut(&text, TEXT_BYTES_MAX).to_owned()
}
