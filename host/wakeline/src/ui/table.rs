use super::{Colour, out, paint_out, printable};

/// Columns on stdout, as wide as their widest cell; the last one as it is. Without rows only `empty` is said, to stderr.
pub(crate) fn table(heads: &[&str], rows: &[Vec<String>], empty: &str) {
    if rows.is_empty() {
        super::err(empty);
        return;
    }
    let mut lines = lines(heads, rows).into_iter();
    if let Some(head) = lines.next() {
        out(&paint_out(Colour::Dim, &head));
    }
    lines.for_each(|line| out(&line));
}

fn lines(heads: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    // Names of apps and tokens are others' texts.
    let rows = rows
        .iter()
        .map(|row| row.iter().map(|cell| printable(cell)).collect::<Vec<_>>());
    let all: Vec<Vec<String>> = std::iter::once(heads).chain(rows).collect();
    let columns = all.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = all.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect()
}

#[cfg(test)]
mod tests;
