# Where the processor enters the kernel on its own: exceptions and interrupts.
#
# Each entry completes a TrapFrame on the stack (arch/x86/trap_frame.rs names its fields), in memory order:
#
#   pusha    EDI ESI EBP ESP EBX EDX ECX EAX
#   error    from the processor, or a zero in its place
#   EIP CS EFLAGS   from the processor; and ESP SS, if it was ring 3 that was interrupted
#
# Rust is called by the fastcall convention: first argument in ECX, second in EDX. The interrupted code may have set the
# direction flag; compiled code relies on it being clear, and iretd gives it back. The processor loads SS; a program may have
# left anything in DS and ES, so they get the flat data segment of ring 3, which the kernel uses, too: at a return to ring 3
# the processor takes away any that ring 3 can't use. Interrupts are masked all the way, since every gate is an interrupt gate.

.section .text.trap, "ax"

.macro load_data_segments
    push {user_data}
    .byte 0x1F          # pop ds; written so, LLVM would pop two bytes
    push {user_data}
    .byte 0x07          # pop es
.endm

# Page fault (vector 14) while there are programs: CS says whose it is.
.balign 16
.global program_fault_entry
program_fault_entry:
    test byte ptr [esp + 8], 3
    jz page_fault_entry
.global fault_of_a_program
fault_of_a_program:
    pusha
    load_data_segments
    cld
    mov ecx, esp
    mov edx, cr2
    call {program_fault}
    jmp return_from_trap

# A program's call.
.global program_call_entry
program_call_entry:
    push 0
    pusha
    load_data_segments
    cld
    mov ecx, esp
    call {program_call}
    popa
    add esp, 4
    iretd

# Page fault (vector 14): the measured path, so nothing is done twice and nothing without need.
.balign 16
page_fault_entry:
    pusha
    cld
    mov ecx, esp
    mov edx, cr2
    call {page_fault}
    popa
    add esp, 4
    iretd

# Every other vector: a stub of its own that says which it is. The processor pushes an error code for 8, 10 to 14, 17, 21,
# 29 and 30 (Intel SDM volume 3, table 6-1). Vector 8 is a task gate and vector 14 has its own entry, so their stubs are
# left out.
.irp vector, 0,1,2,3,4,5,6,7,9,15,16,18,19,20,22,23,24,25,26,27,28,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47
trap_\vector:
    push 0
    pusha
    mov edx, \vector
    jmp trap_common
.endr

.irp vector, 10,11,12,13,17,21,29,30
trap_\vector:
    pusha
    mov edx, \vector
    jmp trap_common
.endr

trap_common:
    load_data_segments
    cld
    mov ecx, esp
    call {trap}
return_from_trap:
    popa
    add esp, 4
    iretd

# Goes on in ring 3 as the frame at ECX says: a complete one, with ESP and SS. Fastcall; never returns.
.global resume_program
resume_program:
    mov esp, ecx
    jmp return_from_trap

# The entries in the order of their vectors. Vector 8 has none.
.set trap_8, 0
.set trap_14, page_fault_entry
.section .rodata.trap_entries, "a"
.balign 4
.global trap_entries
trap_entries:
.irp vector, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47
    .long trap_\vector
.endr

# Where the double fault's task starts.
.global double_fault_entry
double_fault_entry:
    .long {double_fault}
