use std::io::{self, Write};

use bytes::Bytes;
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use http::{HeaderMap, header};

/// What a client said it can decode, gzip before deflate if it does not care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Gzip,
    /// The zlib format, as HTTP means it.
    Deflate,
}

impl Encoding {
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let mut gzip = None;
        let mut deflate = None;
        let mut any = None;
        for line in headers
            .get_all(header::ACCEPT_ENCODING)
            .iter()
            .filter_map(|v| v.to_str().ok())
        {
            for choice in line.split(',') {
                let (name, parameters) = choice.split_once(';').unwrap_or((choice, ""));
                let quality = quality(parameters);
                match name.trim().to_ascii_lowercase().as_str() {
                    "gzip" | "x-gzip" => gzip = Some(quality),
                    "deflate" => deflate = Some(quality),
                    "*" => any = Some(quality),
                    _ => {}
                }
            }
        }
        let gzip = gzip.or(any).unwrap_or(0);
        let deflate = deflate.or(any).unwrap_or(0);
        match (gzip, deflate) {
            (0, 0) => None,
            _ if gzip >= deflate => Some(Self::Gzip),
            _ => Some(Self::Deflate),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// At the fastest level: a poll's answer is compressed on the core that everybody waits for.
    pub(crate) fn compress(self, body: &[u8]) -> io::Result<Bytes> {
        let out = Vec::with_capacity(body.len() / 4);
        let out = match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(out, Compression::fast());
                encoder.write_all(body)?;
                encoder.finish()?
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(out, Compression::fast());
                encoder.write_all(body)?;
                encoder.finish()?
            }
        };
        Ok(Bytes::from(out))
    }
}

/// In thousandths; 1,000 where there is none, 0 where it is unreadable.
fn quality(parameters: &str) -> u32 {
    let Some(value) = parameters.split(';').find_map(|p| p.trim().strip_prefix("q=")) else {
        return 1000;
    };
    value
        .trim()
        .parse::<f32>()
        .map_or(0, |q| (q.clamp(0.0, 1.0) * 1000.0) as u32)
}

/// The reference server's threshold: shorter bodies are sent as they are.
pub(crate) const COMPRESSED_BYTES_MIN: usize = 1024;

#[cfg(test)]
mod tests;
