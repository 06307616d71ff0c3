//! What runs are asked to do, and what they say they did.
use std::{fs::OpenOptions, io::Write as _};

/// A number in the environment, as `WAKELINE_SIM_SEEDS`.
pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Prints a figure, and puts it into the summary of `cargo xtask test`.
#[expect(clippy::print_stdout, reason = "figures are printed")]
pub fn tell(figure: &str) {
    println!("{figure}");
    if let Some(report) = std::env::var_os("WAKELINE_TEST_REPORT") {
        let mut report = OpenOptions::new().append(true).create(true).open(report).unwrap();
        writeln!(report, "figure\t{figure}").unwrap();
    }
}
