# Is at work here and there, for ever.
.include "common.s"
1:
.irp number, 1, 2, 3, 4, 5, 6, 7, 8
    call work_\number
.endr
    jmp 1b

.irp number, 1, 2, 3, 4, 5, 6, 7, 8
.type work_\number, @function
work_\number:
    mov ecx, 1000000
3:  dec ecx
    jnz 3b
    ret
.size work_\number, . - work_\number
.endr
