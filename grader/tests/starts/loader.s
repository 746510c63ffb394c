# A boot loader as others are: one that leaves the Multiboot information at the address INFORMATION, gives no name, and
# has a memory map with PIECES small pieces of memory in it. QEMU loads it, with the kernel as its module.
#
# Source: Multiboot Specification 0.6.96, section 3.3.

.intel_syntax noprefix

.set LOADED, 0x2BADB002
.set HAS_COMMAND_LINE, 1 << 2
.set HAS_MEMORY_MAP, 1 << 6
.set AVAILABLE, 1
.set LOADABLE, 1

# Fields of the ELF file.
.set ENTRY, 24
.set HEADERS, 28
.set HEADER_COUNT, 44
.set KIND, 0
.set FILE_OFFSET, 4
.set ADDRESS, 12
.set FILE_SIZE, 16
.set MEMORY_SIZE, 20
.set HEADER_SIZE, 32

.text
.long 0x1BADB002, 0, -0x1BADB002
.global _start
_start:
    cld
    mov esi, [ebx + 24]
    mov ebp, [esi]                 # the module: the kernel's file
    movzx ebx, word ptr [ebp + HEADER_COUNT]
    mov edx, [ebp + HEADERS]
    add edx, ebp
1:
    cmp dword ptr [edx + KIND], LOADABLE
    jne 2f
    mov esi, [edx + FILE_OFFSET]
    add esi, ebp
    mov edi, [edx + ADDRESS]
    mov ecx, [edx + FILE_SIZE]
    rep movsb
    mov ecx, [edx + MEMORY_SIZE]
    sub ecx, [edx + FILE_SIZE]
    xor eax, eax
    rep stosb
2:
    add edx, HEADER_SIZE
    dec ebx
    jnz 1b

    mov esi, offset information
    mov edi, INFORMATION
    mov ecx, offset information_end - information
    rep movsb
    mov eax, LOADED
    mov ebx, INFORMATION
    jmp [ebp + ENTRY]

.data
.macro piece base, end
    .long 20
    .quad \base, \end - \base
    .long AVAILABLE
.endm

.balign 8
information:
    .long HAS_COMMAND_LINE | HAS_MEMORY_MAP
    .skip 12
    .long INFORMATION + (command_line - information)
    .skip 24
    .long map_end - map
    .long INFORMATION + (map - information)
    .skip 64
command_line:
    .asciz "interactive=no"
.balign 4
map:
    piece 0x1000, 0x9F000
    piece 0x100000, 0x500000
    .set next, 0x501000
    .rept PIECES
    piece next, next + 0x1000
    .set next, next + 0x2000
    .endr
    piece 0x1000000, 0x4000000
map_end:
information_end:
