//! What must not be written, and what must.
use super::{Complaint, tree::SourceFile};

/// Hosts of registries, and paths of one engineer's machine: a clone must work with other ones. In pieces, so
/// that this file does not break its own rule.
const FORBIDDEN: [&[&str]; 7] = [
    &["registry.", "npmjs.org"],
    &["files.", "pythonhosted.org"],
    &["pypi", ".org"],
    &["static.", "crates.io"],
    &["index.", "crates.io"],
    &["/work", "/"],
    &[".lib", "rary"],
];

pub(super) fn check(file: &SourceFile) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        let place = format!("{}:{}", file.path, number + 1);
        for pieces in FORBIDDEN {
            let word = pieces.concat();
            if line.contains(&word) {
                complaints.push(format!("{place}: names {word}"));
            }
        }
        let code = line.trim_start();
        if file.has_extension("rs") && begins_exception(code) && !has_reason(&file.text, number) {
            complaints.push(format!("{place}: an exception to a lint gives its reason"));
        }
    }
    complaints
}

fn begins_exception(code: &str) -> bool {
    ["#[allow(", "#![allow(", "#[expect(", "#![expect("]
        .iter()
        .any(|start| code.starts_with(start))
}

/// Looks up to the attribute's end, some lines further on.
fn has_reason(text: &str, number: usize) -> bool {
    let mut attribute = String::new();
    for line in text.lines().skip(number) {
        attribute.push_str(line);
        if line.trim_end().ends_with(")]") {
            break;
        }
    }
    attribute.contains("reason = ")
}
