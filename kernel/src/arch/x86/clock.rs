//! The time-stamp counter.

use core::arch::x86::_rdtsc;

/// Returns the ticks of the time-stamp counter: cycles, or instructions under QEMU with `-icount shift=0`.
#[inline]
pub fn ticks() -> u64 {
    // SAFETY: every processor that Droste is built for has the counter.
    unsafe { _rdtsc() }
}
