use std::{fs, os::unix::fs::PermissionsExt};

use crate::token::{Token, TokenError};

#[test]
fn made_once_and_readable_by_its_owner_only() {
    let data = tempfile::tempdir().unwrap();
    let made = Token::load(None, Some(data.path())).unwrap();
    let path = data.path().join("admin-token");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    let read = Token::load(None, Some(data.path())).unwrap();
    for token in [&made, &read] {
        assert!(token.admits(text.trim()));
        for wrong in ["", "abc", &text] {
            assert!(!token.admits(wrong), "{wrong}");
        }
    }
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1);
}

#[test]
fn a_file_must_hold_a_long_one() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("token");
    assert!(matches!(
        Token::load(Some(&path), None),
        Err(TokenError::Unreadable { .. })
    ));
    fs::write(&path, "short\n").unwrap();
    assert!(matches!(
        Token::load(Some(&path), None),
        Err(TokenError::TooShort { .. })
    ));
    fs::write(&path, "0123456789abcdef0123456789abcdef\n").unwrap();
    let token = Token::load(Some(&path), None).unwrap();
    assert!(token.admits("0123456789abcdef0123456789abcdef"));
    assert!(matches!(Token::load(None, None), Err(TokenError::NoPlace)));
}
