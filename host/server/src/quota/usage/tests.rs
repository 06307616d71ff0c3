use backplane::Embedded;
use bytes::Bytes;

use super::*;

const MOST: Most = Most {
    keys: 3,
    bytes: 1_000,
};

struct Rig {
    store: Store,
    usage: Usage,
}

impl Rig {
    fn new() -> Self {
        Self {
            store: Store::new(Arc::new(Embedded::in_memory()), "app"),
            usage: Usage::default(),
        }
    }

    async fn write(&self, writes: Vec<KvWrite>) -> Result<(), CommitError> {
        let store = |writes| async {
            let changes = Store::kv_changes(writes)?;
            match self.store.write(changes).await {
                Ok(_) => Ok(()),
                Err(backplane::Error::Conflict { .. }) => Err(CommitError::Conflict),
                Err(error) => Err(CommitError::Failed(error.to_string())),
            }
        };
        self.usage.commit(&self.store, writes, MOST, false, store).await
    }

    fn held(&self) -> (i64, i64) {
        let held = self.usage.held().unwrap();
        (held.keys, held.bytes)
    }
}

fn write(key: &str, value: Option<usize>) -> KvWrite {
    KvWrite {
        bucket: "b".into(),
        key: key.into(),
        value: value.map(|bytes| Bytes::from(vec![b'x'; bytes])),
        condition: Condition::Always,
    }
}

fn limit(result: &Result<(), CommitError>, expected: &str) {
    assert_eq!(*result, Err(CommitError::Limit(expected.to_owned())));
}

#[tokio::test]
async fn keys_and_bytes_are_counted_and_limited() {
    let rig = Rig::new();
    rig.write(vec![write("a", Some(100)), write("b", Some(100))])
        .await
        .unwrap();
    assert_eq!(rig.held(), (2, 204));
    rig.write(vec![write("a", Some(50))]).await.unwrap();
    assert_eq!(rig.held(), (2, 154), "a value that is replaced counts no longer");
    limit(
        &rig.write(vec![write("c", Some(1)), write("d", Some(1))]).await,
        "kv_keys = 3",
    );
    limit(&rig.write(vec![write("b", Some(999))]).await, "kv_bytes = 1000");
    assert_eq!(rig.held(), (2, 154), "nothing of it was stored");
    rig.write(vec![write("a", None), write("gone", None)])
        .await
        .unwrap();
    assert_eq!(rig.held(), (1, 102));
    rig.write(vec![write("c", Some(1)), write("d", Some(1))])
        .await
        .unwrap();
    assert_eq!(rig.held(), (3, 108));
}

/// What an earlier process stored is found at the first write.
#[tokio::test]
async fn a_new_process_counts_what_is_there() {
    let rig = Rig::new();
    rig.write(vec![write("a", Some(100)), write("b", Some(100))])
        .await
        .unwrap();
    let again = Rig {
        store: rig.store.clone(),
        usage: Usage::default(),
    };
    again.write(vec![write("c", Some(10))]).await.unwrap();
    assert_eq!(again.held(), (3, 216));
    limit(&again.write(vec![write("d", Some(10))]).await, "kv_keys = 3");
}

#[tokio::test]
async fn blind_writes_of_one_key_at_once_count_once() {
    let rig = Rig::new();
    let writes = (1..=6).map(|size| rig.write(vec![write("a", Some(size * 10))]));
    let stored = futures_util::future::join_all(writes).await;
    assert!(stored.iter().any(Result::is_ok), "{stored:?}");
    let (value, _) = rig.store.get("b", "a").await.unwrap().unwrap();
    assert_eq!(rig.held(), (1, 2 + i64::try_from(value.len()).unwrap()));
}

#[tokio::test]
async fn a_conflict_of_who_read_first_is_its_own() {
    let rig = Rig::new();
    rig.write(vec![write("a", Some(1))]).await.unwrap();
    let stale = KvWrite {
        condition: Condition::Revision(u64::MAX),
        ..write("a", Some(2))
    };
    assert_eq!(rig.write(vec![stale]).await, Err(CommitError::Conflict));
    assert_eq!(rig.held(), (1, 3));
}
