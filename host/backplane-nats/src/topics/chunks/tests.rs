use super::*;

fn chunk(id: u64, index: u32, count: u32) -> Chunk {
    Chunk {
        id,
        index,
        count,
        bytes: Bytes::from(index.to_string()),
    }
}

#[test]
fn payloads_mix_and_chunks_come_in_any_order() {
    let mut chunks = Chunks::default();
    assert_eq!(chunks.add(chunk(1, 2, 3)), None);
    assert_eq!(chunks.add(chunk(2, 0, 2)), None);
    assert_eq!(chunks.add(chunk(1, 0, 3)), None);
    assert_eq!(chunks.add(chunk(1, 0, 3)), None, "twice");
    assert_eq!(chunks.add(chunk(2, 1, 2)), Some("01".into()));
    assert_eq!(chunks.add(chunk(1, 1, 3)), Some("012".into()));
    assert!(chunks.0.is_empty());
}

#[test]
fn lies_cost_little() {
    let mut chunks = Chunks::default();
    assert_eq!(chunks.add(chunk(1, 0, u32::MAX)), None);
    assert_eq!(chunks.add(chunk(1, 3, 3)), None);
    assert_eq!(chunks.add(chunk(1, 0, 0)), None);
    assert!(chunks.0.is_empty());
    chunks.add(chunk(1, 0, 2));
    assert_eq!(chunks.add(chunk(1, 5, 9)), None, "another count than before");
    for id in 0..100 {
        chunks.add(chunk(id, 0, 2));
    }
    assert_eq!(chunks.0.len(), PARTS_MAX);
    let huge = Chunk {
        bytes: vec![0; PAYLOAD_BYTES_MAX].into(),
        ..chunk(99, 1, 2)
    };
    assert_eq!(chunks.add(huge), None, "more than a payload may have");
}
