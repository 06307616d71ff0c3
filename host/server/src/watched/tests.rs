use backplane::Embedded;

use super::*;

#[tokio::test]
async fn what_is_listened_to_is_counted_until_it_is_dropped() {
    let backplane = Watched::new(Arc::new(Embedded::in_memory()));
    let subscriptions = backplane.subscriptions();
    let tail = backplane.tail("app").await.unwrap();
    let mut topic = backplane.subscribe("topic").await.unwrap();
    assert_eq!(subscriptions.count(), 2);
    backplane
        .publish("topic", Bytes::from_static(b"said"))
        .await
        .unwrap();
    assert_eq!(topic.next().await.unwrap(), "said");
    drop(tail);
    assert_eq!(subscriptions.count(), 1);
    drop(topic);
    assert_eq!(subscriptions.count(), 0);
}
