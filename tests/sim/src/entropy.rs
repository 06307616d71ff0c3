//! One source of randomness for everything: a seed repeats a run to the last id and the order of every hash map.
//!
//! Sockets' ids decide which node takes them in, and hash maps are walked in an order that their keys' hasher draws, so
//! a run is only repeated if the operating system's random numbers are. The C library's `getrandom` is therefore
//! replaced, on threads that ask for it; on others it reads what the real one would give.
use std::{cell::RefCell, ffi::c_void, fs::File, io::Read};

use crate::Random;

thread_local! {
    static SEEDED: RefCell<Option<Random>> = const { RefCell::new(None) };
}

/// Runs `body` on a thread of its own whose every random number follows from `seed`.
pub fn seeded<R: Send>(seed: u64, body: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| {
        let running = scope.spawn(move || {
            SEEDED.with_borrow_mut(|random| *random = Some(Random::new(seed)));
            body()
        });
        running
            .join()
            .unwrap_or_else(|cause| std::panic::resume_unwind(cause))
    })
}

fn fill(bytes: &mut [u8]) -> bool {
    // Gone already when the thread ends: then nothing that is drawn matters.
    let drawn = SEEDED.try_with(|random| {
        let mut random = random.try_borrow_mut().ok()?;
        let random = random.as_mut()?;
        bytes.fill_with(|| random.draw() as u8);
        Some(())
    });
    if drawn.ok().flatten().is_some() {
        return true;
    }
    File::open("/dev/urandom").is_ok_and(|mut file| file.read_exact(bytes).is_ok())
}

/// What the C library's function of this name does, as far as anybody here asks.
#[expect(
    unsafe_code,
    reason = "the one way to repeat what std and getrandom draw; tests only"
)]
#[unsafe(no_mangle)]
extern "C" fn getrandom(bytes: *mut c_void, len: usize, _flags: u32) -> isize {
    if len == 0 || bytes.is_null() {
        return 0;
    }
    // SAFETY: the caller gives `len` writable bytes, as getrandom(2) demands.
    let bytes = unsafe {
        std::ptr::write_bytes(bytes.cast::<u8>(), 0, len);
        std::slice::from_raw_parts_mut(bytes.cast::<u8>(), len)
    };
    if fill(bytes) { len.cast_signed() } else { -1 }
}
