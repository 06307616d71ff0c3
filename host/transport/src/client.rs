use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::{
    compress::Encoding,
    respond::{Answer, answer, error, is_fresh, method_not_allowed, typed},
};

/// The browser client's files, as npm's `socket.io-client` has them under `dist/`. Held in memory, about 1.5 MB.
pub struct ClientBundle {
    /// The package's version in quotes, as the reference server sends it.
    etag: String,
    files: HashMap<&'static str, File>,
}

/// Why there is no client to serve. The operator is at fault, or the installation.
#[derive(Debug, thiserror::Error)]
pub enum ClientBundleError {
    #[error("{path} cannot be read ({source}): name the directory `dist` of an installed `socket.io-client`")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{0} names no version: it is not the package.json of `socket.io-client`")]
    NoVersion(PathBuf),
    #[error("{0} has no socket.io.js: name the directory `dist` of an installed `socket.io-client`")]
    Empty(PathBuf),
}

struct File {
    plain: Bytes,
    /// Made by the first who asks for it.
    gzip: OnceLock<Option<Bytes>>,
}

impl ClientBundle {
    /// `dir` holds the files; `package.json` is beside or above them.
    pub fn load(dir: &Path) -> Result<Self, ClientBundleError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |source| ClientBundleError::Unreadable { path, source }
        };
        let manifest = ["package.json", "../package.json"].map(|name| dir.join(name));
        let [beside, above] = &manifest;
        let manifest = if beside.exists() { beside } else { above };
        let text = fs::read_to_string(manifest).map_err(unreadable(manifest))?;
        let version = version(&text).ok_or_else(|| ClientBundleError::NoVersion(manifest.clone()))?;
        let mut files = HashMap::new();
        for name in NAMES {
            let path = dir.join(name);
            match fs::read(&path) {
                Ok(bytes) => {
                    files.insert(
                        name,
                        File {
                            plain: bytes.into(),
                            gzip: OnceLock::new(),
                        },
                    );
                }
                // Not every release has every file.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(unreadable(&path)(e)),
            }
        }
        if !files.contains_key("socket.io.js") {
            return Err(ClientBundleError::Empty(dir.to_owned()));
        }
        Ok(Self {
            etag: format!("\"{version}\""),
            files,
        })
    }

    fn serve(&self, name: &str, method: &Method, headers: &HeaderMap) -> Answer {
        let Some(file) = self.files.get(name) else {
            return missing();
        };
        if method != Method::GET && method != Method::HEAD {
            return method_not_allowed();
        }
        let is_map = Path::new(name).extension().is_some_and(|e| e == "map");
        let content_type = if is_map {
            "application/json; charset=utf-8"
        } else {
            "application/javascript; charset=utf-8"
        };
        let mut answer = if is_fresh(headers, &self.etag) {
            answer(StatusCode::NOT_MODIFIED, Bytes::new())
        } else if let Some(gzip) = file.gzip_for(headers) {
            let mut answer = typed(StatusCode::OK, content_type, gzip);
            answer
                .headers_mut()
                .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            answer
        } else {
            typed(StatusCode::OK, content_type, file.plain.clone())
        };
        let headers = answer.headers_mut();
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=0"),
        );
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            headers.insert(header::ETAG, etag);
        }
        answer
    }
}

impl File {
    fn gzip_for(&self, headers: &HeaderMap) -> Option<Bytes> {
        let encoding = Encoding::accepted(headers).filter(|e| *e == Encoding::Gzip)?;
        self.gzip
            .get_or_init(|| encoding.compress(&self.plain).ok())
            .clone()
    }
}

pub(crate) fn serve(
    bundle: Option<&ClientBundle>,
    name: &str,
    method: &Method,
    headers: &HeaderMap,
) -> Answer {
    bundle.map_or_else(missing, |bundle| bundle.serve(name, method, headers))
}

fn missing() -> Answer {
    let message = "this node serves no browser client: bundle `socket.io-client` with the page instead";
    error(StatusCode::NOT_FOUND, "no_client", message)
}

/// The value of the first `"version"` key: the package's own comes before any dependency's. No JSON reader for the
/// sake of one string.
fn version(manifest: &str) -> Option<&str> {
    let (_, after) = manifest.split_once("\"version\"")?;
    let value = after
        .trim_start()
        .strip_prefix(':')?
        .trim_start()
        .strip_prefix('"')?;
    let (version, _) = value.split_once('"')?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-+".contains(&b);
    (!version.is_empty() && version.bytes().all(plain)).then_some(version)
}

const NAMES: [&str; 8] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
];

#[cfg(test)]
mod tests;
