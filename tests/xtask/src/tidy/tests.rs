use super::{tree::SourceFile, *};

#[test]
fn the_house_is_tidy() {
    let complaints = complaints().unwrap();
    assert!(
        complaints.is_empty(),
        "{} broken house rules:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

fn file(path: &str, text: impl Into<String>) -> SourceFile {
    SourceFile {
        path: path.to_owned(),
        text: text.into(),
    }
}

#[test]
fn a_forbidden_edge_is_found() {
    let check = |name: &str, on: &str, kind: &str| {
        let metadata = format!(
            r#"{{"packages":[{{"name":"{name}","manifest_path":"/r/host/x/Cargo.toml",
                "dependencies":[{{"name":"{on}","kind":{kind}}}]}}]}}"#
        );
        rooms::check(&metadata).unwrap().len()
    };
    assert_eq!(check("wakeline-engineio", "tokio", "null"), 1);
    assert_eq!(check("wakeline-engineio", "tokio", "\"dev\""), 0);
    assert_eq!(check("wakeline-transport", "wakeline-router", "null"), 1);
    assert_eq!(check("wakeline-session", "hyper", "null"), 1);
    assert_eq!(check("wakeline-session", "wakeline-router", "null"), 0);
    assert_eq!(check("wakeline-newcomer", "bytes", "null"), 1);
}

#[test]
fn long_files_and_tests_within_are_found() {
    assert_eq!(sizes::check(&file("host/a.rs", "x();\n".repeat(400))).len(), 0);
    assert_eq!(sizes::check(&file("host/a.rs", "x();\n".repeat(401))).len(), 1);
    let within = ["#[cfg(test)]\nmod tests", " {\n}\n"].concat();
    assert_eq!(sizes::check(&file("host/a.rs", within)).len(), 1);
}

#[test]
fn exceptions_without_a_reason_are_found() {
    assert_eq!(words::check(&file("host/a.rs", "#[allow(dead_code)]")).len(), 1);
    assert_eq!(
        words::check(&file(
            "host/a.rs",
            "#[expect(\n    dead_code,\n    reason = \"x\"\n)]"
        ))
        .len(),
        0
    );
}
