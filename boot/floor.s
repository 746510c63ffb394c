# The floor: what the bare processor needs for the kernel's work, with nothing around it. For measuring only.
#
# Fastcall: the first argument is in ECX, the second in EDX. EAX returns the ticks between two readings of the time-stamp
# counter around the work. Every measured stretch has the same frame, whose own cost is the result of floor_nothing.

.set TABLES, 0xFFC00000            # the recursive window: the entry of page p is at TABLES + 4·p
.set DIRECTORY, 0xFFFFF000
.set WORDS, 1024                   # in a page
.set PRESENT, 0b01
.set PRESENT_WRITABLE, 0b11
.set TIMER_LINE, 0x20              # vectors of the interrupt controllers' lines 0 and 3
.set IDLE_LINE, 0x23

# From here on EBX and EDI are the first argument; ESI is the first reading, and has to be there at the end.
.macro measured
    push esi
    push edi
    push ebx
    mov edi, ecx
    mov ebx, ecx
    rdtsc
    mov esi, eax
.endm

.macro end_measured
    rdtsc
    sub eax, esi
    pop ebx
    pop edi
    pop esi
    ret
.endm

.section .text.floor, "ax"

.global floor_nothing
floor_nothing:
    measured
    end_measured

# Writes the word at ECX, which may fault.
.global floor_touch
floor_touch:
    measured
    mov [ebx], ebx
    end_measured

.global floor_zero
floor_zero:
    measured
    mov ecx, WORDS
    xor eax, eax
    rep stosd
    end_measured

# Copies the page onto itself.
.global floor_copy
floor_copy:
    measured
    mov ecx, WORDS
    mov ebx, esi
    mov esi, edi
    rep movsd
    mov esi, ebx
    end_measured

.global floor_flush
floor_flush:
    measured
    invlpg [ebx]
    end_measured

# Loads CR3 with what it holds.
.global floor_load_root
floor_load_root:
    mov ecx, cr3
    measured
    mov cr3, ebx
    end_measured

# An interrupt whose line nobody waits for.
.global floor_interrupt
floor_interrupt:
    measured
    int IDLE_LINE
    end_measured

# A tick, which may switch threads: then the first reading is that of the thread that was left, the second one that of the
# thread that goes on here. Each of them called this.
.global floor_tick
floor_tick:
    measured
    mov [left], esi
    int TIMER_LINE
    mov esi, [left]
    end_measured

# Takes the page at ECX away: clears its entry, keeps the frame, forgets the translation.
.global floor_release
floor_release:
    measured
    shr edi, 12
    mov eax, [TABLES + 4 * edi]
    and eax, -4096
    mov ecx, [kept]
    mov [kept_frames + 4 * ecx], eax
    inc ecx
    mov [kept], ecx
    mov dword ptr [TABLES + 4 * edi], 0
    invlpg [ebx]
    end_measured

# A page fault's round trip and nothing else: maps what was prepared.
.global floor_fault_patching
floor_fault_patching:
    push eax
    mov eax, cr2
    shr eax, 12
    mov [TABLES + 4 * eax], edx
    pop eax
    add esp, 4
    iretd

# The same on the measured side: writes the word at ECX with the entry in EDX.
.global floor_touch_patching
floor_touch_patching:
    push esi
    push edi
    push ebx
    mov edi, edx
    mov ebx, ecx
    rdtsc
    mov esi, eax
    mov edx, edi
    mov [ebx], ebx
    end_measured

# What a demand-zero fault cannot do without: is there a table, is there a frame, map it, clear it.
.global floor_fault_backing
floor_fault_backing:
    push eax
    push ecx
    push edi
    cld
    mov edi, cr2
    mov eax, edi
    shr eax, 22
    test byte ptr [DIRECTORY + 4 * eax], PRESENT
    jz 1f
    mov ecx, [kept]
    dec ecx
    js 1f
    mov [kept], ecx
    mov ecx, [kept_frames + 4 * ecx]
    or ecx, PRESENT_WRITABLE
    mov eax, edi
    shr eax, 12
    mov [TABLES + 4 * eax], ecx
    and edi, -4096
    mov ecx, WORDS
    xor eax, eax
    rep stosd
    pop edi
    pop ecx
    pop eax
    add esp, 4
    iretd
1:  ud2

# Keeps the frame at physical address ECX.
.global floor_keep
floor_keep:
    mov eax, [kept]
    mov [kept_frames + 4 * eax], ecx
    inc eax
    mov [kept], eax
    ret

# Returns the address of a kept frame, which is kept no more.
.global floor_take
floor_take:
    mov ecx, [kept]
    dec ecx
    mov [kept], ecx
    mov eax, [kept_frames + 4 * ecx]
    ret

.section .bss.floor, "aw", @nobits
.balign 4
kept:
    .skip 4
kept_frames:
    .skip 4 * 4
left:
    .skip 4
