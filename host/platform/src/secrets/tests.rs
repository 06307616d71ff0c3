use std::sync::Arc;

use backplane::{Backplane, Change, Condition, Embedded};

use crate::{Catalogue, Ceilings, Platform, PlatformError, SecretsKey};

async fn platform() -> (Platform, Arc<dyn Backplane>) {
    let backplane: Arc<dyn Backplane> = Arc::new(Embedded::in_memory());
    let key = SecretsKey::random().unwrap();
    let platform = Platform::new(Arc::clone(&backplane), Ceilings::none(), Some(key));
    for app in ["chat", "game"] {
        platform.put_manifest(app, "", "ann").await.unwrap();
    }
    (platform, backplane)
}

async fn opened(platform: &Platform, app: &str) -> Vec<(String, String)> {
    let secrets = platform.open_secrets(app).await.unwrap();
    let secrets = secrets
        .into_iter()
        .map(|(key, value)| (key, value.expose().to_string()));
    secrets.collect()
}

#[tokio::test]
async fn kept_and_read_by_the_app() {
    let (platform, _) = platform().await;
    platform
        .put_secret("chat", "API_KEY", b"hush-hush", "ann")
        .await
        .unwrap();
    platform.put_secret("chat", "EMPTY", b"", "ann").await.unwrap();
    let expected = [("API_KEY", "hush-hush"), ("EMPTY", "")];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(opened(&platform, "chat").await, expected);
    assert!(opened(&platform, "game").await.is_empty());
    let keys: Vec<_> = platform.secrets("chat").await.unwrap();
    assert_eq!(keys[0].key, "API_KEY");
    platform.remove_secret("chat", "API_KEY", "ann").await.unwrap();
    assert_eq!(opened(&platform, "chat").await, expected[1..]);
    assert_eq!(
        platform.remove_secret("chat", "API_KEY", "ann").await,
        Err(PlatformError::NoSecret("API_KEY".into()))
    );
}

#[tokio::test]
async fn nowhere_in_the_clear() {
    let (platform, backplane) = platform().await;
    platform
        .put_secret("chat", "API_KEY", b"hush-hush", "ann")
        .await
        .unwrap();
    for bucket in ["secrets", "apps", "audit"] {
        for key in backplane.keys(bucket, "", None, 100).await.unwrap() {
            let value = backplane.get(bucket, &key).await.unwrap().unwrap();
            let stored = String::from_utf8_lossy(&value.bytes);
            assert!(!stored.contains("hush"), "{bucket} {key}: {stored}");
        }
    }
    let value = &platform.open_secrets("chat").await.unwrap()[0].1;
    assert!(!format!("{value:?}").contains("hush"));
}

#[tokio::test]
async fn bound_to_its_place() {
    let (platform, backplane) = platform().await;
    platform
        .put_secret("chat", "A", b"hush-hush", "ann")
        .await
        .unwrap();
    for (app, key) in [("chat", "B"), ("game", "A")] {
        platform.put_secret(app, key, b"other", "ann").await.unwrap();
        let sealed = backplane.get("secrets", "chat/A").await.unwrap().unwrap();
        let moved = Change {
            key: format!("{app}/{key}"),
            value: Some(sealed.bytes),
            condition: Condition::Always,
        };
        backplane.write("secrets", vec![moved]).await.unwrap();
        let error = platform.open_secrets(app).await.unwrap_err().to_string();
        assert!(error.contains("moved"), "{error}");
    }
}

#[tokio::test]
async fn gone_with_the_app() {
    let (platform, backplane) = platform().await;
    platform
        .put_secret("chat", "A", b"hush-hush", "ann")
        .await
        .unwrap();
    platform.delete("chat", "ann").await.unwrap();
    assert!(backplane.keys("secrets", "", None, 10).await.unwrap().is_empty());
    platform.put_manifest("chat", "", "bob").await.unwrap();
    assert!(opened(&platform, "chat").await.is_empty());
}

#[tokio::test]
async fn nodes_hear_of_it() {
    let (platform, backplane) = platform().await;
    let draft = platform.draft("chat").await.unwrap();
    platform
        .add_version("chat", &draft, "component".into(), "ann")
        .await
        .unwrap();
    platform.set_live("chat", 1, 100, "ann").await.unwrap();
    let node = Catalogue::open(backplane).await.unwrap();
    let before = node.get("chat").unwrap().secrets;
    platform.put_secret("chat", "A", b"1", "ann").await.unwrap();
    assert_eq!(node.refresh().await.unwrap().len(), 1);
    platform.put_secret("chat", "A", b"2", "ann").await.unwrap();
    assert_eq!(node.refresh().await.unwrap().len(), 1);
    platform.remove_secret("chat", "A", "ann").await.unwrap();
    node.refresh().await.unwrap();
    assert_eq!(node.get("chat").unwrap().secrets, before + 3);
}

#[tokio::test]
async fn refused() {
    let (platform, _) = platform().await;
    let put = async |app: &str, key: &str, value: &[u8]| {
        let outcome = platform.put_secret(app, key, value, "ann").await;
        outcome.unwrap_err().to_string()
    };
    assert!(put("nobody", "A", b"x").await.contains("no app"));
    for key in ["", "a/b", "ä", "a b", &"x".repeat(129)] {
        assert!(put("chat", key, b"x").await.contains("key"), "{key}");
    }
    assert!(put("chat", "A", &vec![b'x'; 65_537]).await.contains("65536"));
    assert!(put("chat", "A", &[0xff]).await.contains("UTF-8"));
    for n in 0..100 {
        platform
            .put_secret("chat", &format!("K{n}"), b"x", "ann")
            .await
            .unwrap();
    }
    assert!(put("chat", "A", b"x").await.contains("100 secrets"));
}

#[tokio::test]
async fn without_a_key_and_with_another() {
    let (platform, backplane) = platform().await;
    platform.put_secret("chat", "A", b"x", "ann").await.unwrap();
    let keyless = Platform::new(Arc::clone(&backplane), Ceilings::none(), None);
    let refused = keyless.put_secret("chat", "A", b"x", "ann").await.unwrap_err();
    assert!(refused.to_string().contains("--secrets-key-file"), "{refused}");
    assert!(keyless.open_secrets("game").await.unwrap().is_empty());
    assert!(keyless.open_secrets("chat").await.is_err());
    let other = SecretsKey::random().unwrap();
    let other = Platform::new(backplane, Ceilings::none(), Some(other));
    let error = other.open_secrets("chat").await.unwrap_err().to_string();
    assert!(error.contains("another key"), "{error}");
}
