//! Keeps a value of its own in every register, the stack pointer and the flags among them, and in memory until so many
//! ticks have passed, beside others that keep theirs at the same addresses. The arguments are the value, a digit, and the
//! ticks. Its status is 0 if nothing has changed, and nothing of another program was seen.
#![no_std]
#![no_main]

use core::arch::asm;
use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};
use programs::call;
use programs::calls::Call;

programs::program!(main);

static OWN: AtomicU32 = AtomicU32::new(0);

fn main(arguments: &str) -> u32 {
    let (digit, rounds) = arguments.split_once(' ').unwrap_or((arguments, ""));
    let (value, rounds) = (digit.parse().unwrap_or(1_u32) * 0x1111_1111, rounds.parse().unwrap_or(100_u32));
    OWN.store(value, Ordering::Relaxed);
    let own = black_box([value; 64]);
    for _ in 0..rounds {
        if spin(value) != 0 {
            return 1;
        }
        if spin_anywhere(value) != 0 {
            return 4;
        }
        if OWN.load(Ordering::Relaxed) != value || black_box(&own).iter().any(|word| *word != value) {
            return 2;
        }
        // A selector in FS: whoever comes next must not see it.
        // SAFETY: nothing uses FS.
        unsafe { asm!("mov {0:e}, ds", "mov fs, {0:e}", out(reg) _) };
        _ = call(Call::Yield as u32, 0, 0);
        let left: u32;
        // SAFETY: reading a selector changes nothing.
        unsafe { asm!("mov {0:e}, fs", out(reg) left) };
        if left & 0xFFFF != 0 {
            return 3;
        }
    }
    0
}

/// Holds `value` in all registers but ECX and ESP while it counts. Returns which bits differed, of any register, at any
/// time.
fn spin(value: u32) -> u32 {
    let differs: u32;
    // SAFETY: all registers are put back.
    unsafe {
        asm!(
            "pushad",
            "mov ebx, eax", "mov edx, eax", "mov esi, eax", "mov edi, eax", "mov ebp, eax",
            "mov ecx, 5000",
            "2:",
            "push eax", "xor eax, ebx", "jnz 3f", "mov eax, [esp]", "xor eax, edx", "jnz 3f", "mov eax, [esp]", "xor eax, esi",
            "jnz 3f", "mov eax, [esp]", "xor eax, edi", "jnz 3f", "mov eax, [esp]", "xor eax, ebp", "jnz 3f", "pop eax",
            "dec ecx",
            "jnz 2b",
            "push eax", "xor eax, ebx",
            "3:",
            "add esp, 4",
            "mov [esp + 28], eax",
            "popad",
            inout("eax") value => differs,
        );
    }
    differs
}

/// Counts with `value` as stack pointer, where no stack is, null segments, and every flag set that a program can set.
/// Returns which bits of the pointer or of the flags differed at the end.
fn spin_anywhere(value: u32) -> u32 {
    let (pointer, flags): (u32, u32);
    // SAFETY: the flags, the stack pointer and the segments are put back, and nothing looks at them before.
    unsafe {
        asm!(
            "pushfd",
            "mov {stack:e}, esp",
            "push 0x244CD5", "popfd",
            "mov ds, {null:e}", "mov es, {null:e}",
            "mov esp, {value:e}",
            "2:",
            "lea ecx, [ecx - 1]", "jecxz 3f", "jmp 2b", // none of which touches a flag
            "3:",
            "mov {value:e}, esp",
            "mov esp, {stack:e}",
            "pushfd", "pop {null:e}",
            "push ss", "pop ds", "push ss", "pop es",
            "popfd",
            stack = out(reg) _,
            value = inout(reg) value => pointer,
            null = inout(reg) 0 => flags,
            inout("ecx") 5000 => _,
        );
    }
    (pointer ^ value) | (flags ^ 0x24_4ED7)
}
