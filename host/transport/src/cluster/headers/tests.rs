use http::{HeaderMap, HeaderName, HeaderValue};

use super::{drop_ours, end_to_end};

fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let lines = lines
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(name, value);
    }
    map
}

#[test]
fn what_is_for_one_hop_stays_there() {
    let client = map(&[
        ("host", "a"),
        ("connection", "keep-alive, X-Mine"),
        ("connection", "upgrade"),
        ("keep-alive", "1"),
        ("x-mine", "1"),
        ("x-other", "1"),
        ("x-other", "2"),
        ("upgrade", "websocket"),
        ("content-length", "3"),
        ("transfer-encoding", "chunked"),
        ("expect", "100-continue"),
        ("te", "trailers"),
        ("wakeline-client", "1.2.3.4"),
    ]);
    assert_eq!(
        end_to_end(&client),
        map(&[("host", "a"), ("x-other", "1"), ("x-other", "2")])
    );
}

#[test]
fn ours_are_ours_alone() {
    let mut headers = map(&[("wakeline-x", "1"), ("wakeline", "2"), ("wakeline-x", "3")]);
    drop_ours(&mut headers);
    assert_eq!(headers, map(&[("wakeline", "2")]));
}
