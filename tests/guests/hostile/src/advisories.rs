//! What wasmtime's own advisories describe, as far as a component in Rust can do it.
use std::hint::black_box;

use wasip2::{
    clocks::monotonic_clock, filesystem::preopens, http::types::Fields, io::streams::StreamError,
    random::random,
};

use crate::{
    own, reply,
    wakeline::app::{
        sockets::{self, EmitFlags},
        types::{Error, Event, Socket},
    },
};

pub fn run<'a>(name: &str, socket: &Socket, arg: &impl Fn(usize) -> &'a str) -> Result<(), Error> {
    match name {
        "advisory-pollables" => loop {
            std::mem::forget(monotonic_clock::subscribe_duration(u64::MAX));
        },
        "advisory-maps" => loop {
            std::mem::forget(Fields::new());
        },
        "advisory-random" => reply(socket, &random::get_random_bytes(u64::MAX).len().to_string()),
        "advisory-stream" => {
            let stdout = wasip2::cli::stdout::get_stdout();
            let bytes = vec![b'x'; 4096];
            // More than any log may hold; each is taken, refused or ends the call.
            for _ in 0..20_000 {
                if let Err(StreamError::Closed) = stdout.blocking_write_and_flush(&bytes) {
                    break;
                }
            }
            reply(socket, "written")
        }
        "advisory-fields" => {
            let (count, bytes): (usize, usize) = (arg(0).parse().unwrap(), arg(1).parse().unwrap());
            let (fields, value) = (Fields::new(), vec![b'v'; bytes]);
            let mut taken = 0;
            for index in 0..count {
                if fields.append(&format!("x-{index}"), &value).is_ok() {
                    taken += 1;
                }
            }
            reply(socket, &taken.to_string())
        }
        "advisory-values" => {
            let count = arg(0).parse().unwrap();
            let (fields, values) = (Fields::new(), vec![b"v".to_vec(); count]);
            let set = fields.set("x", &values).is_ok();
            reply(socket, &format!("{set} {}", fields.get("x").len()))
        }
        "advisory-flags" => {
            let event = Event {
                name: "flagged".into(),
                args: "[]".into(),
                attachments: vec![],
            };
            sockets::emit(
                &own(socket),
                &event,
                EmitFlags::from_bits_retain(arg(0).parse().unwrap()),
            )?;
            reply(socket, "flagged")
        }
        "advisory-bulk" => {
            let mut bytes = vec![1_u8; 8 << 20];
            loop {
                bytes.copy_within(..4 << 20, (4 << 20) - 1);
                bytes.fill(black_box(7));
            }
        }
        "advisory-bulk-trap" => {
            let mut bytes = vec![1_u8; 8 << 20];
            for _ in 0..arg(0).parse().unwrap() {
                bytes.copy_within(..4 << 20, (4 << 20) - 1);
                black_box(&mut bytes);
            }
            // To beyond the memory's end, from within it.
            let (from, to) = (bytes.as_ptr().wrapping_add(1), bytes.as_mut_ptr());
            unsafe { core::ptr::copy(black_box(from), black_box(to), black_box(usize::MAX >> 1)) };
            reply(socket, &bytes[0].to_string())
        }
        "advisory-files" => {
            let found =
                ["/", ".", "/etc/passwd", "/proc/self/environ"].map(|path| std::fs::metadata(path).is_ok());
            let made = std::fs::write("made", "x").is_ok() || std::fs::create_dir("/tmp/made").is_ok();
            let preopened = preopens::get_directories().len();
            reply(socket, &format!("{} {made} {preopened}", found.contains(&true)))
        }
        other => Err(Error::Other(format!("no such event: {other}"))),
    }
}
