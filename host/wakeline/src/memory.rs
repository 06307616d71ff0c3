//! How the process's memory is divided.

use std::num::NonZeroUsize;

/// Gives the allocator as many arenas as threads serve; call before the first thread starts. An operator's
/// `MALLOC_ARENA_MAX` goes before it.
///
/// glibc would take eight a core. Threads that come and go, as those that compile components, then each leave an arena
/// behind that is empty and resident. With another C library nothing is to be done.
#[cfg_attr(
    not(all(target_os = "linux", target_env = "gnu")),
    expect(unused_variables, reason = "this C library divides its memory itself")
)]
pub(crate) fn share_arenas(cores: NonZeroUsize) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if std::env::var_os("MALLOC_ARENA_MAX").is_none() {
        let arenas = i32::try_from(cores.get()).unwrap_or(i32::MAX);
        #[expect(unsafe_code, reason = "a setting of the C library")]
        // SAFETY: it takes two numbers, and there is no other thread yet.
        let taken = unsafe { libc::mallopt(libc::M_ARENA_MAX, arenas) };
        debug_assert_eq!(taken, 1, "glibc takes any number of arenas");
    }
}
