use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};

use super::{Subject, list};
use crate::Error;

list![topics, topics_apart, blobs, blob_digests];

async fn topics(subject: Subject) {
    let topic = subject.name("topic");
    subject
        .backplane
        .publish(&topic, Bytes::from_static(b"nobody"))
        .await
        .unwrap();
    let mut one = subject.backplane.subscribe(&topic).await.unwrap();
    let mut two = subject.backplane.subscribe(&topic).await.unwrap();
    subject
        .backplane
        .publish(&topic, Bytes::from_static(b"hi"))
        .await
        .unwrap();
    assert_eq!(one.next().await.unwrap(), "hi");
    assert_eq!(two.next().await.unwrap(), "hi");
    drop(two);
    subject.backplane.publish(&topic, Bytes::new()).await.unwrap();
    assert_eq!(one.next().await.unwrap(), "");
}

async fn topics_apart(subject: Subject) {
    let names = ["t", "t.a", "t.*", "t.>", "t/", "T"].map(|name| subject.name(name));
    let mut streams = Vec::new();
    for name in &names {
        streams.push(subject.backplane.subscribe(name).await.unwrap());
    }
    for name in &names {
        subject
            .backplane
            .publish(name, Bytes::copy_from_slice(name.as_bytes()))
            .await
            .unwrap();
    }
    for (name, stream) in names.iter().zip(&mut streams) {
        assert_eq!(stream.next().await.unwrap(), name.as_bytes());
        assert!(stream.next().now_or_never().is_none());
    }
}

async fn blobs(subject: Subject) {
    let blob = Bytes::from(subject.name("blob").repeat(10_000));
    let digest = subject.backplane.put_blob(blob.clone()).await.unwrap();
    assert_eq!(
        subject.backplane.put_blob(blob.clone()).await.unwrap(),
        digest,
        "once more"
    );
    assert_eq!(subject.backplane.get_blob(&digest).await.unwrap(), Some(blob));
    subject.backplane.delete_blob(&digest).await.unwrap();
    assert_eq!(subject.backplane.get_blob(&digest).await.unwrap(), None);
    subject.backplane.delete_blob(&digest).await.unwrap();
}

async fn blob_digests(subject: Subject) {
    let empty = subject.backplane.put_blob(Bytes::new()).await.unwrap();
    assert_eq!(
        empty,
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(
        subject.backplane.get_blob(&empty).await.unwrap(),
        Some(Bytes::new())
    );
    for hostile in [
        "",
        "../state",
        &empty.to_uppercase(),
        &empty[1..],
        &format!("{empty}0"),
        "é",
    ] {
        assert!(
            matches!(subject.backplane.get_blob(hostile).await, Err(Error::Invalid(_))),
            "{hostile:?}"
        );
        assert!(
            matches!(
                subject.backplane.delete_blob(hostile).await,
                Err(Error::Invalid(_))
            ),
            "{hostile:?}"
        );
    }
}
