//! The four memory functions that compiled code calls by name, and one symbol that the prebuilt `core` asks for.
//!
//! They are the `rep` instructions, so that a page fault in the middle of one resumes where it was: the registers are
//! the whole state. Calls arrive with the direction flag clear (System V ABI for i386). The compiler keeps ESI for itself,
//! so it cannot be named as an operand, and is exchanged with EDX, which is one.

use core::arch::asm;

/// Copies `count` bytes from `source` to `target`, which do not overlap.
///
/// # Safety
///
/// As C's `memcpy`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcpy(target: *mut u8, source: *const u8, count: usize) -> *mut u8 {
    // SAFETY: (1) the caller vouches for both ranges; (2) words and then the rest add up to `count` bytes.
    unsafe {
        asm!(
            "xchg esi, edx",
            "rep movsd",
            "mov ecx, eax",
            "rep movsb",
            "mov esi, edx",
            inout("edx") source => _,
            in("eax") count % 4,
            inout("ecx") count / 4 => _,
            inout("edi") target => _,
            options(nostack, preserves_flags)
        );
    }
    target
}

/// Copies `count` bytes from `source` to `target`, which may overlap.
///
/// # Safety
///
/// As C's `memmove`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memmove(target: *mut u8, source: *const u8, count: usize) -> *mut u8 {
    // Ascending order is right unless the target starts inside the source.
    if (target as usize).wrapping_sub(source as usize) >= count {
        // SAFETY: (1) the caller vouches for both ranges; (2) ascending order reads each byte before it is overwritten.
        return unsafe { memcpy(target, source, count) };
    }
    // SAFETY: (1) the caller vouches for both ranges; (2) descending order starts at their last bytes, which exist since
    // `count` is not zero here; (3) the direction flag is clear again at the end.
    unsafe {
        asm!(
            "xchg esi, edx",
            "std",
            "rep movsb",
            "cld",
            "mov esi, edx",
            inout("edx") source.wrapping_add(count).wrapping_sub(1) => _,
            inout("ecx") count => _,
            inout("edi") target.wrapping_add(count).wrapping_sub(1) => _,
            options(nostack)
        );
    }
    target
}

/// Fills `count` bytes at `target` with the low byte of `value`.
///
/// # Safety
///
/// As C's `memset`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memset(target: *mut u8, value: i32, count: usize) -> *mut u8 {
    let word = u32::from_ne_bytes([value as u8; 4]);
    // SAFETY: (1) the caller vouches for the range; (2) words and then the rest add up to `count` bytes.
    unsafe {
        asm!(
            "rep stosd",
            "mov ecx, edx",
            "rep stosb",
            in("edx") count % 4,
            inout("ecx") count / 4 => _,
            inout("edi") target => _,
            in("eax") word,
            options(nostack, preserves_flags)
        );
    }
    target
}

/// Compares `count` bytes: zero if they are equal, otherwise the sign of the first difference.
///
/// # Safety
///
/// As C's `memcmp`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    let difference: i32;
    // SAFETY: the caller vouches for both ranges. Comparing EAX with itself first makes no bytes compare as equal.
    unsafe {
        asm!(
            "xchg esi, edx",
            "cmp eax, eax",
            "repe cmpsb",
            "mov esi, edx",
            // Neither mov nor seta changes the carry flag, which says "below".
            "mov eax, 0",
            "seta al",
            "sbb eax, 0",
            inout("edx") left => _,
            inout("ecx") count => _,
            inout("edi") right => _,
            out("eax") difference,
            options(nostack, readonly)
        );
    }
    difference
}

/// Compares `count` bytes: zero if and only if they are equal.
///
/// # Safety
///
/// As `memcmp`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    // SAFETY: the caller vouches for both ranges.
    unsafe { memcmp(left, right, count) }
}

/// Does nothing: the prebuilt `core` names it in tables for unwinding, and Droste's panics abort.
#[unsafe(no_mangle)]
pub extern "C" fn rust_eh_personality() {}
