# Accesses that may be refused: a read of a word, and a write to a byte, which lies in one page wherever it is. If the page
# fault handler finds no frame for one of the marked instructions, it puts the reason into EAX and goes on at the end of its function. Fastcall: the address is in ECX. EAX returns 0 if the access was made, and the reason if it was refused.

.section .text.probe, "ax"

.global probe_read
probe_read:
probe_read_access:
    mov eax, [ecx]
    xor eax, eax
    ret

# Writes back what it reads, in one instruction, so that nothing changes.
.global probe_write
probe_write:
    xor eax, eax
probe_write_access:
    lock or byte ptr [ecx], al
    ret

probe_refused:
    ret

# Copies the bytes at EDX to ECX, as many as the word above the return address says. The one instruction may fault at each of them.
.global probe_copy
probe_copy:
    push esi
    push edi
    mov edi, ecx
    mov esi, edx
    mov ecx, [esp + 12]
    xor eax, eax
probe_copy_access:
    rep movsb
probe_copy_refused:
    pop edi
    pop esi
    ret 4

.section .rodata.probe, "a"
.balign 4
.global probe_places
probe_places:
    .long probe_read_access, probe_write_access, probe_refused, probe_copy_access, probe_copy_refused
