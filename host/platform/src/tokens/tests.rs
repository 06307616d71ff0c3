use std::{sync::Arc, time::Duration};

use backplane::{Backplane, Embedded};

use crate::{Ceilings, NewToken, Platform, PlatformError, Scope};

async fn two_nodes() -> (Platform, Platform, Arc<dyn Backplane>) {
    let backplane: Arc<dyn Backplane> = Arc::new(Embedded::in_memory());
    let node = || Platform::new(Arc::clone(&backplane), Ceilings::none(), None);
    let (here, there) = (node(), node());
    here.put_manifest("chat", "", "ann").await.unwrap();
    (here, there, backplane)
}

fn new(scopes: &[Scope]) -> NewToken {
    NewToken {
        name: "ci".into(),
        scopes: scopes.to_vec(),
        expires_in: None,
    }
}

#[tokio::test]
async fn an_apps_token() {
    let (here, there, backplane) = two_nodes().await;
    let scopes = [Scope::Deploy, Scope::Read, Scope::Read];
    let (info, text) = here
        .create_token(Some("chat"), new(&scopes), "ann")
        .await
        .unwrap();
    assert!(text.starts_with("wka_") && text.len() == 47, "{text}");
    let who = there.authenticate(&text).await.unwrap().unwrap();
    assert_eq!(who.app.as_deref(), Some("chat"));
    assert_eq!(who.scopes, [Scope::Read, Scope::Deploy]);
    assert_eq!(who.id, info.id);
    assert!(who.has(Scope::Read) && !who.has(Scope::Admin));
    assert_eq!(there.tokens(Some("chat")).await.unwrap(), [info]);
    assert!(there.tokens(None).await.unwrap().is_empty());

    // Nothing that is stored is, or contains, the token.
    let secret = text.strip_prefix("wka_").unwrap();
    for bucket in ["tokens", "audit", "apps"] {
        for key in backplane.keys(bucket, "", None, 100).await.unwrap() {
            let value = backplane.get(bucket, &key).await.unwrap().unwrap();
            let stored = key + &String::from_utf8_lossy(&value.bytes);
            assert!(!stored.contains(secret), "{stored}");
        }
    }
}

#[tokio::test]
async fn an_operators_token() {
    let (here, there, _) = two_nodes().await;
    let (_, text) = here.create_token(None, new(&[]), "ann").await.unwrap();
    assert!(text.starts_with("wko_"));
    let who = there.authenticate(&text).await.unwrap().unwrap();
    assert!(who.is_operator() && who.has(Scope::Admin));
    let scoped = here.create_token(None, new(&[Scope::Read]), "ann").await;
    assert!(matches!(scoped, Err(PlatformError::Invalid { .. })));
}

#[tokio::test]
async fn what_is_no_token() {
    let (here, _, _) = two_nodes().await;
    let (_, text) = here
        .create_token(Some("chat"), new(&[Scope::Read]), "ann")
        .await
        .unwrap();
    let other = text.replace("wka_", "wko_");
    let mut wrong = text.clone();
    wrong.pop();
    wrong.push(if text.ends_with('A') { 'B' } else { 'A' });
    let long = format!("wka_{}", "x".repeat(100_000));
    for token in [
        "",
        "wka_",
        "wko_",
        &text[..46],
        &other,
        &wrong,
        &long,
        "of/chat",
        "operators",
    ] {
        assert_eq!(here.authenticate(token).await.unwrap(), None, "{token}");
    }
}

#[tokio::test]
async fn bad_wishes() {
    let (here, _, _) = two_nodes().await;
    let refused = async |app, new| here.create_token(app, new, "ann").await.unwrap_err().to_string();
    assert!(refused(Some("chat"), new(&[])).await.contains("at least one"));
    assert!(
        refused(Some("nobody"), new(&[Scope::Read]))
            .await
            .contains("no app")
    );
    let unnamed = NewToken {
        name: String::new(),
        ..new(&[Scope::Read])
    };
    assert!(refused(Some("chat"), unnamed).await.contains("name"));
    for _ in 0..100 {
        here.create_token(Some("chat"), new(&[Scope::Read]), "ann")
            .await
            .unwrap();
    }
    assert!(
        refused(Some("chat"), new(&[Scope::Read]))
            .await
            .contains("revoke")
    );
}

#[tokio::test(start_paused = true)]
async fn revoked_within_seconds() {
    let (here, there, _) = two_nodes().await;
    let (info, text) = here
        .create_token(Some("chat"), new(&[Scope::Read]), "ann")
        .await
        .unwrap();
    for node in [&here, &there] {
        assert!(node.authenticate(&text).await.unwrap().is_some());
    }
    // Neither as an operator's nor as another app's.
    assert_eq!(
        here.revoke_token(None, &info.id, "ann").await,
        Err(PlatformError::NoToken)
    );
    here.revoke_token(Some("chat"), &info.id, "ann").await.unwrap();
    assert!(here.authenticate(&text).await.unwrap().is_none(), "here at once");
    tokio::time::advance(Duration::from_secs(3)).await;
    assert!(there.authenticate(&text).await.unwrap().is_none(), "there soon");
    assert!(there.tokens(Some("chat")).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_comes_to_be_is_not_missed_for_long() {
    let (here, there, _) = two_nodes().await;
    let guess = format!("wka_{}", "A".repeat(43));
    assert!(there.authenticate(&guess).await.unwrap().is_none());
    let (_, text) = here
        .create_token(Some("chat"), new(&[Scope::Read]), "ann")
        .await
        .unwrap();
    assert!(there.authenticate(&text).await.unwrap().is_some());
}

#[tokio::test]
async fn ended() {
    let (here, there, _) = two_nodes().await;
    let short = NewToken {
        expires_in: Some(Duration::ZERO),
        ..new(&[Scope::Read])
    };
    let (_, text) = here.create_token(Some("chat"), short, "ann").await.unwrap();
    assert!(there.authenticate(&text).await.unwrap().is_none());
    assert!(here.tokens(Some("chat")).await.unwrap().is_empty());
    let long = NewToken {
        expires_in: Some(Duration::from_secs(3600)),
        ..new(&[Scope::Read])
    };
    let (info, text) = here.create_token(Some("chat"), long, "ann").await.unwrap();
    assert_eq!(info.expires_at_ms, Some(info.created_at_ms + 3_600_000));
    assert!(there.authenticate(&text).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_app_that_goes_takes_its_tokens_along() {
    let (here, there, backplane) = two_nodes().await;
    let (_, text) = here
        .create_token(Some("chat"), new(&[Scope::Admin]), "ann")
        .await
        .unwrap();
    there.authenticate(&text).await.unwrap();
    here.delete("chat", "ann").await.unwrap();
    here.put_manifest("chat", "", "bob").await.unwrap();
    assert!(here.authenticate(&text).await.unwrap().is_none());
    tokio::time::advance(Duration::from_secs(3)).await;
    assert!(there.authenticate(&text).await.unwrap().is_none());
    assert!(backplane.keys("tokens", "", None, 10).await.unwrap().is_empty());
}
