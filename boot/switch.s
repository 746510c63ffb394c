# From one kernel thread to another. Fastcall: ECX = where to keep this thread's stack pointer, EDX = the other's.
#
# What the calling convention lets a function change needs no saving: the caller has done so. The rest lies on the stack
# of a thread that isn't running, from the stack pointer up: EDI ESI EBX EBP and where to go on.

.section .text.switch, "ax"

.global switch_stacks
switch_stacks:
    push ebp
    push ebx
    push esi
    push edi
    mov [ecx], esp
    mov esp, edx
    pop edi
    pop esi
    pop ebx
    pop ebp
    ret

# Calls the function at ECX, which never returns, on the empty kernel stack. What was on the stack is lost. EBP is 0, which
# ends a backtrace.
.global start_over
start_over:
    mov esp, offset stack_top
    xor ebp, ebp
    call ecx
    ud2

# Where a new thread goes on after its first switch: ESI = its argument, EBX = its function, which never returns. EBP is
# 0, which ends a backtrace.
.global thread_start
thread_start:
    sti
    push esi
    call ebx
    ud2
