use std::io::{BufRead, BufReader, Read};

use serde_json::Value;

/// Server-sent events, one by one.
pub(crate) struct Events {
    reader: BufReader<Box<dyn Read>>,
    line: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Empty for most.
    pub(crate) name: String,
    pub(crate) data: Value,
}

/// There are no more events in this stream.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The host ended it in order, between two events.
    Whole,
    /// The way to the host broke, or what came is not a stream of events.
    Broken(String),
}

/// Of one line; the host holds messages to less.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

impl Events {
    pub(super) fn new(reader: impl Read + 'static) -> Self {
        Self {
            reader: BufReader::new(Box::new(reader)),
            line: Vec::new(),
        }
    }

    /// The next event that has data, which is JSON. Blocks until it has come whole.
    pub(crate) fn next(&mut self) -> Result<Event, Ended> {
        let (mut name, mut data) = (String::new(), String::new());
        loop {
            self.line.clear();
            let mut limited = (&mut self.reader).take(LINE_BYTES_MAX);
            let read = limited.read_until(b'\n', &mut self.line);
            let read = read.map_err(|error| Ended::Broken(error.to_string()))?;
            if read == 0 {
                return Err(Ended::Whole);
            }
            let line = String::from_utf8_lossy(&self.line);
            if !line.ends_with('\n') {
                return Err(Ended::Broken("it ended within a line".to_owned()));
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                let name = std::mem::take(&mut name);
                if !data.is_empty() {
                    return match serde_json::from_str(&data) {
                        Ok(data) => Ok(Event { name, data }),
                        Err(error) => Err(Ended::Broken(format!("an event is not as expected: {error}"))),
                    };
                }
            } else if let Some(text) = line.strip_prefix("data:") {
                if !data.is_empty() {
                    data.push('\n');
                }
                data.push_str(text.strip_prefix(' ').unwrap_or(text));
            } else if let Some(text) = line.strip_prefix("event:") {
                text.trim_start().clone_into(&mut name);
            }
            // Other fields, and comments that keep the connection alive, mean nothing here.
        }
    }
}

#[cfg(test)]
mod tests;
