//! A file holds one noun, a function one thought: the ratchet.
use super::{Complaint, tree::SourceFile};

/// Lines of a file.
const FILE_LINES_MAX: usize = 400;
/// Lines of a function, signature and closing brace included.
const FUNCTION_LINES_MAX: usize = 70;

pub(super) fn check(file: &SourceFile) -> Vec<Complaint> {
    if !file.has_extension("rs") {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    let lines: Vec<&str> = file.text.lines().collect();
    if lines.len() > FILE_LINES_MAX {
        complaints.push(format!(
            "{}: {} lines, at most {FILE_LINES_MAX}: split it",
            file.path,
            lines.len()
        ));
    }
    for (start, line) in lines.iter().enumerate() {
        let Some(indent) = function_indent(line) else {
            continue;
        };
        let length = function_lines(&lines, start, indent);
        if length > FUNCTION_LINES_MAX {
            let place = format!("{}:{}", file.path, start + 1);
            complaints.push(format!(
                "{place}: a function of {length} lines, at most {FUNCTION_LINES_MAX}"
            ));
        }
    }
    for (number, line) in lines.iter().enumerate() {
        if line.trim_start().starts_with("mod tests {") {
            complaints.push(format!(
                "{}:{}: tests stand in a file of their own",
                file.path,
                number + 1
            ));
        }
    }
    complaints
}

/// The indent of a line that begins a function with a body or a longer signature.
fn function_indent(line: &str) -> Option<usize> {
    let code = line.trim_start();
    let words = [
        "pub ",
        "pub(crate) ",
        "pub(super) ",
        "const ",
        "async ",
        "unsafe ",
        "extern \"C\" ",
    ];
    let mut rest = code;
    while let Some(word) = words.iter().find(|word| rest.starts_with(**word)) {
        rest = rest.get(word.len()..)?;
    }
    let one_line = line.ends_with('}') || line.ends_with(';');
    (rest.starts_with("fn ") && !one_line).then(|| line.len() - code.len())
}

/// Formatted code closes a function at the indent that it began with.
fn function_lines(lines: &[&str], start: usize, indent: usize) -> usize {
    let end = lines.iter().skip(start + 1).position(|line| {
        let code = line.trim_start();
        line.len() - code.len() == indent && (code.starts_with('}') || code.ends_with(';'))
    });
    end.map_or(1, |end| end + 2)
}
