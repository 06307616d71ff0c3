use super::*;

fn refused(what: &Path, name: Option<&str>) -> String {
    match Source::load(what, name) {
        Ok(source) => unreachable!("it is {}", source.name),
        Err(failure) => format!("{} {}", failure.message, failure.help.unwrap_or_default()),
    }
}

#[test]
fn another_name_takes_the_place_of_the_manifests_and_nothing_else() {
    let check = |text, expected: &str| assert_eq!(renamed(text, "stage"), expected);
    check(
        "name = \"chat\" # ours\n[limits]\n",
        "name = \"stage\" # ours\n[limits]\n",
    );
    check("# a\n\nname='chat'", "# a\n\nname=\"stage\"");
    check("[limits]\ntimers = 1\n", "[limits]\ntimers = 1\n");
    check("[config]\nname = \"x\"\n", "[config]\nname = \"x\"\n");
}

#[test]
fn a_folder_is_an_app_and_a_file_a_component() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let file = dir.join("x.wasm");
    assert!(refused(dir, None).contains("wakeline.toml"));
    assert!(refused(&file, Some("chat")).contains("there is no file"));
    fs::write(&file, b"\0asm\x0d\0\x01\0").unwrap();
    assert!(refused(&file, None).contains("--app NAME"));
    assert!(refused(&file, Some("Chat")).contains("--app: expected a DNS label"));
    let source = Source::load(&file, Some("chat")).unwrap();
    assert_eq!((source.name.as_str(), source.manifest.as_deref()), ("chat", None));
    assert_eq!(source.component().unwrap().len(), 8);
    fs::write(dir.join(MANIFEST_FILE), "name = \"lobby\"\n").unwrap();
    let source = Source::load(&file, None).unwrap();
    assert_eq!(source.manifest.as_deref(), Some("name = \"lobby\"\n"));
    assert_eq!(source.component().unwrap().len(), 8);
    let source = Source::load(dir, Some("chat")).unwrap();
    assert_eq!(source.manifest.as_deref(), Some("name = \"chat\"\n"));
    fs::write(&file, "hello").unwrap();
    let source = Source::load(&file, None).unwrap();
    assert!(
        source
            .component()
            .unwrap_err()
            .message
            .contains("not WebAssembly")
    );
}
