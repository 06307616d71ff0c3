use std::io::Read;

use http::HeaderValue;

use super::*;

fn accepted(value: &str) -> Option<Encoding> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap());
    Encoding::accepted(&headers)
}

#[test]
fn clients_choose() {
    assert_eq!(Encoding::accepted(&HeaderMap::new()), None);
    for (value, expected) in [
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip, deflate, br, zstd", Some(Encoding::Gzip)),
        ("deflate", Some(Encoding::Deflate)),
        ("gzip;q=0.5, deflate;q=0.9", Some(Encoding::Deflate)),
        ("gzip;q=0, deflate;q=0", None),
        ("gzip;q=0, *", Some(Encoding::Deflate)),
        ("*", Some(Encoding::Gzip)),
        ("GZIP;q=nonsense", None),
        (";;;,,,q=1", None),
    ] {
        assert_eq!(accepted(value), expected, "{value}");
    }
}

#[test]
fn what_is_compressed_decompresses() {
    let body = "42[\"hello\",1]\x1e".repeat(500);
    let gzip = Encoding::Gzip.compress(body.as_bytes()).unwrap();
    let deflate = Encoding::Deflate.compress(body.as_bytes()).unwrap();
    assert!(gzip.len() < body.len() / 4 && deflate.len() < body.len() / 4);
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*gzip)
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, body);
    text.clear();
    flate2::read::ZlibDecoder::new(&*deflate)
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, body);
}
