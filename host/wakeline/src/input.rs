//! What must not stand in a command line, where other users of the machine and the shell's history see it.
use std::io::{self, BufRead, IsTerminal, Read};

use crate::{
    failure::{Failure, Kind},
    ui,
};

/// More than any value that a host takes.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// All of stdin, or from a terminal one line that is not shown. A line's end at its end is not part of it.
pub(crate) fn secret(prompt: &str) -> Result<Vec<u8>, Failure> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password(prompt)
            .map(String::into_bytes)
            .map_err(|error| {
                Failure::new(
                    Kind::Unavailable,
                    format!("cannot read from the terminal: {error}"),
                )
            });
    }
    let mut bytes = all()?;
    if bytes.ends_with(b"\n") {
        bytes.pop();
        bytes.pop_if(|byte| *byte == b'\r');
    }
    Ok(bytes)
}

/// All of stdin.
pub(crate) fn all() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::new(Kind::Unavailable, format!("cannot read stdin: {error}")))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(Failure::new(
            Kind::App,
            format!("stdin has more than {BYTES_MAX} bytes"),
        ));
    }
    Ok(bytes)
}

/// One line that a person types. Scripts are told by `instead` what to do.
pub(crate) fn line(prompt: &str, instead: &str) -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new(Kind::Usage, "this asks, and there is nobody to answer").help(instead));
    }
    ui::prompt(prompt);
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| {
        Failure::new(
            Kind::Unavailable,
            format!("cannot read from the terminal: {error}"),
        )
    })?;
    Ok(line.trim().to_owned())
}
