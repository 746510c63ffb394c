# Runs in a circle.
.include "common.s"
    call spin

.type spin, @function
spin:
1:  inc eax
    jmp 1b
.size spin, . - spin
