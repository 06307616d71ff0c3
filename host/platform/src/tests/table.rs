use expect_test::expect_file;

use super::parsed;
use crate::{
    docs,
    keys::{Default, KEYS, Kind, SECTIONS, split},
};

/// What the reference calls the default is what silence means.
#[test]
fn documented_defaults_are_what_an_empty_manifest_means() {
    let silent = parsed("");
    for key in KEYS {
        let (section, name) = split(key.path);
        let Default::Toml(literal) = key.default else {
            continue;
        };
        let text = match (&key.kind, section) {
            (Kind::Map, _) => format!("[{section}]\n"),
            (_, "") => format!("{name} = {literal}\n"),
            _ => format!("[{section}]\n{name} = {literal}\n"),
        };
        assert_eq!(parsed(&text), silent, "{}", key.path);
    }
    assert_eq!(
        parsed("name = \"chat\"\ncomponent = \"target/wasm32-wasip2/release/chat.wasm\""),
        silent
    );
}

/// Every key can be set: a bound or an unusual value changes the manifest, so that no key is read by nobody.
#[test]
fn every_number_reaches_the_manifest() {
    let silent = parsed("");
    for key in KEYS {
        let Kind::Integer { min, max } = key.kind else {
            continue;
        };
        let (section, name) = split(key.path);
        for bound in [min, max] {
            assert_ne!(
                parsed(&format!("[{section}]\n{name} = {bound}\n")),
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
