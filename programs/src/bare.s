# The program `bare`: prints a line from a page of the heap, and gives the page back.
#
# A call of the kernel has its number in EAX, and what it takes in ECX and EDX. It returns a value in EAX, and 0 or an
# error in EDX; all other registers stay as they are (docs/src/programs.md lists the calls).

.section .rodata.bare, "a"
line:
    .ascii "hello from assembly\n"
.set length, . - line

.section .text._start, "ax"
.global _start
_start:
    mov eax, 2              # Allocate:
    mov ecx, 4096           # a page, which has no frame yet
    int 0x80                # through the only gate that ring 3 may name, and back
    test edx, edx           # was there none?
    jnz 1f
    mov ebx, eax            # EBX keeps where it is, over all calls

    mov esi, offset line    # from here
    mov edi, ebx            # to the page
    mov ecx, offset length  # so many bytes
    rep movsb               # the first one faults, and the page gets its frame; D is clear at the start

    mov eax, 1              # Print:
    mov ecx, ebx            # from the page
    mov edx, offset length  # so many bytes
    int 0x80
    test edx, edx           # could it not be read?
    jnz 1f

    mov eax, 3              # Release:
    mov ecx, ebx            # the page
    int 0x80                # EAX is how many pages had a frame
    lea edx, [eax - 1]      # as it should: one

1:  mov ecx, edx            # the status: an error, or 0
    xor eax, eax            # Exit, which does not return
    int 0x80
