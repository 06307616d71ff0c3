use crate::WebSettings;

/// Where within an app a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint<'a> {
    SocketIo,
    /// A file of the browser client, by name.
    Client(&'a str),
    /// Bare Engine.IO, where the app asks for it.
    EngineIo,
    /// A plain WebSocket, where the app asks for it.
    WebSocket,
    /// One of the app's files.
    Asset,
}

/// The app a request is for, and the path within it: empty for `/NAME` without its slash.
/// The host's first label is asked first, then the path's first segment, then there may be a default.
pub(crate) fn locate<'a>(
    host: Option<&'a str>,
    path: &'a str,
    default_app: Option<&'a str>,
    mut is_app: impl FnMut(&str) -> bool,
) -> Option<(&'a str, &'a str)> {
    if let Some(label) = host.and_then(first_label)
        && is_app(label)
    {
        return Some((label, path));
    }
    let rest = path.strip_prefix('/').unwrap_or(path);
    let end = rest.find('/').unwrap_or(rest.len());
    let (segment, within) = rest.split_at(end);
    if !segment.is_empty() && is_app(segment) {
        return Some((segment, within));
    }
    default_app.map(|name| (name, path))
}

/// The reference server matches prefixes, last slash included: `/socket.io` is not for it.
pub(crate) fn endpoint<'a>(web: &WebSettings, path: &'a str) -> Endpoint<'a> {
    if let Some(name) = path.strip_prefix("/socket.io/") {
        return if is_client_file(name) {
            Endpoint::Client(name)
        } else {
            Endpoint::SocketIo
        };
    }
    if web.raw_websocket.as_deref() == Some(path) {
        return Endpoint::WebSocket;
    }
    match web.raw_engineio.as_deref() {
        Some(prefix) if path.starts_with(prefix) => Endpoint::EngineIo,
        _ => Endpoint::Asset,
    }
}

/// The files that the reference server serves: bundles and their source maps.
fn is_client_file(name: &str) -> bool {
    let bundle = name.strip_suffix(".map").unwrap_or(name);
    matches!(
        bundle,
        "socket.io.js" | "socket.io.min.js" | "socket.io.esm.min.js" | "socket.io.msgpack.min.js"
    )
}

/// `None` for a lone label and for addresses.
fn first_label(host: &str) -> Option<&str> {
    let host = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|b| b.is_ascii_digit()) {
            name
        } else {
            host
        }
    });
    let (label, rest) = host.split_once('.')?;
    let is_address = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    (!is_address && !label.is_empty() && !rest.is_empty()).then_some(label)
}

#[cfg(test)]
mod tests;
