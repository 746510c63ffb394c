//! Makes every call, rightly and wrongly, and compares the answers. Its status is the line of the first that differs,
//! or 0.
#![no_std]
#![no_main]

use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering};
use programs::calls::{Call, CallError, LIST, LONGEST_PRINT};
use programs::{allocate, call, println, release};

programs::program!(main);

macro_rules! demand {
    ($expected:expr, $seen:expr) => {
        if $expected != $seen {
            println!("line {}: {:x?} expected, {:x?} seen", line!(), $expected, $seen);
            return line!();
        }
    };
}

/// The flags that a program sets as it likes: CF, PF, AF, ZF, SF, DF, OF, NT, AC and ID.
const PROGRAMS_FLAGS: u32 = 0x24_4CD5;

type Answer = Result<u32, u32>;

fn ok(value: u32) -> Answer {
    Ok(value)
}

fn err(error: CallError) -> Answer {
    Err(error as u32)
}

/// A number that each program of a family has for itself.
static OWN: AtomicU32 = AtomicU32::new(0);

fn main(_: &str) -> u32 {
    for number in [LIST.len() as u32, 1000, 0x8000_0000, u32::MAX] {
        demand!(err(CallError::UnknownCall), call(number, 1, 2));
    }
    match buffers() {
        0 => {}
        line => return line,
    }
    match regions() {
        0 => {}
        line => return line,
    }
    match files() {
        0 => {}
        line => return line,
    }
    match registers() {
        0 => {}
        line => return line,
    }
    clones()
}

/// Prints from where there is nothing to print, and from the edges of what there is.
fn buffers() -> u32 {
    let print = |address: u32, bytes: u32| call(Call::Print as u32, address, bytes);
    let bad = || err(CallError::BadAddress);
    let text = "x".as_ptr() as u32;
    demand!(ok(0), print(0, 0));
    demand!(err(CallError::TooLong), print(text, LONGEST_PRINT + 1));
    demand!(err(CallError::TooLong), print(text, u32::MAX));
    for place in [0, 0xFFF, 0x10_0000, 0x30_0000, 0xB_8000, 0xFF80_0000, 0xFFC0_0000, 0xFFFF_F000, 0xFFFF_FFFF] {
        demand!(bad(), print(place, 1));
        demand!(bad(), print(place, LONGEST_PRINT));
    }
    // A pool's own page, a hole, what was released, what lies around the stack.
    for place in [0x4000_0000, 0x4000_1000, 0x07FF_FFFF, 0xBFF0_0FFF, 0xC000_0000] {
        demand!(bad(), print(place, 1));
    }
    demand!(bad(), print(0xBFFF_FFFF, 2));
    demand!(bad(), print(0xBFF0_0FFF, 2));
    let Ok(region) = allocate(8192) else { return line!() };
    // Zeros of a page that nobody has touched, and half of it past the end.
    demand!(bad(), print(region + 8191, 2));
    demand!(bad(), print(region - 1, 2));
    // SAFETY: it is the region's.
    unsafe { core::slice::from_raw_parts_mut((region + 4095) as *mut u8, 2).copy_from_slice(b"~\n") };
    demand!(ok(0), print(region + 4095, 2));
    demand!(ok(2), release(region));
    demand!(bad(), print(region, 1));
    0
}

fn regions() -> u32 {
    let legitimate = |address| call(Call::IsLegitimate as u32, address, 0);
    for bytes in [0, (512 << 20) - 4095, u32::MAX] {
        demand!(err(CallError::NoRoom), allocate(bytes));
    }
    for start in [0, 1, 0x4000_0000, 0x4000_1000, 0x0800_0000, 0xBFF0_1000, 0xFFFF_F000, u32::MAX] {
        demand!(err(CallError::NoRegion), release(start));
    }
    let Ok(region) = allocate(4097) else { return line!() };
    demand!([1, 1, 0, 0].map(ok), [region, region + 8191, region + 8192, region - 1].map(legitimate));
    demand!([1, 0, 0, 0].map(ok), [main as *const () as u32, 0, 0x10_0000, 0xFFFF_F000].map(legitimate));
    demand!(err(CallError::NoRegion), release(region + 4096));
    demand!(ok(0), release(region));
    demand!(err(CallError::NoRegion), release(region));
    0
}

/// Maps the first file, a module and so read-only, as often as there is room, and what is no file.
fn files() -> u32 {
    let map = |file, writable| call(Call::Map as u32, file, writable);
    let sync = |file| call(Call::Sync as u32, file, 0);
    for file in [1000, u32::MAX] {
        demand!(err(CallError::NoFile), map(file, 0));
        demand!(err(CallError::NoFile), sync(file));
    }
    demand!([1, u32::MAX].map(|_| err(CallError::ReadOnly)), [1, u32::MAX].map(|writable| map(0, writable)));
    let Ok(start) = map(0, 0) else { return line!() };
    demand!(ok(0x7F), call(Call::Print as u32, start, 1).map(|_| read(start)));
    demand!([1, 0].map(ok), [start, start - 1].map(|place| call(Call::IsLegitimate as u32, place, 0)));
    demand!([ok(0)], [sync(0)]);
    for place in [start - 4096, start + 1, start + 4096] {
        demand!(err(CallError::NoRegion), release(place));
    }
    demand!(ok(1), release(start));
    demand!(err(CallError::NoRegion), release(start));
    let mut last = ok(0);
    let mut views = 0;
    while let Ok(view) = map(0, 0) {
        demand!(start + (views << 23), view);
        views += 1;
        last = Ok(view);
    }
    // From 0x6040_0000 to the stack, one in 8 MiB.
    demand!((191, err(CallError::NoRoom)), (views, map(0, 0)));
    demand!(last.map(read), ok(read(start)));
    while views > 0 {
        views -= 1;
        demand!(true, release(start + (views << 23)).is_ok());
    }
    0
}

fn read(address: u32) -> u32 {
    // SAFETY: it is in a file, which is mapped.
    u32::from(unsafe { (address as *const u8).read_volatile() })
}

/// Looks at the registers around calls, with the stack pointer, the data segments and the direction flag as no call
/// expects them.
fn registers() -> u32 {
    let (mut same, flags): (u32, u32);
    // SAFETY: all that is changed is put back: EBX, ESI, EDI, EBP and ESP by name, DS and ES by the kernel.
    unsafe {
        asm!(
            "pushad",
            "mov ebx, 0xB0B0B0B0", "mov esi, 0x51515151", "mov edi, 0xD1D1D1D1", "mov ecx, esp", "mov ebp, 0xB9B9B9B9",
            "mov eax, 7", "xor edx, edx",
            "mov ds, dx", "mov es, dx", "mov fs, dx",
            "std",
            "mov esp, 0x12345",
            "int 0x80",
            "mov esp, ecx", "pushfd", "cld",
            "or eax, edx",
            "sub ebx, 0xB0B0B0B0", "or eax, ebx", "sub esi, 0x51515151", "or eax, esi", "sub edi, 0xD1D1D1D1", "or eax, edi",
            "sub ebp, 0xB9B9B9B9", "or eax, ebp",
            "pop edx",
            "mov [esp + 28], eax", "mov [esp + 20], edx",
            "popad",
            out("eax") same, out("edx") flags, out("ecx") _,
        );
    }
    demand!(0, same);
    demand!(0x600, flags & 0x7600);
    // Each flag by itself, over a call, but TF, which is a crime: those of a program are kept, and popfd lets nothing else
    // through, be it to set it or, as IF here, to clear it.
    for flag in (0..32).filter(|bit| *bit != 8).map(|bit| 1 << bit) {
        let flags: u32;
        // SAFETY: the flags are put back, and the stack is as before.
        unsafe {
            asm!(
                "pushfd", "push {flag:e}", "popfd",
                "int 0x80",
                "pushfd", "pop {flags:e}", "popfd",
                flag = in(reg) flag, flags = out(reg) flags,
                inout("eax") Call::Yield as u32 => _, in("ecx") 0, inout("edx") 0 => _,
            );
        }
        demand!(0x202 | flag & PROGRAMS_FLAGS, flags);
    }
    // Addressed by ECX, which a null DS would not allow.
    same = call(Call::Yield as u32, 0, 0).unwrap_or(1);
    demand!(0, same);
    0
}

fn clones() -> u32 {
    let wait = |number| call(Call::Wait as u32, number, 0);
    for number in [0, 1, 1000, u32::MAX] {
        demand!(err(CallError::NoChild), wait(number));
    }
    OWN.store(1, Ordering::Relaxed);
    let child = match call(Call::Duplicate as u32, 0, 0) {
        Ok(0) => {
            OWN.fetch_add(10, Ordering::Relaxed);
            call(Call::Sleep as u32, 2, 0).ok();
            programs::exit(OWN.load(Ordering::Relaxed));
        }
        Ok(child) => child,
        Err(_) => return line!(),
    };
    OWN.fetch_add(1, Ordering::Relaxed);
    demand!(ok(11), wait(child));
    demand!(err(CallError::NoChild), wait(child));
    demand!(2, OWN.load(Ordering::Relaxed));
    if call(Call::Duplicate as u32, 0, 0) == Ok(0) {
        // SAFETY: it ends the clone, and nothing else.
        unsafe { asm!("hlt", options(noreturn)) };
    }
    demand!(err(CallError::NoChild), wait(child));
    demand!(err(CallError::Crashed), wait(child + 1));
    0
}
