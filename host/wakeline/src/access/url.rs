use std::{fmt, net::IpAddr};

use ureq::http::Uri;

/// A host's admin address: scheme, host, port, and a path where a proxy has put it below one. No `/` at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostUrl {
    text: String,
    host: String,
    https: bool,
}

impl HostUrl {
    /// `Err` says what was expected.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "an address such as https://admin.example.org or http://127.0.0.1:3001";
        let text = text.trim().trim_end_matches('/');
        let uri: Uri = text.parse().map_err(|_| EXPECTED)?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(EXPECTED),
        };
        let authority = uri.authority().ok_or(EXPECTED)?;
        if authority.as_str().contains('@') {
            return Err("an address without a user's name: the token goes elsewhere");
        }
        if uri.query().is_some() || uri.host().is_none_or(str::is_empty) {
            return Err(EXPECTED);
        }
        Ok(Self {
            text: text.to_owned(),
            host: authority.host().to_ascii_lowercase(),
            https,
        })
    }

    /// Whether what is sent stays on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => bare == "localhost" || bare.ends_with(".localhost"),
        }
    }

    /// Whether others on the way can read what is sent.
    pub(crate) fn is_readable(&self) -> bool {
        !self.https && !self.is_loopback()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// `path` begins with `/`.
    pub(crate) fn join(&self, path: &str) -> String {
        debug_assert!(path.starts_with('/'), "{path}");
        format!("{}{path}", self.text)
    }
}

impl fmt::Display for HostUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
