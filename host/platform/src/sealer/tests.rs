use std::{fs, os::unix::fs::PermissionsExt};

use crate::SecretsKey;

#[test]
fn made_once_and_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let first = SecretsKey::read_or_make(folder.path()).unwrap();
    let file = folder.path().join("secrets-key");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let second = SecretsKey::read_or_make(folder.path()).unwrap();
    let sealed = first.seal(b"hush", "chat/A").unwrap();
    assert_eq!(second.open(&sealed, "chat/A").unwrap(), b"hush");
    assert_eq!(SecretsKey::read(&file).unwrap().id, first.id);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let text = fs::read_to_string(&file).unwrap();
    assert!(!format!("{first:?}").contains(text.trim()));
}

#[test]
fn files_that_are_no_keys() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    assert!(SecretsKey::read(&file).is_err());
    for text in ["", "abcd", &"x".repeat(64), &"a".repeat(65)] {
        fs::write(&file, text).unwrap();
        let error = SecretsKey::read(&file).unwrap_err().to_string();
        assert!(error.contains("openssl rand"), "{error}");
    }
}

#[test]
fn damaged() {
    let key = SecretsKey::random().unwrap();
    let sealed = key.seal(b"hush", "chat/A").unwrap();
    for at in 0..sealed.len() {
        let mut damaged = sealed.clone();
        damaged[at] ^= 1;
        assert!(key.open(&damaged, "chat/A").is_err(), "byte {at}");
        assert!(key.open(&sealed[..at], "chat/A").is_err(), "cut at {at}");
    }
    assert_ne!(
        key.seal(b"hush", "chat/A").unwrap(),
        sealed,
        "a nonce is not used twice"
    );
}
