use std::sync::Arc;

use backplane::{Backplane, Embedded};
use bytes::Bytes;

use crate::{Ceilings, Digest, Failure, Platform, PlatformError};

fn platform() -> (Platform, Arc<dyn Backplane>) {
    let backplane: Arc<dyn Backplane> = Arc::new(Embedded::in_memory());
    (
        Platform::new(Arc::clone(&backplane), Ceilings::none(), None),
        backplane,
    )
}

async fn upload(platform: &Platform, app: &str, component: &str) -> u32 {
    let draft = platform.draft(app).await.unwrap();
    let component = Bytes::copy_from_slice(component.as_bytes());
    let added = platform.add_version(app, &draft, component, "ann").await;
    added.unwrap().version
}

/// An app with that many versions, none live.
async fn with_versions(count: u32) -> Platform {
    let (platform, _) = platform();
    platform.put_manifest("chat", "", "ann").await.unwrap();
    for n in 1..=count {
        assert_eq!(upload(&platform, "chat", &format!("component {n}")).await, n);
    }
    platform
}

/// `1`, `1+2@10`: the stable version, the canary and its percent.
async fn live(platform: &Platform) -> String {
    let Some(live) = platform.app("chat").await.unwrap().live else {
        return "nothing".into();
    };
    match live.canary {
        Some((version, _, percent)) => format!("{}+{version}@{percent}", live.version),
        None => live.version.to_string(),
    }
}

#[tokio::test]
async fn manifests_are_checked() {
    let (platform, _) = platform();
    let put = |app: &'static str, text: &'static str| {
        let platform = platform.clone();
        async move { platform.put_manifest(app, text, "ann").await }
    };
    assert_eq!(put("chat", "name = \"chat\"").await, Ok(true));
    assert_eq!(put("chat", "").await, Ok(false));
    assert_eq!(&*platform.draft("chat").await.unwrap().manifest, "");
    let other = put("chat", "name = \"game\"").await.unwrap_err();
    assert!(other.to_string().contains("\"game\""), "{other}");
    let reserved = put("v1", "").await.unwrap_err();
    assert!(matches!(reserved, PlatformError::Invalid { .. }), "{reserved}");
    let PlatformError::Manifest(errors) = put("chat", "nme = 1\nlimits.memory_bytes = 1").await.unwrap_err()
    else {
        panic!("expected its problems");
    };
    assert_eq!(errors.problems.len(), 2);
}

#[tokio::test]
async fn ceilings_hold() {
    let backplane: Arc<dyn Backplane> = Arc::new(Embedded::in_memory());
    let ceilings = Ceilings::none().with("limits.memory_bytes", 128 << 20).unwrap();
    let platform = Platform::new(backplane, ceilings, None);
    let put = platform
        .put_manifest("chat", "[limits]\nmemory_bytes = 268435456", "ann")
        .await;
    assert!(matches!(put, Err(PlatformError::Manifest(_))), "{put:?}");
}

#[tokio::test]
async fn no_app() {
    let (platform, _) = platform();
    let missing = || Err::<(), _>(PlatformError::NoApp("chat".into()));
    assert_eq!(platform.app("chat").await.map(|_| ()), missing());
    assert_eq!(
        platform.set_live("chat", 1, 100, "ann").await.map(|_| ()),
        missing()
    );
    assert_eq!(platform.delete("chat", "ann").await.map(|_| ()), missing());
    let odd = platform.app(&"x".repeat(10_000)).await;
    assert!(matches!(odd, Err(PlatformError::NoApp(_))));
}

#[tokio::test]
async fn same_content_same_version() {
    let platform = with_versions(2).await;
    assert_eq!(upload(&platform, "chat", "component 1").await, 1);
    platform
        .put_manifest("chat", "[config]\nA = \"1\"", "ann")
        .await
        .unwrap();
    assert_eq!(
        upload(&platform, "chat", "component 1").await,
        3,
        "another manifest is another version"
    );
    let versions = platform.versions("chat").await.unwrap();
    let numbers: Vec<_> = versions.iter().map(|version| version.version).collect();
    assert_eq!(numbers, [3, 2, 1]);
    assert_eq!(versions[0].size_bytes, 11);
    assert_eq!(versions[0].by, "ann");
}

#[tokio::test]
async fn rollout() {
    let platform = with_versions(3).await;
    let set = async |version, percent| {
        let told = platform.set_live("chat", version, percent, "ann").await;
        told.map(|_| ()).map_err(|error| error.to_string())
    };
    assert!(set(1, 10).await.unwrap_err().contains("nothing is live yet"));
    assert!(set(1, 0).await.unwrap_err().contains("1 to 100"));
    assert!(set(9, 100).await.unwrap_err().contains("no version 9"));
    set(1, 100).await.unwrap();
    assert!(set(1, 10).await.unwrap_err().contains("stable one"));
    set(2, 10).await.unwrap();
    assert_eq!(live(&platform).await, "1+2@10");
    let percents: Vec<_> = platform.versions("chat").await.unwrap();
    let percents: Vec<_> = percents.iter().map(|version| version.percent).collect();
    assert_eq!(percents, [None, Some(10), Some(90)]);
    set(3, 50).await.unwrap();
    assert_eq!(live(&platform).await, "1+3@50");
    set(3, 100).await.unwrap();
    assert_eq!(live(&platform).await, "3");
}

#[tokio::test]
async fn rollbacks() {
    let platform = with_versions(3).await;
    let back = async |version| {
        let told = platform.rollback("chat", version, "ann").await;
        told.map(|told| told.stable).map_err(|error| error.to_string())
    };
    assert!(back(None).await.unwrap_err().contains("nothing to go back to"));
    for version in [1, 2, 3] {
        platform.set_live("chat", version, 100, "ann").await.unwrap();
    }
    assert_eq!(back(None).await, Ok(2));
    assert_eq!(back(None).await, Ok(1), "further back, not to and fro");
    assert!(back(None).await.is_err());
    assert_eq!(back(Some(3)).await, Ok(3));
    assert_eq!(back(None).await, Ok(1));
    platform.set_live("chat", 2, 20, "ann").await.unwrap();
    assert_eq!(back(None).await, Ok(1), "a canary ends first");
    assert_eq!(live(&platform).await, "1");
}

#[tokio::test]
async fn versions_that_fail() {
    let platform = with_versions(4).await;
    let fail = async |version| {
        let failed = platform.mark_failed("chat", version, "wasm trap: unreachable", "node a");
        failed.await.unwrap()
    };
    assert_eq!(fail(1).await, Failure::NotLive);
    platform.set_live("chat", 1, 100, "ann").await.unwrap();
    assert_eq!(fail(1).await, Failure::NothingBefore);
    assert_eq!(live(&platform).await, "1");
    platform.set_live("chat", 1, 100, "ann").await.unwrap();
    platform.set_live("chat", 2, 100, "ann").await.unwrap();
    platform.set_live("chat", 3, 100, "ann").await.unwrap();
    assert_eq!(fail(3).await, Failure::RolledBack { to: 2 });
    assert_eq!(fail(3).await, Failure::NotLive, "a second node says the same");
    platform.set_live("chat", 4, 10, "ann").await.unwrap();
    assert_eq!(fail(4).await, Failure::CanaryEnded);
    assert_eq!(live(&platform).await, "2");
    let versions = platform.versions("chat").await.unwrap();
    assert_eq!(versions[0].failed.as_deref(), Some("wasm trap: unreachable"));
    // Whoever tries again means it.
    platform.set_live("chat", 3, 100, "ann").await.unwrap();
    assert_eq!(platform.versions("chat").await.unwrap()[1].failed, None);
}

#[tokio::test]
async fn setting_what_is_set_is_no_change() {
    let platform = with_versions(1).await;
    let first = platform.set_live("chat", 1, 100, "ann").await.unwrap();
    let again = platform.set_live("chat", 1, 100, "ann").await.unwrap();
    assert_eq!(first, again);
}

#[tokio::test]
async fn old_versions_go() {
    let (platform, backplane) = platform();
    platform.put_manifest("chat", "", "ann").await.unwrap();
    upload(&platform, "chat", "first").await;
    platform.set_live("chat", 1, 100, "ann").await.unwrap();
    for n in 2..=60 {
        upload(&platform, "chat", &format!("component {n}")).await;
    }
    let versions = platform.versions("chat").await.unwrap();
    assert_eq!(versions.len(), 50);
    assert_eq!(versions.last().unwrap().version, 1, "it is live");
    let blob = async |text: &str| {
        let digest = Digest::of(text.as_bytes()).to_string();
        backplane.get_blob(&digest).await.unwrap().is_some()
    };
    assert!(!blob("component 2").await);
    assert!(blob("component 60").await && blob("first").await);
    let gone = platform.set_live("chat", 2, 100, "ann").await.unwrap_err();
    assert!(gone.to_string().contains("no longer kept"), "{gone}");
}

#[tokio::test]
async fn deleting_leaves_nothing_and_takes_nothing_of_others() {
    let (platform, backplane) = platform();
    for app in ["chat", "game"] {
        platform.put_manifest(app, "", "ann").await.unwrap();
        upload(&platform, app, "shared").await;
        platform.set_live(app, 1, 100, "ann").await.unwrap();
    }
    upload(&platform, "chat", "own").await;
    let write = |value: &'static str| backplane::Change {
        key: "kv".into(),
        value: Some(value.into()),
        condition: backplane::Condition::Always,
    };
    for app in ["chat", "game"] {
        let bucket = crate::data_bucket(app);
        backplane.write(&bucket, vec![write("x")]).await.unwrap();
    }
    platform.delete("chat", "ann").await.unwrap();

    let blob = async |text: &str| {
        let digest = Digest::of(text.as_bytes()).to_string();
        backplane.get_blob(&digest).await.unwrap().is_some()
    };
    assert!(!blob("own").await);
    assert!(blob("shared").await, "the other app runs it");
    assert_eq!(backplane.get("data:chat", "kv").await.unwrap(), None);
    assert!(backplane.get("data:game", "kv").await.unwrap().is_some());
    platform.delete("game", "ann").await.unwrap();
    assert!(!blob("shared").await);
    let left = backplane.keys("apps", "", None, 10).await.unwrap();
    assert_eq!(left, ["changes"]);

    // The name is free, and whoever takes it finds nothing.
    platform.put_manifest("chat", "", "bob").await.unwrap();
    assert!(platform.versions("chat").await.unwrap().is_empty());
    let own = platform.audit_entries(Some("chat"), 100).await.unwrap();
    let by: Vec<_> = own.iter().map(|entry| entry.by.as_str()).collect();
    assert_eq!(by, ["bob"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_blob_that_one_drops_while_another_takes_it_is_there() {
    let (platform, backplane) = platform();
    let digest = Digest::of(b"shared").to_string();
    for _ in 0..50 {
        platform.put_manifest("old", "", "ann").await.unwrap();
        upload(&platform, "old", "shared").await;
        let dropping = platform.clone();
        let drops = tokio::spawn(async move { dropping.delete("old", "ann").await });
        platform.put_manifest("new", "", "ann").await.unwrap();
        upload(&platform, "new", "shared").await;
        drops.await.unwrap().unwrap();
        assert!(backplane.get_blob(&digest).await.unwrap().is_some());
        platform.delete("new", "ann").await.unwrap();
        assert!(backplane.get_blob(&digest).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn files_go_with_the_next_version() {
    let platform = with_versions(1).await;
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    tar.append_data(&mut header, "index.html", &b"hi"[..]).unwrap();
    let archive = tar.into_inner().unwrap();
    let bundle = crate::read_bundle(&archive).unwrap();
    platform.put_assets("chat", &bundle, "ann").await.unwrap();
    assert_eq!(platform.versions("chat").await.unwrap()[0].assets, None);
    assert_eq!(upload(&platform, "chat", "component 1").await, 2);
    assert_eq!(
        platform.versions("chat").await.unwrap()[0].assets,
        Some(bundle.digest)
    );
    let draft = platform.draft("chat").await.unwrap();
    platform.remove_assets("chat", "ann").await.unwrap();
    assert_eq!(
        upload(&platform, "chat", "component 1").await,
        1,
        "without files it is what there was"
    );
    let again = platform.add_version("chat", &draft, "other".into(), "ann").await;
    assert_eq!(again.unwrap().version, 3, "an older version still has the files");
}

#[tokio::test]
async fn apps_by_pages() {
    let (platform, _) = platform();
    for app in ["c", "a", "b"] {
        platform.put_manifest(app, "", "ann").await.unwrap();
    }
    let names = async |after: Option<&str>| {
        let apps = platform.apps(after, 2).await.unwrap();
        apps.into_iter().map(|app| app.name).collect::<Vec<_>>()
    };
    assert_eq!(names(None).await, ["a", "b"]);
    assert_eq!(names(Some("b")).await, ["c"]);
}

#[tokio::test]
async fn audit_keeps_the_newest() {
    let (platform, _) = platform();
    platform.put_manifest("chat", "", "ann").await.unwrap();
    for n in 0..1_010 {
        platform.audit("bob", "test", Some("chat"), n.to_string()).await;
    }
    let entries = platform.audit_entries(Some("chat"), 5_000).await.unwrap();
    assert_eq!(entries.len(), 1_000);
    assert_eq!(entries[0].detail, "1009");
    assert_eq!(entries[999].detail, "10");
    let all = platform.audit_entries(None, 5_000).await.unwrap();
    assert_eq!(all.len(), 1_011);
    assert_eq!(all[1_010].action, "app.create");
    assert_eq!(platform.audit_entries(None, 2).await.unwrap().len(), 2);
}
