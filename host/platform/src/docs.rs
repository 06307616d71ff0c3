use std::fmt::Write;

use crate::keys::{Default, KEYS, Key, Kind, SECTIONS, split};

/// The manifest's reference in Markdown, made from the table of keys. `host/MANIFEST.md` is a copy, which a test
/// compares.
pub fn docs() -> String {
    let mut out = String::from(INTRODUCTION);
    for (section, headline) in SECTIONS {
        let title = if section.is_empty() {
            "Top level".to_owned()
        } else {
            format!("`[{section}]`")
        };
        let _ = write!(
            out,
            "\n## {title}\n\n{headline}\n\n| key | value | default | |\n|---|---|---|---|\n"
        );
        for key in KEYS.iter().filter(|key| split(key.path).0 == *section) {
            let _ = writeln!(
                out,
                "| `{}` | {} | {} | {} |",
                split(key.path).1,
                value(key),
                default(key),
                key.docs
            );
        }
    }
    out
}

fn value(key: &Key) -> String {
    match &key.kind {
        Kind::Flag => "`true` or `false`".to_owned(),
        Kind::Integer { min, max } => format!("{}, {min} to {max}", key.unit),
        Kind::Text(_) | Kind::Map => "text".to_owned(),
        Kind::Texts { min: 0, .. } => "list of texts".to_owned(),
        Kind::Texts { min, .. } => format!("list of texts, at least {min}"),
    }
}

fn default(key: &Key) -> String {
    match key.default {
        Default::Toml(literal) => format!("`{literal}`"),
        Default::Absent(meaning) => meaning.to_owned(),
    }
}

const INTRODUCTION: &str = "\
# The manifest, `wakeline.toml`

One file in an app's folder says what the app is and what it may use. Every key has a default: an empty manifest is a
valid one. A key that is not listed here is an error, so that a typing mistake never passes for a setting.
A deployed app keeps the manifest of each version; a deploy sends it along.

```toml
name = \"chat\"

[assets]
dir = \"public\"

[limits]
cpu_ms_per_call = 20
```

<!-- Made from host/platform/src/keys.rs: change it there, then run `UPDATE_EXPECT=1 cargo test -p wakeline-platform`. -->
";
