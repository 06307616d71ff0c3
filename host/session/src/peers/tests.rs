use futures_util::FutureExt;

use super::*;
use crate::Nodes;

/// Nothing that another node says is run, and nonsense is answered with nothing, at once.
#[test]
fn cve_2025_61765_what_other_nodes_ask_is_data() {
    let (shards, _inboxes) = Shards::new(1, Nodes::alone());
    for question in [
        &b"\x80\x04\x95\x1d\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94."[..],
        b"cos\nsystem\n(S'id'\ntR.",
        br#"{"method":"disconnect"}"#,
        b"",
        &[0xff; 64],
        // Names of four billion bytes, and lists as long.
        &[0, 0xff, 0xff, 0xff, 0xff, 0x0f],
        &[2, 1, b'a', 1, b'/', 0xff, 0xff, 0xff, 0xff, 0x0f],
    ] {
        let answer = shards.answer(&Bytes::copy_from_slice(question)).now_or_never();
        assert_eq!(answer, Some(Bytes::new()), "{question:?}");
    }
}
