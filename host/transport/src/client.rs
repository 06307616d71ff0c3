//! The browser client, in the binary: what a page loads from `/socket.io/socket.io.min.js`, as from the reference server.
//! `host/transport/socket.io-client` has the files of npm's package as they are, compressed; `cargo xtask client` renews
//! them, and a test compares them with the package.
use std::{io::Read as _, path::Path, sync::OnceLock};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::{
    compress::Encoding,
    respond::{Answer, answer, error, is_fresh, method_not_allowed, typed},
};

/// The package's version in quotes, as the reference server sends it.
const ETAG: &str = concat!("\"", include_str!("../socket.io-client/VERSION"), "\"");

pub(crate) fn serve(name: &str, method: &Method, headers: &HeaderMap) -> Answer {
    let Some(file) = FILES.iter().find(|file| file.name == name) else {
        // The only other name that is asked for here.
        let message =
            "this host speaks the default parser, which this client does not: load socket.io.min.js";
        return error(StatusCode::NOT_FOUND, "no_client", message);
    };
    if method != Method::GET && method != Method::HEAD {
        return method_not_allowed();
    }
    let mut answer = if is_fresh(headers, ETAG) {
        answer(StatusCode::NOT_MODIFIED, Bytes::new())
    } else if Encoding::accepted(headers) == Some(Encoding::Gzip) {
        let mut answer = typed(StatusCode::OK, file.content_type(), file.gzip);
        answer
            .headers_mut()
            .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        answer
    } else {
        typed(StatusCode::OK, file.content_type(), file.plain())
    };
    let headers = answer.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=0"),
    );
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(header::ETAG, HeaderValue::from_static(ETAG));
    answer
}

struct File {
    name: &'static str,
    gzip: &'static [u8],
    /// Made for the first who takes no gzip.
    plain: OnceLock<Bytes>,
}

impl File {
    const fn new(name: &'static str, gzip: &'static [u8]) -> Self {
        Self {
            name,
            gzip,
            plain: OnceLock::new(),
        }
    }

    fn content_type(&self) -> &'static str {
        if Path::new(self.name).extension().is_some_and(|e| e == "map") {
            "application/json; charset=utf-8"
        } else {
            "application/javascript; charset=utf-8"
        }
    }

    fn plain(&self) -> Bytes {
        let inflate = || {
            let mut plain = Vec::new();
            match GzDecoder::new(self.gzip).read_to_end(&mut plain) {
                Ok(_) => Bytes::from(plain),
                Err(error) => unreachable!("{} in the binary is broken: {error}", self.name),
            }
        };
        self.plain.get_or_init(inflate).clone()
    }
}

macro_rules! file {
    ($name:literal) => {
        File::new(
            $name,
            include_bytes!(concat!("../socket.io-client/", $name, ".gz")),
        )
    };
}

/// All that the reference server has, but for the client that speaks another parser.
static FILES: [File; 6] = [
    file!("socket.io.js"),
    file!("socket.io.js.map"),
    file!("socket.io.min.js"),
    file!("socket.io.min.js.map"),
    file!("socket.io.esm.min.js"),
    file!("socket.io.esm.min.js.map"),
];

#[cfg(test)]
mod tests;
