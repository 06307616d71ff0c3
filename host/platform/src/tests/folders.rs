use crate::{AppDir, Ceilings, LoadError, MANIFEST_FILE};

#[test]
fn folders() {
    let root = tempfile::tempdir().unwrap();
    let load = |name: &str| AppDir::load(&root.path().join(name), &Ceilings::none());
    assert!(matches!(load("nowhere"), Err(LoadError::NoFolder(_))));

    let chat = root.path().join("chat");
    std::fs::create_dir(&chat).unwrap();
    assert!(matches!(load("chat"), Err(LoadError::NoManifest(_))));

    std::fs::write(chat.join(MANIFEST_FILE), "[assets]\ndir = \"public\"\n").unwrap();
    assert!(matches!(load("chat"), Err(LoadError::NoAssets { .. })));

    std::fs::create_dir(chat.join("public")).unwrap();
    let app = load("chat").unwrap();
    assert_eq!(app.manifest.name, "chat");
    assert!(
        app.component
            .ends_with("chat/target/wasm32-wasip2/release/chat.wasm")
    );
    assert!(app.assets.is_some_and(|assets| assets.is_dir()));
    assert!(app.watch.contains(&app.manifest_path));
}
