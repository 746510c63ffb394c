# From the boot loader to Rust: a stack, the first 4 MiB identity-mapped, paging on, kmain(magic, info).
#
# The boot loader leaves the processor in 32-bit protected mode with flat segments, interrupts and paging off,
# EAX = magic number, EBX = physical address of the boot information. ESP, the GDT and the IDT are undefined.

.set PRESENT_WRITABLE, 0b11
.set ENTRIES, 1024
.set CR0_PAGING, 1 << 31
.set CR0_WRITE_PROTECT, 1 << 16

# One directory and one table, cleared by the boot loader like all of .bss.
.section .bss.boot_tables, "aw", @nobits
.balign 4096
.global boot_directory_start
boot_directory_start:
    .skip 4096
.global boot_table_start
boot_table_start:
    .skip 4096

.section .text.entry, "ax"
.global _start
_start:
    cli
    cld
    mov esp, offset stack_top
    call check_processor

    # Fill the table from its first entry to its last: entry i maps page i to frame i.
    mov edi, offset boot_table_start
    mov edx, PRESENT_WRITABLE
    mov ecx, ENTRIES
1:
    mov [edi], edx
    add edi, 4
    add edx, 4096
    dec ecx
    jnz 1b

    # The guard page below the stack stays absent, so that an overflow cannot pass unnoticed.
    mov edi, offset stack_guard
    shr edi, 12
    mov dword ptr [boot_table_start + 4 * edi], 0

    # Entry 0 of the directory leads to the table. All others are absent.
    mov edx, offset boot_table_start
    or edx, PRESENT_WRITABLE
    mov [boot_directory_start], edx

    mov edx, offset boot_directory_start
    mov cr3, edx
    # Write-protect makes read-only pages read-only for the kernel too.
    mov edx, cr0
    or edx, CR0_PAGING | CR0_WRITE_PROTECT
    mov cr0, edx

    # A frame pointer of zero ends a backtrace. kmain never returns; the return address is there for debuggers.
    xor ebp, ebp
    push ebx
    push eax
    call kmain
    ud2
