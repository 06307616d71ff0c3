//! The cache on a paused clock, with an issuer that counts.
use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, join_all},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::advance;

use super::sign::Signer;
use crate::{
    Algorithm, Fetch, FetchError, FetchRequest, KeyCache, Policy, Rejection, Trust, Verifier,
    shelf::{FETCH_INTERVAL, FRESH, STALE_MAX},
};

/// What is published where; nothing: the endpoint is down.
#[derive(Default)]
struct Web {
    pages: Mutex<HashMap<String, Value>>,
    asked: Mutex<Vec<String>>,
}

impl Web {
    fn publish(&self, url: &str, keys: &[Value]) {
        self.pages.lock().insert(url.to_owned(), json!({ "keys": keys }));
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock())
    }
}

struct Browser(Arc<Web>);

impl Fetch for Browser {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'static, Result<Bytes, FetchError>> {
        let web = Arc::clone(&self.0);
        async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            web.asked.lock().push(request.url.to_string());
            let page = web.pages.lock().get(&*request.url).cloned();
            page.map(|page| page.to_string().into())
                .ok_or_else(|| FetchError("down".to_owned()))
        }
        .boxed()
    }
}

struct Rig {
    web: Arc<Web>,
    cache: Arc<KeyCache>,
}

const URL: &str = "https://id.example/keys";

impl Rig {
    fn new() -> Self {
        let web = Arc::new(Web::default());
        let cache = Arc::new(KeyCache::new(Arc::new(Browser(Arc::clone(&web)))));
        Self { web, cache }
    }

    fn verifier(&self, app: &str, issuer: Option<&str>, url: &str) -> Verifier {
        let policy = Policy {
            app: app.into(),
            algorithms: vec![Algorithm::Es256],
            issuer: issuer.map(str::to_owned),
            audience: None,
            leeway: Duration::ZERO,
            trust: Trust::Jwks {
                url: url.to_owned(),
                allow_private: false,
            },
        };
        Verifier::new(policy, Arc::clone(&self.cache)).unwrap()
    }
}

fn token(signer: &Signer, key_id: &str) -> String {
    signer.token_of(
        key_id,
        &json!({ "exp": 9_999_999_999_u64, "iss": "https://id.example" }),
    )
}

async fn outcome(verifier: &Verifier, token: &str) -> Result<(), Rejection> {
    verifier.verify(Some(token), "192.0.2.1", None).await.map(|_| ())
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_once_however_many_wait() {
    let (rig, signer) = (Rig::new(), Signer::new(Algorithm::Es256));
    rig.web.publish(URL, &[signer.jwk("a")]);
    let verifier = rig.verifier("chat", None, URL);
    let token = token(&signer, "a");
    let all = join_all((0..50).map(|_| outcome(&verifier, &token))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(rig.web.asked(), [URL]);
    // A new version of the app has a new verifier, and the same keys.
    assert_eq!(outcome(&rig.verifier("chat", None, URL), &token).await, Ok(()));
    assert!(rig.web.asked().is_empty());
    advance(FRESH).await;
    assert_eq!(outcome(&verifier, &token).await, Ok(()));
    assert_eq!(rig.web.asked(), [URL]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_is_looked_for_but_not_at_any_pace() {
    let rig = Rig::new();
    let (old, new) = (Signer::new(Algorithm::Es256), Signer::new(Algorithm::Es256));
    rig.web.publish(URL, &[old.jwk("old")]);
    let verifier = rig.verifier("chat", None, URL);
    assert_eq!(outcome(&verifier, &token(&old, "old")).await, Ok(()));
    rig.web.publish(URL, &[old.jwk("old"), new.jwk("new")]);
    assert_eq!(
        outcome(&verifier, &token(&new, "new")).await,
        Err(Rejection::UnknownKey)
    );
    advance(FETCH_INTERVAL).await;
    rig.web.asked();
    assert_eq!(outcome(&verifier, &token(&new, "new")).await, Ok(()));
    for guess in 0..5 {
        let guess = token(&new, &guess.to_string());
        assert_eq!(outcome(&verifier, &guess).await, Err(Rejection::UnknownKey));
    }
    assert_eq!(rig.web.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn keys_outlive_their_endpoint_for_a_while() {
    let (rig, signer) = (Rig::new(), Signer::new(Algorithm::Es256));
    let verifier = rig.verifier("chat", None, URL);
    let token = token(&signer, "a");
    assert_eq!(outcome(&verifier, &token).await, Err(Rejection::Unavailable));
    assert_eq!(outcome(&verifier, &token).await, Err(Rejection::Unavailable));
    assert_eq!(rig.web.asked().len(), 1, "not asked again at once");
    rig.web.publish(URL, &[signer.jwk("a")]);
    advance(FETCH_INTERVAL).await;
    assert_eq!(outcome(&verifier, &token).await, Ok(()));
    rig.web.pages.lock().clear();
    advance(STALE_MAX.saturating_sub(Duration::from_secs(1))).await;
    assert_eq!(outcome(&verifier, &token).await, Ok(()));
    advance(Duration::from_secs(1)).await;
    assert_eq!(outcome(&verifier, &token).await, Err(Rejection::Unavailable));
    // A page of nonsense is as good as none.
    rig.web.publish(URL, &[]);
    advance(FETCH_INTERVAL).await;
    assert_eq!(outcome(&verifier, &token).await, Err(Rejection::Unavailable));
}

/// Centrifugo took the JWKS URL from claims before they were verified.
#[tokio::test(start_paused = true)]
async fn cve_2026_32301_no_claim_and_no_header_chooses_a_url() {
    let (rig, signer, evil) = (
        Rig::new(),
        Signer::new(Algorithm::Es256),
        Signer::new(Algorithm::Es256),
    );
    rig.web.publish(URL, &[signer.jwk("a")]);
    for url in ["https://evil.example/keys", "http://169.254.169.254/keys"] {
        rig.web.publish(url, &[evil.jwk("a")]);
    }
    let verifier = rig.verifier("chat", None, URL);
    let claims =
        json!({ "exp": 9_999_999_999_u64, "iss": "https://evil.example", "tenant": "../evil.example" });
    let head = json!({
        "alg": "ES256", "kid": "a", "jku": "https://evil.example/keys", "x5u": "http://169.254.169.254/keys",
        "jwk": evil.jwk("a"),
    });
    let forged = evil.token_with(&head, &claims.to_string());
    assert_eq!(outcome(&verifier, &forged).await, Err(Rejection::Signature));
    let foreign = evil.token_of("https://evil.example/keys", &claims);
    assert_eq!(outcome(&verifier, &foreign).await, Err(Rejection::UnknownKey));
    advance(FETCH_INTERVAL).await;
    assert_eq!(outcome(&verifier, &foreign).await, Err(Rejection::UnknownKey));
    let asked = rig.web.asked();
    assert!(asked.iter().all(|asked| asked == URL), "{asked:?}");
}

/// Centrifugo cached keys by `kid` alone: what one issuer published was good for another.
#[tokio::test(start_paused = true)]
async fn cve_2026_49998_keys_of_one_id_are_kept_apart_by_app_issuer_and_url() {
    let rig = Rig::new();
    let (ours, theirs) = (Signer::new(Algorithm::Es256), Signer::new(Algorithm::Es256));
    let their_url = "https://other.example/keys";
    rig.web.publish(URL, &[ours.jwk("same")]);
    rig.web.publish(their_url, &[theirs.jwk("same")]);
    let (our_token, their_token) = (token(&ours, "same"), token(&theirs, "same"));
    let our_app = rig.verifier("chat", None, URL);
    let their_app = rig.verifier("mail", None, their_url);
    assert_eq!(outcome(&our_app, &our_token).await, Ok(()));
    assert_eq!(outcome(&their_app, &their_token).await, Ok(()));
    assert_eq!(outcome(&our_app, &their_token).await, Err(Rejection::Signature));
    assert_eq!(outcome(&their_app, &our_token).await, Err(Rejection::Signature));
    // The same app with another URL, and another app with the same one, ask for themselves.
    rig.web.asked();
    let moved = rig.verifier("chat", None, their_url);
    assert_eq!(outcome(&moved, &our_token).await, Err(Rejection::Signature));
    assert_eq!(
        outcome(&rig.verifier("third", None, URL), &our_token).await,
        Ok(())
    );
    let strict = rig.verifier("chat", Some("https://id.example"), URL);
    assert_eq!(outcome(&strict, &our_token).await, Ok(()));
    assert_eq!(rig.web.asked(), [their_url, URL, URL]);
}

#[tokio::test(start_paused = true)]
async fn guessing_is_slow_and_the_rest_is_not() {
    let (rig, signer) = (Rig::new(), Signer::new(Algorithm::Es256));
    rig.web.publish(URL, &[signer.jwk("a")]);
    let verifier = rig.verifier("chat", None, URL);
    assert_eq!(outcome(&verifier, &token(&signer, "a")).await, Ok(()));
    let start = tokio::time::Instant::now();
    for _ in 0..5 {
        let missing = verifier.verify(None, "192.0.2.9", None).await;
        assert_eq!(missing, Err(Rejection::Missing));
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    for _ in 0..3 {
        assert!(verifier.verify(Some("a.b.c"), "192.0.2.9", None).await.is_err());
    }
    assert_eq!(start.elapsed(), Duration::from_millis(500 + 1000 + 2000));
    assert!(
        verifier
            .verify(Some(&token(&signer, "a")), "192.0.2.9", None)
            .await
            .is_ok()
    );
    assert_eq!(
        start.elapsed(),
        Duration::from_millis(3500),
        "who succeeds does not wait"
    );
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_not_set_or_too_short_lets_nobody_in() {
    let rig = Rig::new();
    let signer = Signer::new(Algorithm::Hs256);
    let policy = Policy {
        app: "chat".into(),
        algorithms: vec![Algorithm::Hs256],
        issuer: None,
        audience: None,
        leeway: Duration::ZERO,
        trust: Trust::Secret("TOKENS".to_owned()),
    };
    let verifier = Verifier::new(policy, Arc::clone(&rig.cache)).unwrap();
    assert_eq!(verifier.secret_name(), Some("TOKENS"));
    let token = signer.token(&json!({ "exp": 9_999_999_999_u64 }));
    for (secret, expected) in [
        (None, Err(Rejection::Unavailable)),
        (Some(&b"short"[..]), Err(Rejection::Unavailable)),
        (Some(super::sign::SECRET), Ok(())),
    ] {
        let outcome = verifier.verify(Some(&token), "192.0.2.1", secret).await;
        assert_eq!(outcome.map(|_| ()), expected);
    }
}
