# Touches an absent page with a known value in every register and flag, and compares afterwards. Fastcall: the address is
# in ECX. EAX returns 0 if everything survived, otherwise the number of the first register that did not.

.section .text.registers, "ax"

.set FLAGS_UNDER_TEST, 0xCD5       # OF DF SF ZF AF PF CF: with IF left alone, all that a program can set

.global registers_survive
registers_survive:
    pushfd
    push ebx
    push esi
    push edi
    push ebp
    push ecx                       # [esp]: the address
    mov ebp, esp
    mov [saved_stack], esp

    mov eax, 0xA0A0A0A0
    mov ebx, 0xB0B0B0B0
    mov edx, 0xD0D0D0D0
    mov esi, 0x51515151
    mov edi, 0xD1D1D1D1
    mov ecx, [esp]
    mov ebp, 0xB9B9B9B9
    pushfd
    or dword ptr [esp], FLAGS_UNDER_TEST
    popfd

    cmp dword ptr [ecx], 0         # the fault; what it sets of the flags is overwritten:
    pushfd
    or dword ptr [esp], FLAGS_UNDER_TEST
    popfd
    mov dword ptr [ecx + 4096], 1  # the second fault, which changes no flag by itself
    pushfd

    # The flags now on the stack are those that came out of the second fault.
    cld
    cmp eax, 0xA0A0A0A0
    mov eax, 1
    jne 8f
    cmp ebx, 0xB0B0B0B0
    mov eax, 2
    jne 8f
    cmp edx, 0xD0D0D0D0
    mov eax, 3
    jne 8f
    cmp esi, 0x51515151
    mov eax, 4
    jne 8f
    cmp edi, 0xD1D1D1D1
    mov eax, 5
    jne 8f
    cmp ebp, 0xB9B9B9B9
    mov eax, 6
    jne 8f
    mov edx, [saved_stack]
    cmp ecx, [edx]
    mov eax, 7
    jne 8f
    mov edx, [esp]
    and edx, FLAGS_UNDER_TEST
    cmp edx, FLAGS_UNDER_TEST
    mov eax, 8
    jne 8f
    mov edx, [saved_stack]
    sub edx, 4
    cmp esp, edx
    mov eax, 9
    jne 8f
    xor eax, eax
8:
    mov esp, [saved_stack]
    pop ecx
    pop ebp
    pop edi
    pop esi
    pop ebx
    popfd
    ret

.section .bss.registers, "aw", @nobits
.balign 4
saved_stack:
    .skip 4
