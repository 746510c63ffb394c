//! Each way to misbehave, by name: the kernel ends it, and says why. An unknown name is status 99; what was survived,
//! 98.
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};
use core::hint::black_box;
use programs::calls::Call;
use programs::{allocate, call, println};

programs::program!(main);

fn main(crime: &str) -> u32 {
    println!("crime {crime}");
    if let Some(number) = crime.strip_prefix("int ") {
        let Ok(number) = number.parse() else { return 99 };
        interrupt(number);
        return 98;
    }
    if let Some((way, place)) = crime.split_once(' ') {
        let Some(address) = address(place) else { return 99 };
        match way {
            "read" => _ = read(address),
            "write" => write(address),
            "jump" => jump(address),
            "push" => push(address),
            _ => return 99,
        }
        return 98;
    }
    if !instruction(crime) {
        return 99;
    }
    98
}

/// Returns a place that is none of the program's to touch.
fn address(place: &str) -> Option<u32> {
    Some(match place {
        "null" => 0,
        "kernel" => 0x10_0000,
        "kernel-data" => 0x1F_0000,
        "kernel-pool" => 0x30_0000,
        "vga" => 0xB_8000,
        "window" => 0xFFC0_0000,
        "other-window" => 0xFF80_0000,
        "directory" => 0xFFFF_F000,
        "end" => 0xFFFF_FFFC,
        "code" => main as *const () as u32,
        "constants" => "constant".as_ptr() as u32,
        "metadata" => 0x4000_0000,
        "hole" => 0x4100_0000,
        "guard" => 0xBFF0_0FFC,
        "past-the-stack" => 0xC000_0000,
        "file" => call(Call::Map as u32, 0, 0).ok()?,
        "past-the-file" => call(Call::Map as u32, 0, 0).ok()? + (1 << 22) - 4,
        "past" => allocate(4096).ok()? + 4096,
        "released" => {
            let start = allocate(4096).ok()?;
            write(start);
            programs::release(start).ok()?;
            start
        }
        _ => return None,
    })
}

fn read(address: u32) -> u32 {
    let word;
    // SAFETY: whatever is read, it is the kernel's to refuse.
    unsafe { asm!("mov {word:e}, [{address:e}]", word = out(reg) word, address = in(reg) address) };
    word
}

fn write(address: u32) {
    // SAFETY: as above, and the places are none of this program's own, but for those that can't be written.
    unsafe { asm!("mov dword ptr [{address:e}], 0", address = in(reg) address) };
}

fn jump(address: u32) {
    // SAFETY: as above.
    unsafe { asm!("jmp {address:e}", address = in(reg) address, options(noreturn)) };
}

fn push(address: u32) {
    // SAFETY: as above.
    unsafe { asm!("lea esp, [{address:e} + 4]", "push 0", "hlt", address = in(reg) address, options(noreturn)) };
}

// Each interrupt, with a return behind it.
global_asm!(
    ".section .text.interrupts, \"ax\"",
    "interrupts:",
    ".set number, 0",
    ".rept 256",
    ".byte 0xCD, number",
    "ret",
    ".set number, number + 1",
    ".endr",
    ".text",
);

/// Raises interrupt `number`.
fn interrupt(number: u8) {
    // SAFETY: three bytes are an interrupt and its return, and whatever it does, it is the kernel's to refuse.
    unsafe { asm!("lea eax, interrupts[{at:e}]", "call eax", at = in(reg) 3 * u32::from(number), clobber_abi("C")) };
}

/// Calls itself until the stack is used up.
#[allow(unconditional_recursion)]
fn recurse(depth: u32) -> u32 {
    let room = black_box([depth; 64]);
    recurse(depth + 1) + room[0]
}

/// Does what is called `crime`, if that is known.
fn instruction(crime: &str) -> bool {
    macro_rules! instructions {
        ($($name:literal: $($line:literal),+;)*) => {
            match crime {
                // SAFETY: each of them is refused.
                $($name => unsafe { asm!($($line),+, out("eax") _, out("ecx") _, out("edx") _) },)*
                // SAFETY: it goes on until it is killed.
                "endless" => unsafe { asm!("2:", "jmp 2b", options(noreturn)) },
                "stack-overflow" => _ = black_box(recurse(0)),
                _ => return false,
            }
        };
    }
    instructions! {
        "cli": "cli";
        "sti": "sti";
        "hlt": "hlt";
        "in": "in al, 0x60";
        "out": "mov dx, 0xF4", "out dx, al";
        "ins": "mov dx, 0x60", "insb";
        "outs": "push esi", "mov esi, esp", "mov dx, 0x60", "outsb", "pop esi";
        "lds-kernel": "push 0x10", "push 0", "lds eax, [esp]";
        "lss-kernel": "push 0x10", "push 0", "lss eax, [esp]";
        "lgdt": "lgdt [esp]";
        "lidt": "lidt [esp]";
        "lldt": "xor eax, eax", "lldt ax";
        "ltr": "mov eax, 0x18", "ltr ax";
        "lmsw": "xor eax, eax", "lmsw ax";
        "clts": "clts";
        "invlpg": "invlpg [esp]";
        "wbinvd": "wbinvd";
        "rdmsr": "xor ecx, ecx", "rdmsr";
        "wrmsr": "xor ecx, ecx", "wrmsr";
        "rdpmc": "xor ecx, ecx", "rdpmc";
        "read-cr0": "mov eax, cr0";
        "write-cr0": "mov cr0, eax";
        "write-cr3": "mov cr3, eax";
        "write-cr4": "mov cr4, eax";
        "write-cr2": "mov cr2, eax";
        "read-dr7": "mov eax, dr7";
        "write-dr0": "mov dr0, eax";
        "write-dr7": "mov eax, 3", "mov dr7, eax";
        "invd": "invd";
        "rsm": "rsm";
        "sysenter": "sysenter";
        "sysexit": "sysexit";
        "int-3": "int3";
        "icebp": ".byte 0xF1";
        "single-step": "pushfd", "or dword ptr [esp], 0x100", "popfd", "nop", "nop";
        "step-into-a-call": "pushfd", "or dword ptr [esp], 0x100", "mov eax, 7", "popfd", "int 0x80", "nop";
        "ds-kernel": "mov eax, 0x10", "mov ds, ax";
        "ss-kernel": "mov eax, 0x10", "mov ss, ax";
        "ss-null": "xor eax, eax", "mov ss, ax";
        "es-task": "mov eax, 0x18", "mov es, ax";
        "fs-beyond": "mov eax, 0x103", "mov fs, ax";
        "gs-local": "mov eax, 0x0F", "mov gs, ax";
        "ds-null": "xor eax, eax", "mov ds, ax", "mov eax, [eax + 0x08000000]";
        "far-jump": "push 0x08", "push 0x100000", ".byte 0xFF, 0x2C, 0x24";
        "far-call": "push 0x08", "push 0x100000", ".byte 0xFF, 0x1C, 0x24";
        "far-jump-to-a-task": "push 0x20", "push 0", ".byte 0xFF, 0x2C, 0x24";
        "far-return": "push 0x08", "push 0x100000", "retf";
        "iret-to-ring-0": "pushfd", "push 0x08", "push 0x100000", "iretd";
        "nested-task": "pushfd", "or dword ptr [esp], 0x4000", "popfd", "iretd";
        "divide": "xor edx, edx", "xor ecx, ecx", "div ecx";
        "bound": "push 0", "push 0", "mov eax, 5", "bound eax, [esp]";
        "fpu": "fninit";
        "mmx": "movd mm0, eax";
        "sse": "xorps xmm0, xmm0";
        "ud2": "ud2";
        "swapgs": ".byte 0x0F, 0x01, 0xF8";
        "vmcall": ".byte 0x0F, 0x01, 0xC1";
        "lock-nothing": ".byte 0xF0, 0x90";
    }
    true
}
