use super::*;

#[test]
fn what_is_written_is_read() {
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 100_000] {
        let sent = "x".repeat(length);
        let frame = text(&sent);
        // A client's has four bytes of mask between head and payload.
        let (start, found) = payload(&frame).unwrap();
        assert_eq!(found, length);
        assert_eq!(frame.len(), start + 4 + length);
        assert_eq!(frame[start..start + 4], [0; 4]);
        assert_eq!(&frame[start + 4..], sent.as_bytes());
    }
}

#[test]
fn a_head_that_is_not_whole_is_no_frame() {
    let frame = text(&"x".repeat(70_000));
    for cut in 0..10 {
        assert_eq!(payload(&frame[..cut]), None, "{cut}");
    }
    assert!(payload(&[0x81, 126, 0]).is_none());
}

#[test]
fn close_frames_are_known() {
    assert!(closes(&[0x88, 0]));
    assert!(!closes(&[0x81, 0]));
    assert!(!closes(&[]));
}
