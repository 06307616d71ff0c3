//! Words for the summary that `cargo xtask test` prints.
use std::{fs::OpenOptions, io::Write as _};

/// Something measured on the way.
pub(crate) fn figure(text: &str) {
    println!("{text}");
    // The summary has a line for each.
    text.lines().for_each(|text| line(&format!("figure\t{text}")));
}

/// The test cannot run here, and why.
pub(crate) fn skip(reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    eprintln!("SKIPPED {test}: {reason}");
    line(&format!("skip\t{test}\t{reason}"));
}

fn line(text: &str) {
    let Some(path) = std::env::var_os("WAKELINE_TEST_REPORT") else {
        return;
    };
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(format!("{text}\n").as_bytes()).unwrap();
}
