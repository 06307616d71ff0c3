use expect_test::expect_file;

use super::parsed;
use crate::{
    docs,
    keys::{Default, KEYS, Kind, SECTIONS, split},
};

/// What the reference calls the default is what silence means.
#[test]
fn documented_defaults_are_what_an_empty_manifest_means() {
    for key in KEYS {
        let (section, name) = split(key.path);
        let silent = parsed(&head(section));
        let Default::Toml(literal) = key.default else {
            continue;
        };
        let text = match (&key.kind, section) {
            (Kind::Map, _) => format!("[{section}]\n"),
            (_, "") => format!("{name} = {literal}\n"),
            _ => format!("{}{name} = {literal}\n", head(section)),
        };
        assert_eq!(parsed(&text), silent, "{}", key.path);
    }
    assert_eq!(
        parsed("name = \"chat\"\ncomponent = \"target/wasm32-wasip2/release/chat.wasm\""),
        parsed("")
    );
}

/// A section's headline, with what it cannot do without.
fn head(section: &str) -> String {
    match section {
        "" => String::new(),
        "auth" => "[auth]\nalgorithms = [\"HS256\"]\nhs256_secret = \"TOKENS\"\n".to_owned(),
        _ => format!("[{section}]\n"),
    }
}

/// Every key can be set: a bound or an unusual value changes the manifest, so that no key is read by nobody.
#[test]
fn every_number_reaches_the_manifest() {
    for key in KEYS {
        let Kind::Integer { min, max } = key.kind else {
            continue;
        };
        let (section, name) = split(key.path);
        let silent = parsed(&head(section));
        for bound in [min, max] {
            assert_ne!(
                parsed(&format!("{}{name} = {bound}\n", head(section))),
                silent,
                "{}",
                key.path
            );
        }
    }
}

#[test]
fn every_key_has_a_section_and_docs() {
    for key in KEYS {
        assert!(
            SECTIONS.iter().any(|(section, _)| *section == split(key.path).0),
            "{}",
            key.path
        );
        assert!(
            key.docs.ends_with('.') || key.docs.ends_with('?'),
            "{}: {}",
            key.path,
            key.docs
        );
        assert_eq!(
            matches!(key.kind, Kind::Integer { .. }),
            !key.unit.is_empty(),
            "{}",
            key.path
        );
    }
}

#[test]
fn reference_is_current() {
    expect_file!["../../../MANIFEST.md"].assert_eq(&docs());
}
