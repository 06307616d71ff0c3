use std::{
    hint::black_box,
    sync::atomic::Ordering,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{
    CALLS, own, reply,
    wakeline::app::{
        sockets::{self, EmitFlags},
        timers,
        types::{Error, Event, Socket},
    },
    wasi::{config, keyvalue, logging::logging},
};

pub fn run<'a>(name: &str, socket: &Socket, arg: &impl Fn(usize) -> &'a str) -> Result<(), Error> {
    let event = Event {
        name: "flood".into(),
        args: "[]".into(),
        attachments: vec![],
    };
    match name {
        "loop" => loop {
            black_box(());
        },
        "spin" => {
            let until = Instant::now() + Duration::from_millis(arg(0).parse().unwrap());
            while Instant::now() < until {
                black_box(());
            }
            reply(socket, "spun")
        }
        "hog" => {
            let mut kept = Vec::new();
            loop {
                kept.push(black_box(vec![0xAA_u8; 1 << 20]));
            }
        }
        "unreachable" => core::arch::wasm32::unreachable(),
        "panic" => panic!("the panic says {}", arg(0)),
        "overflow-memory" => reply(socket, &deep(1).to_string()),
        "overflow-calls" => reply(socket, &deep_calls(1).to_string()),
        "bulk-trap" => {
            let mut small = vec![0_u8; 16];
            // Beyond the memory's end: a trap inside of memory.fill.
            unsafe { small.as_mut_ptr().write_bytes(1, usize::MAX >> 1) };
            reply(socket, &small[0].to_string())
        }
        "emit-flood" => loop {
            let _ = sockets::emit(&own(socket), &event, EmitFlags::empty());
        },
        "emit-until-refused" => loop {
            sockets::emit(&own(socket), &event, EmitFlags::empty())?;
        },
        "emit-everyone" => {
            let everyone = sockets::Target {
                rooms: vec![],
                ..own(socket)
            };
            sockets::emit(&everyone, &event, EmitFlags::empty())
        }
        "join-many" => {
            let rooms: Vec<String> = (0..arg(0).parse().unwrap()).map(|n: u32| n.to_string()).collect();
            rooms
                .chunks(1_000)
                .try_for_each(|rooms| sockets::join(&own(socket), rooms))
        }
        "timers-many" => {
            (0..arg(0).parse().unwrap()).try_for_each(|n: u32| timers::set(&n.to_string(), 3_600_000, b""))
        }
        "emit-big" => {
            let big = Event {
                args: format!("[\"{}\"]", "x".repeat(1 << 20)),
                ..event
            };
            loop {
                sockets::emit(&own(socket), &big, EmitFlags::empty())?;
            }
        }
        "emit-enormous" => {
            let big = Event {
                args: format!("[\"{}\"]", "x".repeat(40 << 20)),
                ..event
            };
            sockets::emit(&own(socket), &big, EmitFlags::empty())
        }
        "log" => {
            logging::log(logging::Level::Info, "ctx", arg(0));
            println!("printed {}", arg(0));
            eprintln!("complained {}", arg(0));
            Ok(())
        }
        "log-flood" => loop {
            logging::log(logging::Level::Error, "ctx", "again");
        },
        "log-some" => {
            (0..arg(0).parse().unwrap())
                .for_each(|n| logging::log(logging::Level::Debug, "ctx", &n.to_string()));
            Ok(())
        }
        "print-flood" => {
            (0..20_000).for_each(|n| println!("line {n}"));
            Ok(())
        }
        "read-flood" => {
            let bucket = keyvalue::store::open("").unwrap();
            loop {
                let _ = bucket.get("key");
            }
        }
        "sleep" => {
            std::thread::sleep(Duration::from_millis(arg(0).parse().unwrap()));
            reply(socket, "woke")
        }
        "dirty" => {
            let pattern = vec![0xAA_u8; 4 << 20];
            black_box(&pattern);
            std::mem::forget(pattern);
            reply(socket, "dirtied")
        }
        "scan" => reply(socket, &dirty_bytes().to_string()),
        "capabilities" => reply(socket, &capabilities()),
        "config" => {
            let one = config::store::get(arg(0)).unwrap();
            reply(
                socket,
                &format!("{one:?} {:?}", config::store::get_all().unwrap()),
            )
        }
        "timers" => {
            timers::set("later", 1_500, b"payload")?;
            timers::cancel("other")
        }
        "exit" => std::process::exit(3),
        "handles" => loop {
            std::mem::forget(keyvalue::store::open("").unwrap());
        },
        other => Err(Error::Other(format!("no such event: {other}"))),
    }
}

fn deep(n: u64) -> u64 {
    let frame = black_box([n; 64]);
    if frame[3] == u64::MAX {
        0
    } else {
        deep(n + 1) + frame[5]
    }
}

/// Recursion that needs no memory, and is no loop in disguise.
#[inline(never)]
fn deep_calls(n: u64) -> u64 {
    if CALLS.load(Ordering::Relaxed) == u32::MAX {
        0
    } else {
        deep_calls(n + 1).rotate_left(3) ^ n
    }
}

/// Bytes that are not zero in memory that was never ours before.
fn dirty_bytes() -> usize {
    const PAGES: usize = 256;
    let old = core::arch::wasm32::memory_grow::<0>(PAGES);
    assert!(old != usize::MAX);
    let fresh = unsafe { core::slice::from_raw_parts((old * 65_536) as *const u8, PAGES * 65_536) };
    fresh.iter().filter(|byte| **byte != 0).count()
}

/// What should be there, and what should not.
fn capabilities() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut random = [0_u8; 8];
    random.copy_from_slice(&wasip2::random::random::get_random_bytes(8));
    let files = std::fs::read("/etc/passwd").is_ok() || std::fs::read_dir(".").is_ok();
    let tcp = std::net::TcpStream::connect("127.0.0.1:80").map_err(|error| error.kind());
    let socket = wasip2::sockets::tcp_create_socket::create_tcp_socket(
        wasip2::sockets::network::IpAddressFamily::Ipv4,
    );
    let environment = std::env::vars().count() + std::env::args().count();
    let stdin = std::io::stdin().lines().count();
    format!(
        "clock={} random={} files={files} tcp={} socket={} environment={environment} stdin={stdin}",
        now.as_secs() > 1_700_000_000,
        random != [0; 8],
        tcp.is_ok(),
        socket.is_ok(),
    )
}
