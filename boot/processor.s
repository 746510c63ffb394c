# Is this a processor that the compiled code can run on? This is asked first, since otherwise its first conditional move
# would end the machine without a word. So nothing here goes beyond a 486.
#
# The kernel is compiled for a Pentium Pro (.cargo/config.toml): for LLVM that is CMOV, CMPXCHG8B and NOPL, the long forms
# of `nop`. It also reads the time-stamp counter, and maps 4 MiB pages until it has its own page table. No code of it
# uses the FPU. CPUID has no bit for NOPL, which came with family 6. Source: Intel SDM volume 2, CPUID and NOP.

.set FLAG_ID, 1 << 21              # can be changed if there is CPUID
.set FEATURES, 1                   # CPUID's leaf with the family in EAX and the features in EDX
.set LEAST_FAMILY, 6

.set COM1, 0x3F8
.set LINE_STATUS, 5
.set READY, 0x20
.set ALL_SENT, 0x40
.set PATIENCE, 1 << 20             # looks at a port until it is taken for missing

.set SCREEN, 0xB8000
.set CELLS, 80 * 25
.set BLANK, 0x0720
.set WHITE, 0x0F

# As in arch/x86/exit.rs.
.set FREEZE, 0x505
.set DEBUG_EXIT, 0xF4
.set FAILURE, 0x11

.section .rodata.processor, "a"
.balign 4
wanted_features:
    .long 1 << 15, name_cmov
    .long 1 << 8, name_cmpxchg8b
    .long 1 << 4, name_tsc
    .long 1 << 3, name_pse
    .long 0
name_cpuid: .asciz "CPUID"
name_cmov: .asciz "CMOV"
name_cmpxchg8b: .asciz "CMPXCHG8B"
name_tsc: .asciz "TSC"
name_pse: .asciz "PSE"
name_nopl: .asciz "NOPL"
words_before: .asciz "Droste cannot start: this processor lacks "
words_after: .asciz ". A Pentium Pro or later is needed.\r\n"

.section .text.processor, "ax"

# Returns if the processor will do, with EAX and EBX as they were.
check_processor:
    push eax
    push ebx
    mov ebp, offset name_cpuid
    pushfd
    pop ecx
    xor ecx, FLAG_ID
    push ecx
    popfd
    pushfd
    pop edx
    xor edx, ecx
    test edx, FLAG_ID
    jnz refuse_processor

    mov eax, FEATURES
    cpuid
    mov esi, offset wanted_features
1:
    mov ecx, [esi]
    test ecx, ecx
    jz 2f
    mov ebp, [esi + 4]
    add esi, 8
    test edx, ecx
    jnz 1b
    jmp refuse_processor
2:
    mov ebp, offset name_nopl
    shr eax, 8
    and eax, 0xF
    cmp eax, LEAST_FAMILY
    jb refuse_processor
    pop ebx
    pop eax
    ret

# Says that the processor lacks what EBP is the name of, on serial and screen, and ends as arch/x86/exit.rs gives up.
refuse_processor:
    mov dx, COM1 + 3               # 115200 baud, 8 data bits, no parity, one stop bit
    mov al, 0x80
    out dx, al
    mov dx, COM1
    mov al, 1
    out dx, al
    inc dx
    xor al, al
    out dx, al
    mov dx, COM1 + 3
    mov al, 3
    out dx, al

    mov edi, SCREEN
    mov ecx, CELLS
    mov ax, BLANK
    rep stosw
    mov edi, SCREEN
    mov esi, offset words_before
    call say
    mov esi, ebp
    call say
    mov esi, offset words_after
    call say
    mov bl, ALL_SENT
    call await_port

    mov dx, FREEZE
    mov al, 1
    out dx, al
    jmp 1f                         # QEMU stops at the next jump
1:
    mov dx, DEBUG_EXIT
    mov eax, FAILURE
    out dx, eax
2:
    hlt
    jmp 2b

# Says the text at ESI, up to its zero. EDI is the next cell of the screen.
say:
    mov bl, READY
    call await_port
    lodsb
    test al, al
    jz 2f
    mov dx, COM1
    out dx, al
    cmp al, ' '
    jb say
    mov ah, WHITE
    stosw
    jmp say
2:
    ret

# Waits until the port's line status has the bit BL.
await_port:
    mov dx, COM1 + LINE_STATUS
    mov ecx, PATIENCE
1:
    in al, dx
    test al, bl
    jnz 2f
    dec ecx
    jnz 1b
2:
    ret
