//! A file holds one noun: the ratchet. (That a function holds one thought is clippy's `too_many_lines`.)
use super::{Complaint, tree::SourceFile};

/// Lines of a file.
const FILE_LINES_MAX: usize = 400;

pub(super) fn check(file: &SourceFile) -> Vec<Complaint> {
    if !file.has_extension("rs") {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    let length = file.text.lines().count();
    if length > FILE_LINES_MAX {
        complaints.push(format!(
            "{}: {length} lines, at most {FILE_LINES_MAX}: split it",
            file.path
        ));
    }
    for (index, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("mod tests {") {
            let place = format!("{}:{}", file.path, index + 1);
            complaints.push(format!("{place}: tests stand in a file of their own"));
        }
    }
    complaints
}
