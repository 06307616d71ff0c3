//! An app's files. Read from disk at each request that needs their bytes, off the core's thread.
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::{
    request::percent_decode,
    respond::{Answer, answer, error, is_fresh, method_not_allowed, typed},
};

/// `path`: within the app; empty for its root without a slash.
pub(crate) async fn serve(root: Option<&Path>, path: &str, method: &Method, headers: &HeaderMap) -> Answer {
    let Some(root) = root else {
        return error(
            StatusCode::NOT_FOUND,
            "no_assets",
            "this app has no files; its clients connect at /socket.io/",
        );
    };
    if method != Method::GET && method != Method::HEAD {
        return method_not_allowed();
    }
    let Some(relative) = relative(path) else {
        return missing();
    };
    let (root, headers, head) = (root.to_owned(), headers.clone(), method == Method::HEAD);
    let is_directory = path.ends_with('/');
    let found =
        tokio::task::spawn_blocking(move || find(&root, &relative, is_directory, &headers, head)).await;
    match found {
        Ok(Ok(found)) => found.answer(path),
        Ok(Err(e)) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => missing(),
        Ok(Err(e)) => {
            tracing::warn!(path, error = %e, "asset unreadable");
            error(
                StatusCode::INTERNAL_SERVER_ERROR,
                "asset_unreadable",
                "the file is there but could not be read",
            )
        }
        Err(_) => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "asset_unreadable",
            "the file could not be read",
        ),
    }
}

enum Found {
    File {
        content_type: &'static str,
        etag: String,
        length: u64,
        body: Bytes,
    },
    Fresh {
        etag: String,
    },
    /// A directory, asked for without its slash: links in its page would lead elsewhere.
    Directory,
}

impl Found {
    fn answer(self, path: &str) -> Answer {
        let (mut answer, etag) = match self {
            Self::Directory => {
                let last = path.rsplit('/').next().unwrap_or_default();
                let mut answer = answer(StatusCode::MOVED_PERMANENTLY, Bytes::new());
                // Relative to the directory above, so that it holds behind an app's prefix too.
                if let Ok(location) = HeaderValue::from_str(&format!("{last}/")) {
                    answer.headers_mut().insert(header::LOCATION, location);
                }
                return answer;
            }
            Self::Fresh { etag } => (answer(StatusCode::NOT_MODIFIED, Bytes::new()), etag),
            Self::File {
                content_type,
                etag,
                length,
                body,
            } => {
                let mut answer = typed(StatusCode::OK, content_type, body);
                answer
                    .headers_mut()
                    .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
                (answer, etag)
            }
        };
        let headers = answer.headers_mut();
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            headers.insert(header::ETAG, etag);
        }
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=0"),
        );
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        answer
    }
}

fn find(
    root: &Path,
    relative: &Path,
    is_directory: bool,
    headers: &HeaderMap,
    head: bool,
) -> io::Result<Found> {
    let root = root.canonicalize()?;
    let mut file = root.join(relative).canonicalize()?;
    // A link inside the directory may not lead out of it: who writes an app's files need not own the node.
    if !file.starts_with(&root) {
        return Err(io::ErrorKind::NotFound.into());
    }
    if file.is_dir() {
        if !is_directory {
            return Ok(Found::Directory);
        }
        file = file.join("index.html").canonicalize()?;
        if !file.starts_with(&root) {
            return Err(io::ErrorKind::NotFound.into());
        }
    } else if is_directory {
        return Err(io::ErrorKind::NotFound.into());
    }
    let data = fs::metadata(&file)?;
    if !data.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if data.len() > ASSET_BYTES_MAX {
        return Err(io::Error::other(format!(
            "{} bytes are more than the {ASSET_BYTES_MAX} that are served",
            data.len()
        )));
    }
    let modified = data.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let etag = format!("\"{:x}-{:x}\"", data.len(), modified.as_nanos());
    if is_fresh(headers, &etag) {
        return Ok(Found::Fresh { etag });
    }
    let body = if head {
        Bytes::new()
    } else {
        fs::read(&file)?.into()
    };
    let length = if head { data.len() } else { body.len() as u64 };
    Ok(Found::File {
        content_type: content_type(&file),
        etag,
        length,
        body,
    })
}

/// `None` for whatever could lead out of the root or to a dotfile. Decoded once, never twice.
fn relative(path: &str) -> Option<PathBuf> {
    let decoded = String::from_utf8(percent_decode(path)).ok()?;
    let mut relative = PathBuf::new();
    for segment in decoded.split('/').filter(|segment| !segment.is_empty()) {
        if segment.starts_with('.') || segment.bytes().any(|b| b == b'\\' || b == b':' || b < b' ') {
            return None;
        }
        relative.push(segment);
    }
    Some(relative)
}

fn missing() -> Answer {
    error(StatusCode::NOT_FOUND, "not_found", "the app has no such file")
}

fn content_type(file: &Path) -> &'static str {
    let extension = file
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default()
        .to_ascii_lowercase();
    match extension.as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json; charset=utf-8",
        "webmanifest" => "application/manifest+json",
        "txt" | "md" => "text/plain; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "xml" => "application/xml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

/// A file is read whole; more belongs on a server of files.
const ASSET_BYTES_MAX: u64 = 32 * 1024 * 1024;

#[cfg(test)]
mod tests;
