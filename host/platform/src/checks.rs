//! What strings of the manifest must look like. `Err` says what was expected, ready for "expected …".

/// Names that paths and tools of the host already have.
const RESERVED: &[&str] = &[
    "socket.io",
    "engine.io",
    "v1",
    "livez",
    "readyz",
    "metrics",
    "admin",
    "api",
    "www",
    "wakeline",
];

/// Whether `name` can be an app's: a DNS label that is not reserved. `Err` says what was expected.
pub fn check_app_name(name: &str) -> Result<(), &'static str> {
    app_name(name)
}

pub(crate) fn app_name(name: &str) -> Result<(), &'static str> {
    if RESERVED.contains(&name) {
        return Err("a name that the host does not use itself");
    }
    let inside = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let edges = !name.starts_with('-') && !name.ends_with('-');
    if (1..=63).contains(&name.len()) && name.bytes().all(inside) && edges {
        Ok(())
    } else {
        Err("a DNS label: 1 to 63 of `a` to `z`, `0` to `9` and `-`, with no `-` at either end")
    }
}

pub(crate) fn non_empty(text: &str) -> Result<(), &'static str> {
    if text.trim().is_empty() {
        Err("a text that is not empty")
    } else {
        Ok(())
    }
}

pub(crate) fn file(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.contains('\0') {
        Err("a path relative to the manifest")
    } else {
        Ok(())
    }
}

pub(crate) fn transport(text: &str) -> Result<(), &'static str> {
    if matches!(text, "polling" | "websocket") {
        Ok(())
    } else {
        Err("`polling` or `websocket`")
    }
}

pub(crate) fn namespace(text: &str) -> Result<(), &'static str> {
    // A comma ends the namespace on the wire.
    if text.starts_with('/') && text.len() <= 256 && !text.contains([',', '?']) {
        Ok(())
    } else {
        Err("a namespace: `/` and up to 255 bytes without `,` and `?`")
    }
}

pub(crate) fn url_path(text: &str) -> Result<(), &'static str> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"/-._~".contains(&c);
    if text.starts_with("/socket.io") {
        return Err("a path that is not Socket.IO's own");
    }
    if text.len() > 1 && text.starts_with('/') && !text.contains("//") && text.bytes().all(plain) {
        Ok(())
    } else {
        Err("a path: `/` and letters, digits, `-`, `.`, `_`, `~`, `/`")
    }
}

pub(crate) fn url_folder(text: &str) -> Result<(), &'static str> {
    url_path(text)?;
    if text.ends_with('/') {
        Ok(())
    } else {
        Err("a path that ends in `/`")
    }
}

pub(crate) fn origin(text: &str) -> Result<(), &'static str> {
    const EXPECTED: &str =
        "an origin, `https://host`, `https://host:port` or `https://*.host` without a path, or `*`";
    if matches!(text, "*" | "null") {
        return Ok(());
    }
    let Some((scheme, authority)) = text.split_once("://") else {
        return Err(EXPECTED);
    };
    let scheme_ok = !scheme.is_empty()
        && scheme
            .bytes()
            .all(|c| c.is_ascii_lowercase() || b"+-.".contains(&c));
    let authority = authority.strip_prefix("*.").unwrap_or(authority);
    if scheme_ok && host_and_port(authority) {
        Ok(())
    } else {
        Err(EXPECTED)
    }
}

pub(crate) fn token_place(text: &str) -> Result<(), &'static str> {
    match text.split_once('.') {
        Some(("auth" | "cookie", name)) if cookie_name(name) => Ok(()),
        _ => Err("`auth.FIELD` or `cookie.NAME`"),
    }
}

/// What a cookie's name may have (RFC 6265).
pub(crate) fn cookie_name(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
    !name.is_empty() && name.bytes().all(plain)
}

pub(crate) fn http_host(text: &str) -> Result<(), &'static str> {
    let text = text.strip_prefix("*.").unwrap_or(text);
    if host_and_port(text) {
        Ok(())
    } else {
        Err("a host without scheme and path: `host`, `host:port`, `*.host`")
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`, in lower case.
fn host_and_port(text: &str) -> bool {
    let (host_ok, port) = if let Some(rest) = text.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else {
            return false;
        };
        (
            address.parse::<std::net::Ipv6Addr>().is_ok(),
            port.strip_prefix(':').or((!port.is_empty()).then_some("bad")),
        )
    } else {
        let (host, port) = text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port)));
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-._".contains(&c);
        (!host.is_empty() && host.bytes().all(plain), port)
    };
    host_ok && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}
