use router::{Action, Target};

use super::*;

const WINDOW: Window = Window {
    age: Duration::from_secs(1),
    packets_max: 4,
    bytes_max: 10_000,
};

fn kept() -> Kept {
    Kept::new(Epoch(7), 0, WINDOW)
}

fn entry(at_ms: i64, room: &str) -> Entry {
    let target = Target {
        namespace: "/".into(),
        rooms: Vec::new(),
        except: Vec::new(),
    };
    let delivery = Arc::new(Delivery {
        target,
        action: Action::Join(vec![room.into()]),
    });
    Entry {
        at_ms,
        key: None,
        delivery,
    }
}

fn offsets(kept: &Kept, after: u64) -> Result<Vec<u64>, Error> {
    let after = Position {
        epoch: kept.epoch(),
        offset: after,
    };
    Ok(kept
        .since(after, usize::MAX)?
        .into_iter()
        .map(|(position, _)| position.offset)
        .collect())
}

#[test]
fn age_counts_from_each_entry() {
    let mut kept = kept();
    kept.push(entry(-500, "from before the start"));
    kept.push(entry(0, "a"));
    kept.push(entry(600, "b"));
    kept.trim(499);
    assert_eq!(offsets(&kept, 0), Ok(vec![1, 2, 3]));
    kept.trim(500);
    assert_eq!(offsets(&kept, 0), Err(Error::Gone));
    assert_eq!(offsets(&kept, 1), Ok(vec![2, 3]));
    kept.trim(10_000);
    assert_eq!((kept.first(), kept.head().offset), (4, 3));
    assert_eq!(offsets(&kept, 2), Err(Error::Gone));
    assert_eq!(offsets(&kept, 3), Ok(vec![]));
    assert_eq!(offsets(&kept, 4), Err(Error::Gone));
}

#[test]
fn whichever_limit_comes_first() {
    let mut kept = kept();
    for _ in 0..6 {
        kept.push(entry(0, "a"));
    }
    kept.trim(0);
    assert_eq!(offsets(&kept, 2), Ok(vec![3, 4, 5, 6]));
    kept.push(entry(0, &"x".repeat(9_950)));
    kept.trim(0);
    assert_eq!(offsets(&kept, 6), Ok(vec![7]), "bytes");
    kept.push(entry(0, &"x".repeat(20_000)));
    kept.trim(0);
    assert_eq!(offsets(&kept, 8), Ok(vec![]), "larger than the window itself");
    assert_eq!(kept.bytes, 0);
}

#[test]
fn keys_are_forgotten_with_their_last_entry() {
    let mut kept = kept();
    kept.push(entry(0, "a"));
    kept.push(Entry {
        key: Some(("k".into(), 2)),
        ..entry(0, "b")
    });
    assert_eq!(kept.known("k"), Some(1..=2));
    for _ in 0..3 {
        kept.push(entry(0, "c"));
    }
    kept.trim(0);
    assert_eq!(kept.known("k"), Some(1..=2), "its second entry is kept");
    kept.push(entry(0, "c"));
    kept.trim(0);
    assert_eq!(kept.known("k"), None);
    assert!(kept.keys.is_empty());
}
